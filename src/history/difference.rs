//! What differs between two configurations. Pure.

use hooklog_projections::configuration::{Configuration, Secret, Source, Subscription, Token};
use serde::Serialize;
use serde_json::{Map, Value, json};
use std::collections::{BTreeMap, BTreeSet};
use utoipa::ToSchema;

/// What became of one object between two points.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct Difference {
    /// `source`, `subscription` or `token`.
    pub kind: &'static str,
    /// Its name, at the later point if it is there.
    pub name: String,
    /// Its id.
    pub id: String,
    /// `created`, `deleted` or `changed`.
    pub change: &'static str,
    /// The fields that differ; of what was created or deleted all that it had.
    pub fields: Vec<Field>,
}

/// One field that differs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct Field {
    /// Its name: `to`, `filter.events`.
    pub field: String,
    /// What it was; nothing if it was not there.
    #[schema(value_type = Option<Object>)]
    pub from: Option<Value>,
    /// What it is; nothing if it is not there.
    #[schema(value_type = Option<Object>)]
    pub to: Option<Value>,
}

/// What differs between `from` and `to`, by kind and name. Secrets are told by their ids alone.
#[must_use]
pub fn differences(from: &Configuration, to: &Configuration) -> Vec<Difference> {
    let (before, after) = (objects(from), objects(to));
    let keys: BTreeSet<_> = before.keys().chain(after.keys()).collect();
    let differ = |key: &&(&'static str, String)| before.get(*key) != after.get(*key);
    let mut all: Vec<_> = keys
        .into_iter()
        .filter(differ)
        .map(|key| difference(key, before.get(key), after.get(key)))
        .collect();
    all.sort_by(|a, b| (a.kind, &a.name, &a.id).cmp(&(b.kind, &b.name, &b.id)));
    all
}

/// An object's fields, those of inner objects too, by their paths.
type Fields = BTreeMap<String, Value>;

fn difference(
    (kind, id): &(&'static str, String),
    before: Option<&Fields>,
    after: Option<&Fields>,
) -> Difference {
    let change = match (before, after) {
        (None, _) => "created",
        (_, None) => "deleted",
        _ => "changed",
    };
    let none = Fields::new();
    let (from, to) = (before.unwrap_or(&none), after.unwrap_or(&none));
    let named = after.or(before).and_then(|fields| fields.get("name"));
    let names: BTreeSet<_> = from.keys().chain(to.keys()).collect();
    let differing = names
        .into_iter()
        .filter(|name| from.get(*name) != to.get(*name));
    Difference {
        kind,
        name: named.and_then(Value::as_str).unwrap_or_default().to_owned(),
        id: id.clone(),
        change,
        fields: differing
            .map(|name| Field {
                field: name.clone(),
                from: from.get(name).cloned(),
                to: to.get(name).cloned(),
            })
            .collect(),
    }
}

/// Everything that is there: not what was deleted or revoked.
fn objects(of: &Configuration) -> BTreeMap<(&'static str, String), Fields> {
    let sources = of.sources.values().filter(|one| !one.deleted);
    let sources = sources.map(|one| (("source", one.id.to_string()), source(one)));
    let subscriptions = of.subscriptions.values().filter(|one| !one.deleted);
    let subscriptions =
        subscriptions.map(|one| (("subscription", one.id.to_string()), subscription(one)));
    let tokens = of.tokens.values().filter(|one| !one.revoked);
    let tokens = tokens.map(|one| (("token", one.id.to_string()), token(one)));
    let all = json!({ "paused": of.deliveries_paused });
    let all = (("deliveries", "all".to_owned()), flat(&all));
    let objects = sources.chain(subscriptions).chain(tokens);
    objects.chain([all]).collect()
}

fn source(source: &Source) -> Fields {
    with(&source.spec, source.paused, &source.secrets)
}

fn subscription(subscription: &Subscription) -> Fields {
    with(
        &subscription.spec,
        subscription.paused,
        &subscription.secrets,
    )
}

fn token(token: &Token) -> Fields {
    flat(&json!({ "name": token.name, "role": token.role, "holder": token.holder }))
}

fn with(spec: &impl Serialize, paused: bool, secrets: &[Secret]) -> Fields {
    // Plain data, which always has a form in JSON.
    let mut fields = flat(&serde_json::to_value(spec).unwrap_or_default());
    let ids: Vec<_> = secrets.iter().map(|secret| secret.id.to_string()).collect();
    fields.insert("paused".to_owned(), json!(paused));
    fields.insert("secrets".to_owned(), json!(ids));
    fields
}

fn flat(value: &Value) -> Fields {
    let mut fields = Fields::new();
    if let Some(object) = value.as_object() {
        add(&mut fields, "", object);
    }
    fields
}

fn add(fields: &mut Fields, path: &str, object: &Map<String, Value>) {
    for (name, value) in object {
        let name = format!("{path}{name}");
        match value.as_object() {
            Some(inner) => add(fields, &format!("{name}."), inner),
            None => {
                fields.insert(name, value.clone());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use hooklog_schemas::control::{
        By, Holder, Policy, Role, Signing, SubscriptionChanged, SubscriptionCreated,
        SubscriptionPaused, SubscriptionSpec, TokenCreated, TokenRevoked,
    };
    use hooklog_schemas::{Event, EventId, Offset, SubscriptionId, Timestamp, TokenId};
    use uuid::Uuid;

    const ID: SubscriptionId = SubscriptionId(Uuid::from_u128(7));
    const TOKEN: TokenId = TokenId(Uuid::from_u128(8));

    fn by() -> By {
        By {
            actor: "ann".into(),
            from: "local".into(),
            at: Timestamp(1),
            why: None,
        }
    }

    fn spec(to: &str) -> SubscriptionSpec {
        SubscriptionSpec {
            name: "ci".into(),
            team: "default".into(),
            filter: Default::default(),
            to: to.into(),
            sign: Signing::None,
            policy: Policy::default(),
        }
    }

    fn event(number: u128) -> EventId {
        EventId(Uuid::from_u128(number))
    }

    fn folded(events: Vec<Event>) -> Configuration {
        let mut configuration = Configuration::default();
        for (number, body) in (0..).zip(events) {
            configuration.fold(Offset(number), event(u128::from(number)), &body);
        }
        configuration
    }

    fn created() -> Vec<Event> {
        let subscription = SubscriptionCreated {
            id: ID,
            spec: spec("https://a.example"),
            secret: None,
            by: by(),
        };
        let token = TokenCreated {
            id: TOKEN,
            name: "ann".into(),
            holder: Holder::Person,
            role: Role::Read,
            sha256: "secret".into(),
            by: by(),
        };
        vec![subscription.into(), token.into()]
    }

    #[test]
    fn what_was_created_changed_and_deleted_is_told_field_by_field() {
        let before = folded(created());
        let mut events = created();
        events.push(
            SubscriptionChanged {
                id: ID,
                expected: event(0),
                spec: spec("https://b.example"),
                by: by(),
            }
            .into(),
        );
        events.push(
            SubscriptionPaused {
                id: ID,
                expected: event(2),
                by: by(),
            }
            .into(),
        );
        events.push(
            TokenRevoked {
                id: TOKEN,
                by: by(),
            }
            .into(),
        );
        let after = folded(events);
        let told = differences(&before, &after);
        let summary: Vec<_> = told
            .iter()
            .map(|one| (one.kind, one.name.as_str(), one.change))
            .collect();
        let expected = [
            ("subscription", "ci", "changed"),
            ("token", "ann", "deleted"),
        ];
        assert_eq!(summary, expected);
        let fields: Vec<_> = told[0]
            .fields
            .iter()
            .map(|field| (field.field.as_str(), field.to.clone().unwrap()))
            .collect();
        let expected = [("paused", json!(true)), ("to", json!("https://b.example"))];
        assert_eq!(fields, expected);
        let created = differences(&Configuration::default(), &before);
        assert!(created.iter().all(|one| one.change == "created"));
        assert_eq!(differences(&before, &before), []);
        let text = format!("{told:?}{created:?}");
        assert!(!text.contains("secret\""), "hashes of tokens are not told");
    }
}
