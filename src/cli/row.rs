//! Reads the API's answers for showing: what is missing or unexpected shows as a dash, never fails.

use super::out::harmless;
use super::time;
use hooklog_schemas::Timestamp;
use hooklog_schemas::deliveries::LIVE;
use serde_json::Value;
use std::time::Duration;

/// What stands where there is nothing.
pub(crate) const NOTHING: &str = "–";

/// One object of an answer.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Row<'a>(pub(crate) &'a Value);

impl<'a> Row<'a> {
    /// The field as text.
    pub(crate) fn maybe(&self, field: &str) -> Option<String> {
        match self.0.get(field)? {
            Value::Null => None,
            Value::String(text) if text.is_empty() => None,
            Value::String(text) => Some(harmless(text)),
            Value::Array(values) if values.is_empty() => None,
            Value::Array(values) => Some(values.iter().map(plain).collect::<Vec<_>>().join(", ")),
            other => Some(harmless(&other.to_string())),
        }
    }

    /// The field as text, or a dash.
    pub(crate) fn text(&self, field: &str) -> String {
        self.maybe(field).unwrap_or_else(|| NOTHING.to_owned())
    }

    /// The field as a number.
    pub(crate) fn number(&self, field: &str) -> Option<u64> {
        self.0.get(field)?.as_u64()
    }

    /// The field as a truth; false when it is missing.
    pub(crate) fn holds(&self, field: &str) -> bool {
        self.0
            .get(field)
            .and_then(Value::as_bool)
            .unwrap_or_default()
    }

    /// The field as a time.
    pub(crate) fn at(&self, field: &str) -> Option<Timestamp> {
        self.0.get(field)?.as_i64().map(Timestamp)
    }

    /// The field as a time from now, or a dash.
    pub(crate) fn ago(&self, field: &str, now: Timestamp) -> String {
        let at = self.at(field);
        at.map_or_else(|| NOTHING.to_owned(), |at| time::relative(at, now))
    }

    /// The field as an exact time with its distance from now, or a dash.
    pub(crate) fn when(&self, field: &str, now: Timestamp) -> String {
        self.at(field).map_or_else(
            || NOTHING.to_owned(),
            |at| format!("{} ({})", time::exact(at), time::relative(at, now)),
        )
    }

    /// The field in microseconds, as a duration.
    pub(crate) fn lasted(&self, field: &str) -> Option<String> {
        let micros = self.number(field)?;
        Some(time::lasting(Duration::from_micros(micros)))
    }

    /// The objects of a list; none when it is missing.
    pub(crate) fn rows(&self, field: &str) -> Vec<Row<'a>> {
        let list = self.0.get(field).and_then(Value::as_array);
        list.into_iter().flatten().map(Row).collect()
    }

    /// An object in a field; an empty one when it is missing.
    pub(crate) fn inner(&self, field: &str) -> Row<'a> {
        Row(self.0.get(field).unwrap_or(&Value::Null))
    }

    /// How many a list holds, or the number that stands there.
    pub(crate) fn size(&self, field: &str) -> u64 {
        let list = self.0.get(field).and_then(Value::as_array);
        list.map_or_else(
            || self.number(field).unwrap_or_default(),
            |list| list.len() as u64,
        )
    }

    /// `push`, or `pull_request.opened`.
    pub(crate) fn event(&self) -> String {
        match self.maybe("action") {
            Some(action) => format!("{}.{action}", self.text("event")),
            None => self.text("event"),
        }
    }

    /// The replay that is the cause of a delivery; none of a live one.
    pub(crate) fn replay(&self) -> Option<String> {
        self.maybe("cause").filter(|cause| cause != LIVE)
    }

    /// `paused` or `active`.
    pub(crate) fn activity(&self) -> &'static str {
        if self.holds("paused") {
            "paused"
        } else {
            "active"
        }
    }
}

fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => harmless(text),
        other => harmless(&other.to_string()),
    }
}

/// `text`, cut to `max` characters.
pub(crate) fn cut(text: &str, max: usize) -> String {
    if text.chars().count() <= max {
        return text.to_owned();
    }
    let kept: String = text.chars().take(max.saturating_sub(1)).collect();
    format!("{kept}…")
}

/// `1 delivery`, `2 deliveries`.
pub(crate) fn counted(count: u64, one: &str, many: &str) -> String {
    let word = if count == 1 { one } else { many };
    format!("{count} {word}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_is_missing_or_of_another_type_shows_as_a_dash() {
        let value = json!({"null": null, "empty": "", "text": 7, "list": ["a", 1], "none": []});
        let row = Row(&value);
        for (field, expected) in [
            ("absent", NOTHING),
            ("null", NOTHING),
            ("empty", NOTHING),
            ("none", NOTHING),
            ("text", "7"),
            ("list", "a, 1"),
        ] {
            assert_eq!(row.text(field), expected, "{field}");
        }
        assert_eq!(row.ago("text_at", Timestamp(0)), NOTHING);
        assert!(row.rows("text").is_empty());
    }

    #[test]
    fn a_long_text_is_cut_by_characters() {
        assert_eq!(cut("äöü", 3), "äöü");
        assert_eq!(cut("äöüß", 3), "äö…");
    }
}
