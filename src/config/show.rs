//! The effective configuration, with the origin of every value, for people and for programs.

use super::keys;
use super::load::{Loaded, Origin};
use serde_json::{Map, Value as Json, json};
use std::collections::BTreeMap;
use std::fmt::Write as _;
use toml::Value;

/// What stands in place of a secret.
const MASK: &str = "***";

impl Loaded {
    /// TOML that could be a configuration file, each value followed by its origin.
    #[must_use]
    pub fn to_text(&self) -> String {
        let mut text = String::new();
        let mut section = "";
        let values = self.masked();
        // Section by section, and keys without one first, since in TOML a section never ends.
        let apart = |key: &'_ str| key.rsplit_once('.').map_or("", |(head, _)| head).to_owned();
        let mut keys: Vec<_> = self.origins.iter().collect();
        keys.sort_by_key(|(key, _)| apart(key));
        for (key, origin) in keys {
            let (head, name) = key.rsplit_once('.').unwrap_or(("", key));
            if head != section {
                let _ = writeln!(text, "\n[{head}]");
                section = head;
            }
            line(&mut text, name, values.get(key), origin);
        }
        text
    }

    /// `{"receive.body_bytes_max": {"value": …, "origin": …}}`.
    #[must_use]
    pub fn to_json(&self) -> Json {
        let values = self.masked();
        let entry = |(key, origin): (&String, &Origin)| {
            let value = values.get(key).map_or(Json::Null, to_json);
            let entry = json!({ "value": value, "origin": origin.to_string() });
            (key.clone(), entry)
        };
        Json::Object(self.origins.iter().map(entry).collect::<Map<_, _>>())
    }

    /// Every key and its value as text, secrets masked: what `process.started` records.
    #[must_use]
    pub fn effective(&self) -> BTreeMap<String, String> {
        let text = |value: &Value| match value {
            Value::String(text) => text.clone(),
            other => other.to_string(),
        };
        let values = self.masked();
        values
            .iter()
            .map(|(key, value)| (key.clone(), text(value)))
            .collect()
    }

    fn masked(&self) -> BTreeMap<String, Value> {
        let mut values = keys::values(&self.config);
        for (key, value) in &mut values {
            mask(key, value);
        }
        values
    }
}

fn line(text: &mut String, name: &str, value: Option<&Value>, origin: &Origin) {
    let written = match value {
        Some(value) => writeln!(text, "{:<48} # {origin}", format!("{name} = {value}")),
        None => writeln!(text, "{:<48} # {origin}", format!("# {name} is not set")),
    };
    // Writing to a string does not fail.
    let _ = written;
}

/// Masks what is named like a secret, and the password of an address.
fn mask(key: &str, value: &mut Value) {
    let Value::String(text) = value else { return };
    let secret = ["secret", "password", "token"];
    if secret.iter().any(|word| key.ends_with(word)) {
        MASK.clone_into(text);
        return;
    }
    if let Ok(mut url) = url::Url::parse(text)
        && url.password().is_some()
        && url.set_password(Some(MASK)).is_ok()
    {
        *text = url.to_string();
    }
}

fn to_json(value: &Value) -> Json {
    serde_json::to_value(value).unwrap_or(Json::Null)
}

#[cfg(test)]
mod tests {
    use super::super::load::{Sources, load};
    use super::*;

    fn loaded() -> Loaded {
        let sources = Sources {
            file: None,
            environment: [(
                "HOOKLOG_DELIVER__ALLOW".to_owned(),
                "127.0.0.0/8".to_owned(),
            )],
            flags: vec![("listen".to_owned(), "127.0.0.1:9".to_owned())],
        };
        load(sources).unwrap()
    }

    #[test]
    fn the_text_is_a_configuration_that_says_where_each_value_comes_from() {
        let text = loaded().to_text();
        assert!(
            text.contains("listen = \"127.0.0.1:9\"") && text.contains("# --listen"),
            "{text}"
        );
        assert!(text.contains("# HOOKLOG_DELIVER__ALLOW"), "{text}");
        let read: super::super::Config = toml::from_str(&text).unwrap();
        assert_eq!(read, loaded().config);
    }

    #[test]
    fn the_json_has_value_and_origin_of_every_key() {
        let json = loaded().to_json();
        assert_eq!(json["deliver.allow"]["value"], json!(["127.0.0.0/8"]));
        assert_eq!(json["deliver.allow"]["origin"], "HOOKLOG_DELIVER__ALLOW");
        assert_eq!(json["key_file"]["value"], Json::Null);
        assert_eq!(json.as_object().unwrap().len(), keys::all().len());
    }

    #[test]
    fn a_value_that_is_a_secret_is_masked() {
        for (key, given, shown) in [
            ("intake.password", "canary", "***"),
            (
                "intake.url",
                "amqp://me:canary@host/",
                "amqp://me:***@host/",
            ),
            ("data", "canary-free", "canary-free"),
        ] {
            let mut value = Value::String(given.to_owned());
            mask(key, &mut value);
            assert_eq!(value.as_str(), Some(shown), "{key}");
        }
    }
}
