//! One line of `hooklog log dump --bodies`.

use anyhow::{Context as _, Result, bail};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use hooklog_schemas::{EventId, Position};
use serde::de::{DeserializeOwned, Error as _};
use serde::{Deserialize, Deserializer};
use serde_json::Value;

/// One record.
#[derive(Debug, Deserialize)]
pub(crate) struct Line {
    /// Where it stands.
    #[serde(deserialize_with = "position")]
    pub(crate) position: Position,
    /// Its type.
    #[serde(rename = "type")]
    pub(crate) event_type: String,
    /// Its id.
    #[serde(default)]
    pub(crate) event_id: Option<EventId>,
    /// The epoch of its writer.
    pub(crate) epoch: Option<u64>,
    #[serde(default)]
    headers: Vec<Named>,
    /// The body of a webhook.
    body_base64: Option<String>,
    /// The event, in the other topics.
    #[serde(default)]
    value: Value,
    /// Its bytes are gone.
    #[serde(default)]
    pub(crate) erased: bool,
    #[serde(default)]
    tombstone: bool,
}

#[derive(Debug, Deserialize)]
struct Named {
    name: String,
    /// Absent where it is not UTF-8.
    value: Option<String>,
}

fn position<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Position, D::Error> {
    let text = String::deserialize(deserializer)?;
    text.parse().map_err(D::Error::custom)
}

impl Line {
    /// Whether nothing is left of the record, or never was anything in it.
    pub(crate) const fn is_empty(&self) -> bool {
        self.erased || self.tombstone
    }

    /// The body of a webhook.
    pub(crate) fn body(&self) -> Result<Vec<u8>> {
        let Some(text) = &self.body_base64 else {
            bail!(
                "{} has no body; was the dump made with --bodies?",
                self.position
            );
        };
        BASE64.decode(text).context("body_base64 is no base64")
    }

    /// The event that the type says.
    pub(crate) fn json<T: DeserializeOwned>(&self) -> Result<T> {
        let event = serde_json::from_value(self.value.clone());
        event.with_context(|| format!("{} at {}", self.event_type, self.position))
    }

    /// The value of a header.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let header = self.headers.iter().find(|header| header.name == name)?;
        header.value.as_deref()
    }
}
