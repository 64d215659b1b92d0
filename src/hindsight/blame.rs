//! Who set which field of a subscription, when, from where and why: a fold of its history.

use crate::query::ChangeRow;
use hooklog_schemas::EventId;
use serde::Serialize;
use serde_json::Value;
use std::collections::BTreeMap;
use utoipa::ToSchema;

/// One event of `control` as evidence: who did what, when, from where, and why.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct Evidence {
    /// Its offset in `control`.
    pub offset: i64,
    /// The event.
    #[schema(value_type = String, format = "uuid")]
    pub event: EventId,
    /// What was done: `subscription.changed`.
    pub event_type: String,
    /// When.
    pub at: i64,
    /// Who: a token's name, or `hooklog` for what the program does on its own.
    pub actor: String,
    /// From which address.
    pub from: String,
    /// The reason that was given.
    pub why: Option<String>,
    /// The name of what it is about, where it has one.
    pub about: Option<String>,
    /// The fields that it set, where it is known what they were before.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub fields: Vec<FieldChange>,
}

/// One field of a description before and after.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct FieldChange {
    /// The field: `to`, `filter.events`, `policy.deadline_ms`.
    pub field: String,
    /// What it was; nothing where it was not set.
    pub was: Value,
    /// What it is from then on; nothing where it was dropped.
    pub now: Value,
}

/// Who set a field last.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct Blamed {
    /// The field: `to`, `filter.events`, `policy.deadline_ms`, `state`, `secret`.
    pub field: String,
    /// What it is; nothing where it was dropped. A secret is never shown.
    pub value: Value,
    /// What it was before; nothing where it was not set.
    pub was: Value,
    /// The event that set it.
    pub by: Evidence,
}

/// The fold of the history of one subscription, from its creation on.
#[derive(Clone, Debug, Default)]
pub struct Blame {
    fields: BTreeMap<String, Value>,
    /// Every change that had an effect, in order, with the fields that it set.
    changes: Vec<Evidence>,
}

impl Blame {
    /// Folds the next change. One that had no effect set nothing.
    pub fn fold(&mut self, change: &ChangeRow) {
        if change.outcome != "applied" {
            return;
        }
        let after = self.after(change);
        let fields = differences(&self.fields, &after);
        self.fields = after;
        self.changes.push(Evidence {
            offset: change.offset,
            event: change.event,
            event_type: change.event_type.clone(),
            at: change.at,
            actor: change.actor.clone(),
            from: change.from.clone(),
            why: change.why.clone(),
            about: self.text("name"),
            fields,
        });
    }

    /// Who set each field last, in the order of their names.
    #[must_use]
    pub fn blamed(&self) -> Vec<Blamed> {
        let mut last: BTreeMap<&str, Blamed> = BTreeMap::new();
        for change in &self.changes {
            for field in &change.fields {
                let by = Evidence {
                    fields: Vec::new(),
                    ..change.clone()
                };
                let blamed = Blamed {
                    field: field.field.clone(),
                    value: shown(&field.field, &field.now),
                    was: shown(&field.field, &field.was),
                    by,
                };
                last.insert(&field.field, blamed);
            }
        }
        last.into_values().collect()
    }

    /// Every change that had an effect, the earliest first.
    #[must_use]
    pub fn changes(&self) -> &[Evidence] {
        &self.changes
    }

    /// The last change before the configuration at `offset` was complete that set `field`.
    #[must_use]
    pub fn set_by(&self, field: &str, offset: i64) -> Option<&Evidence> {
        let sets = |change: &&Evidence| change.fields.iter().any(|one| one.field == field);
        let mut before = self.changes.iter().rev();
        before.find(|change| change.offset <= offset && sets(change))
    }

    fn after(&self, change: &ChangeRow) -> BTreeMap<String, Value> {
        let mut fields = match &change.spec {
            Some(spec) => {
                let mut fields = flat(spec);
                for kept in [STATE, SECRET] {
                    fields.extend(self.fields.get_key_value(kept).map(owned));
                }
                fields
            }
            None => self.fields.clone(),
        };
        let mut set = |field: &str, value: Value| fields.insert(field.to_owned(), value);
        match change.event_type.as_str() {
            "subscription.created" => {
                set(STATE, "active".into());
                set(SECRET, change.event.to_string().into());
            }
            "subscription.resumed" => _ = set(STATE, "active".into()),
            "subscription.paused" => _ = set(STATE, "paused".into()),
            "subscription.deleted" => _ = set(STATE, "deleted".into()),
            "secret.rotated" => _ = set(SECRET, change.event.to_string().into()),
            _ => {}
        }
        fields
    }

    fn text(&self, field: &str) -> Option<String> {
        let text = self.fields.get(field)?.as_str()?;
        Some(text.to_owned())
    }
}

const STATE: &str = "state";
/// Told apart by the events that set it: what it is, nobody is told.
const SECRET: &str = "secret";

fn shown(field: &str, value: &Value) -> Value {
    if field == SECRET && !value.is_null() {
        return "(not shown)".into();
    }
    value.clone()
}

fn owned((field, value): (&String, &Value)) -> (String, Value) {
    (field.clone(), value.clone())
}

/// What differs between two descriptions, as `subscription.created` and `subscription.changed` give
/// them, in the order of the fields' names.
#[must_use]
pub fn between(was: &Value, now: &Value) -> Vec<FieldChange> {
    differences(&flat(was), &flat(now))
}

fn differences(was: &BTreeMap<String, Value>, now: &BTreeMap<String, Value>) -> Vec<FieldChange> {
    let value = |fields: &BTreeMap<String, Value>, field: &str| {
        fields.get(field).cloned().unwrap_or_default()
    };
    let mut names: Vec<_> = was.keys().chain(now.keys()).collect();
    names.sort_unstable();
    names.dedup();
    let change = |field: &&String| FieldChange {
        field: (*field).clone(),
        was: value(was, field),
        now: value(now, field),
    };
    let changes = names.iter().map(change);
    changes.filter(|change| change.was != change.now).collect()
}

/// The fields of a description; those of its parts with a dot.
fn flat(spec: &Value) -> BTreeMap<String, Value> {
    let mut fields = BTreeMap::new();
    for (name, value) in spec.as_object().into_iter().flatten() {
        match value {
            Value::Object(part) => {
                let part = part.iter();
                fields
                    .extend(part.map(|(inner, value)| (format!("{name}.{inner}"), value.clone())));
            }
            value => _ = fields.insert(name.clone(), value.clone()),
        }
    }
    fields
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;
    use uuid::Uuid;

    fn change(offset: i64, event_type: &str, actor: &str, spec: Option<Value>) -> ChangeRow {
        ChangeRow {
            at: offset * 10,
            actor: actor.to_owned(),
            from: "192.0.2.1".to_owned(),
            why: Some(format!("reason {offset}")),
            event_type: event_type.to_owned(),
            event: EventId(Uuid::from_u128(offset.unsigned_abs().into())),
            offset,
            outcome: "applied".to_owned(),
            spec,
        }
    }

    fn spec(filter: Value) -> Option<Value> {
        Some(json!({"name": "ci", "to": "https://a/", "filter": filter}))
    }

    fn history() -> Vec<ChangeRow> {
        let mut lost = change(4, "subscription.changed", "eve", spec(json!({})));
        lost.outcome = "conflict".to_owned();
        vec![
            change(1, "subscription.created", "ann", spec(json!({}))),
            change(
                3,
                "subscription.changed",
                "bo",
                spec(json!({"events": ["push"], "hosts": ["h"]})),
            ),
            lost,
            change(5, "subscription.paused", "chi", None),
            change(6, "secret.rotated", "chi", None),
            change(
                8,
                "subscription.changed",
                "ann",
                spec(json!({"events": ["push"]})),
            ),
        ]
    }

    fn folded() -> Blame {
        let mut blame = Blame::default();
        history().iter().for_each(|change| blame.fold(change));
        blame
    }

    #[test]
    fn each_field_names_who_set_it_last_and_what_it_was() {
        let blamed = folded().blamed();
        let told: Vec<_> = blamed
            .iter()
            .map(|one| {
                let by = (one.by.offset, one.by.actor.as_str());
                (one.field.as_str(), &one.was, &one.value, by)
            })
            .collect();
        let null = Value::Null;
        let hidden = json!("(not shown)");
        assert_eq!(
            told,
            [
                ("filter.events", &null, &json!(["push"]), (3, "bo")),
                ("filter.hosts", &json!(["h"]), &null, (8, "ann")),
                ("name", &null, &json!("ci"), (1, "ann")),
                ("secret", &hidden, &hidden, (6, "chi")),
                ("state", &json!("active"), &json!("paused"), (5, "chi")),
                ("to", &null, &json!("https://a/"), (1, "ann")),
            ]
        );
    }

    #[test]
    fn a_change_that_lost_its_race_set_nothing() {
        let blame = folded();
        assert!(blame.changes().iter().all(|change| change.offset != 4));
        assert!(blame.changes().iter().all(|change| change.actor != "eve"));
    }

    #[test]
    fn what_set_a_field_is_told_for_any_configuration() {
        let blame = folded();
        let set = |field, offset| blame.set_by(field, offset).map(|one| one.offset);
        assert_eq!(set("filter.hosts", 2), None);
        assert_eq!(set("filter.hosts", 3), Some(3));
        assert_eq!(set("filter.hosts", 7), Some(3));
        assert_eq!(set("filter.hosts", 9), Some(8));
        assert_eq!(set("state", 9), Some(5));
    }
}
