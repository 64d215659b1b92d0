//! When something happened, as GitHub's bodies tell it in many ways.

use super::text::Text;
use hooklog_schemas::Timestamp;
use serde::Deserialize;
use serde::de::{Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use std::fmt;

/// A time: RFC 3339, seconds since 1970, or that of an object's last change. Nothing where something
/// else stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Moment(pub(super) Option<Timestamp>);

/// The fields of an object that tell when it changed last, the one that is told first.
const FIELDS: [&str; 7] = [
    "updated_at",
    "submitted_at",
    "completed_at",
    "published_at",
    "started_at",
    "created_at",
    "timestamp",
];

impl<'de> Deserialize<'de> for Moment {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(AnyMoment).map(Moment)
    }
}

struct AnyMoment;

impl<'de> Visitor<'de> for AnyMoment {
    type Value = Option<Timestamp>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("anything")
    }

    fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
        Ok(text.parse().ok())
    }

    fn visit_i64<E>(self, secs: i64) -> Result<Self::Value, E> {
        Ok(secs.checked_mul(1_000_000).map(Timestamp))
    }

    fn visit_u64<E>(self, secs: u64) -> Result<Self::Value, E> {
        let secs = i64::try_from(secs).ok();
        Ok(secs
            .and_then(|secs| secs.checked_mul(1_000_000))
            .map(Timestamp))
    }

    fn visit_unit<E>(self) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_bool<E>(self, _: bool) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
        while seq.next_element::<IgnoredAny>()?.is_some() {}
        Ok(None)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut found: [Option<Timestamp>; FIELDS.len()] = [None; FIELDS.len()];
        while let Some(key) = map.next_key::<Text<'de>>()? {
            let known = FIELDS
                .iter()
                .position(|field| key.0.as_deref() == Some(*field));
            match known.and_then(|place| found.get_mut(place)) {
                Some(place) => *place = map.next_value::<Moment>()?.0,
                None => drop(map.next_value::<IgnoredAny>()?),
            }
        }
        Ok(found.into_iter().flatten().next())
    }
}
