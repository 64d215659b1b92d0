//! Events of `control` as evidence: who did what, when, from where and why.

use super::Api;
use super::problem::Problem;
use super::record::position;
use crate::hindsight::blame::Evidence;
use hooklog_projections::configuration::Configuration;
use hooklog_schemas::control::By;
use hooklog_schemas::{Record, Topic};
use serde_json::Value;
use std::collections::BTreeSet;

impl Api {
    /// The events at these offsets of `control`, in order; those that nobody did are left out, as
    /// the start of a process.
    pub(super) async fn evidence(&self, offsets: &BTreeSet<i64>) -> Result<Vec<Evidence>, Problem> {
        let configuration = self.parts.control.current();
        let mut found = Vec::new();
        for offset in offsets {
            let record = self.record(position(Topic::Control, 0, *offset)).await?;
            found.extend(record.and_then(|record| told(&record, &configuration)));
        }
        Ok(found)
    }
}

/// Only who, when, from where, why, and a name: an event may hold a sealed secret.
fn told(record: &Record, configuration: &Configuration) -> Option<Evidence> {
    let body: Value = serde_json::from_slice(record.value.as_deref()?).ok()?;
    let by: By = serde_json::from_value(body.get("by")?.clone()).ok()?;
    Some(Evidence {
        offset: i64::try_from(record.position.offset.0).unwrap_or(i64::MAX),
        event: record.event_id,
        event_type: record.event_type.as_str().to_owned(),
        at: by.at.0,
        actor: by.actor,
        from: by.from,
        why: by.why,
        about: about(&body, configuration),
        fields: Vec::new(),
    })
}

/// The name of what an event is about: it says so itself, or names an object that has one.
fn about(body: &Value, configuration: &Configuration) -> Option<String> {
    let named = body.pointer("/spec/name").or_else(|| body.get("name"));
    if let Some(name) = named.and_then(Value::as_str) {
        return Some(name.to_owned());
    }
    let owner = [
        "/id",
        "/owner/subscription",
        "/owner/source",
        "/scope/subscription",
    ];
    let id = owner
        .iter()
        .find_map(|place| body.pointer(place)?.as_str())?;
    let subscription = || {
        let one = configuration.subscriptions.get(&id.parse().ok()?)?;
        Some(one.spec.name.clone())
    };
    let source = || {
        let one = configuration.sources.get(&id.parse().ok()?)?;
        Some(one.spec.name.clone())
    };
    let token = || {
        let one = configuration.tokens.get(&id.parse().ok()?)?;
        Some(one.name.clone())
    };
    subscription().or_else(source).or_else(token)
}
