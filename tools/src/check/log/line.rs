//! One line of `hooklog log dump`.

use anyhow::{Context as _, Result, bail};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use hooklog_schemas::Position;
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
    /// The epoch of its writer.
    #[serde(default)]
    pub(crate) epoch: Option<u64>,
    #[serde(default)]
    headers: Value,
    #[serde(default)]
    value: Value,
}

fn position<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Position, D::Error> {
    let text = String::deserialize(deserializer)?;
    text.parse().map_err(D::Error::custom)
}

impl Line {
    /// The value as bytes; none for a tombstone.
    pub(crate) fn body(&self) -> Result<Option<Vec<u8>>> {
        match &self.value {
            Value::Null => Ok(None),
            Value::String(text) => {
                let bytes = BASE64.decode(text);
                Ok(Some(bytes.context("the value is no base64")?))
            }
            _ => bail!("the value is no base64; was the dump made with --bodies?"),
        }
    }

    /// The value as the event that the type says: base64 of JSON, or JSON itself.
    pub(crate) fn json<T: DeserializeOwned>(&self) -> Result<T> {
        let event = match &self.value {
            Value::String(_) => serde_json::from_slice(&self.body()?.unwrap_or_default()),
            value => serde_json::from_value(value.clone()),
        };
        event.with_context(|| format!("{} at {}", self.event_type, self.position))
    }

    /// The value of a header, from an object of names or a list of names with values.
    pub(crate) fn header(&self, name: &str) -> Option<Vec<u8>> {
        let value = match &self.headers {
            Value::Object(headers) => headers.get(name)?,
            Value::Array(headers) => headers.iter().find_map(|header| match header {
                Value::Array(pair) if pair.first()? == name => pair.get(1),
                header if header.get("name")? == name => header.get("value"),
                _ => None,
            })?,
            _ => return None,
        };
        match value {
            Value::String(text) => Some(text.clone().into_bytes()),
            value => Some(value.to_string().into_bytes()),
        }
    }
}
