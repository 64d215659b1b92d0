//! Upcasters: the body of an event of an earlier version becomes that of the current one on read.

use serde_json::Value;

/// One step: from one version of an event's body to the next.
pub(crate) struct Upcaster {
    /// The event's type.
    pub(crate) event_type: &'static str,
    /// The version that it reads; it gives the next one.
    pub(crate) from: u16,
    /// What it does; a text says why a body is not one of that version.
    pub(crate) up: fn(Value) -> Result<Value, String>,
}

/// Every step of this release. There is none yet: every event is in its first version.
pub(crate) const UPCASTERS: &[Upcaster] = &[];

/// Why a body was not brought to the current version.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum UpcastError {
    /// This release has no step from this version.
    Unknown,
    /// The body is not one of its version.
    Malformed(String),
}

/// The body `value` of an event of version `version`, step by step, as version `current`.
pub(crate) fn upcast(
    steps: &[Upcaster],
    event_type: &str,
    (version, current): (u16, u16),
    value: &[u8],
) -> Result<Value, UpcastError> {
    if version == 0 || version > current {
        return Err(UpcastError::Unknown);
    }
    let malformed = |error: serde_json::Error| UpcastError::Malformed(error.to_string());
    let mut body = serde_json::from_slice(value).map_err(malformed)?;
    for from in version..current {
        let mut fitting = steps.iter().filter(|step| step.event_type == event_type);
        let step = fitting.find(|step| step.from == from);
        let step = step.ok_or(UpcastError::Unknown)?;
        body = (step.up)(body).map_err(UpcastError::Malformed)?;
    }
    Ok(body)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    /// Seconds became microseconds, then the field got another name.
    const STEPS: &[Upcaster] = &[
        Upcaster {
            event_type: "kettle.boiled",
            from: 2,
            up: |mut body| {
                let at = body["time"].take();
                Ok(json!({"at": at}))
            },
        },
        Upcaster {
            event_type: "kettle.boiled",
            from: 1,
            up: |body| match body["time"].as_i64() {
                Some(seconds) => Ok(json!({"time": seconds * 1_000_000})),
                None => Err("`time` is no number".to_owned()),
            },
        },
    ];

    fn upcast_of(version: u16, body: &str) -> Result<Value, UpcastError> {
        upcast(STEPS, "kettle.boiled", (version, 3), body.as_bytes())
    }

    #[test]
    fn every_earlier_version_becomes_the_current_one() {
        let current = json!({"at": 7_000_000});
        for (version, body) in [
            (1, r#"{"time":7}"#),
            (2, r#"{"time":7000000}"#),
            (3, r#"{"at":7000000}"#),
        ] {
            assert_eq!(upcast_of(version, body), Ok(current.clone()), "{version}");
        }
    }

    #[test]
    fn a_version_without_a_step_is_unknown_and_never_skipped() {
        for version in [0, 4] {
            assert_eq!(upcast_of(version, "{}"), Err(UpcastError::Unknown));
        }
        let other = upcast(STEPS, "kettle.emptied", (1, 2), b"{}");
        assert_eq!(other, Err(UpcastError::Unknown));
    }

    #[test]
    fn a_body_that_is_not_of_its_version_is_malformed() {
        let wrong = upcast_of(1, r#"{"time":"noon"}"#).unwrap_err();
        assert_eq!(
            wrong,
            UpcastError::Malformed("`time` is no number".to_owned())
        );
        assert!(matches!(upcast_of(1, "{"), Err(UpcastError::Malformed(_))));
    }
}
