//! The keys of the configuration, as its types have them: no second list that could differ.

use super::{Config, IntakeConfig};
use std::collections::BTreeMap;
use std::path::PathBuf;
use toml::{Table, Value};

/// Every key with an example of its value, which shows its type.
pub(super) fn all() -> BTreeMap<String, Value> {
    let file = || Some(PathBuf::from("file"));
    let mut example = Config {
        key_file: file(),
        ..Config::default()
    };
    example.spool.folder = file();
    let kafka = &mut example.log.kafka;
    kafka.username = Some("user".to_owned());
    for path in [
        &mut kafka.password_file,
        &mut kafka.token_file,
        &mut kafka.ca_file,
        &mut kafka.cert_file,
        &mut kafka.key_file,
    ] {
        *path = file();
    }
    let postgres = &mut example.project.postgres;
    for url in [&mut postgres.url, &mut postgres.read_url] {
        *url = Some("url".to_owned());
    }
    for path in [
        &mut postgres.password_file,
        &mut postgres.ca_file,
        &mut postgres.cert_file,
        &mut postgres.key_file,
    ] {
        *path = file();
    }
    let mongodb = &mut example.project.mongodb;
    for text in [&mut mongodb.uri, &mut mongodb.username] {
        *text = Some("text".to_owned());
    }
    for path in [&mut mongodb.password_file, &mut mongodb.ca_file] {
        *path = file();
    }
    let own = &mut example.project.own;
    own.postgres_url = Some("url".to_owned());
    for path in [&mut own.folder, &mut own.postgres_password_file] {
        *path = file();
    }
    intake(&mut example.intake);
    flatten(&as_table(&example))
}

/// Fills in what `[intake]` leaves out.
fn intake(intake: &mut IntakeConfig) {
    let (store, hubs) = (&mut intake.claim_check, &mut intake.eventhubs);
    let (amqp, redis, sqs) = (&mut intake.amqp, &mut intake.redis, &mut intake.sqs);
    for path in [
        &mut store.access_key_file,
        &mut amqp.password_file,
        &mut amqp.ca_file,
        &mut amqp.cert_file,
        &mut amqp.key_file,
        &mut hubs.connection_string_file,
        &mut redis.password_file,
        &mut redis.ca_file,
        &mut redis.cert_file,
        &mut redis.key_file,
        &mut sqs.access_key_file,
    ] {
        *path = Some(PathBuf::from("file"));
    }
    for text in [
        &mut store.url,
        &mut store.endpoint,
        &mut store.region,
        &mut store.account,
        &mut store.access_key_id,
        &mut amqp.username,
        &mut hubs.address,
        &mut redis.username,
        &mut sqs.region,
        &mut sqs.endpoint,
        &mut sqs.access_key_id,
    ] {
        *text = Some("text".to_owned());
    }
}

/// The defaults as a table.
pub(super) fn defaults() -> Table {
    as_table(&Config::default())
}

/// The values of `config` by key; what is not set is not there.
pub(super) fn values(config: &Config) -> BTreeMap<String, Value> {
    flatten(&as_table(config))
}

/// Whether `key` names a section rather than a value.
pub(super) fn is_section(key: &str) -> bool {
    sections().iter().any(|section| section == key)
}

/// Every section, also those within others: `log.kafka`.
fn sections() -> Vec<String> {
    fn of(table: &Table, before: &str, found: &mut Vec<String>) {
        for (name, value) in table {
            if let Value::Table(section) = value {
                let name = format!("{before}{name}");
                of(section, &format!("{name}."), found);
                found.push(name);
            }
        }
    }
    let mut found = Vec::new();
    of(&defaults(), "", &mut found);
    found
}

/// Puts `value` at `key`, which exists.
pub(super) fn set(table: &mut Table, key: &str, value: Value) {
    match key.split_once('.') {
        Some((section, rest)) => {
            if let Some(Value::Table(section)) = table.get_mut(section) {
                set(section, rest, value);
            }
        }
        None => {
            table.insert(key.to_owned(), value);
        }
    }
}

/// Reads `text` as a value of the same type as `example`. What does not read stays text, so that
/// the check of its type says what was expected.
pub(super) fn parse_like(example: &Value, text: &str) -> Value {
    let parsed = match example {
        Value::Integer(_) => text.trim().parse().ok().map(Value::Integer),
        Value::Boolean(_) => text.trim().parse().ok().map(Value::Boolean),
        Value::Array(_) => Some(Value::Array(list(text))),
        _ => None,
    };
    parsed.unwrap_or_else(|| Value::String(text.to_owned()))
}

/// `a, b`, or a TOML array.
fn list(text: &str) -> Vec<Value> {
    if let Ok(Value::Array(values)) = text.parse() {
        return values;
    }
    let items = text.split(',').map(str::trim).filter(|s| !s.is_empty());
    items
        .map(|item| match item.parse() {
            Ok(number) => Value::Integer(number),
            Err(_) => Value::String(item.to_owned()),
        })
        .collect()
}

/// The key or section that takes the fewest edits to get to from `key`. The same name in a section,
/// or without one, is nearer than any other. None where half of the name would have to change.
pub(super) fn nearest(key: &str) -> Option<String> {
    let name = |key: &str| key.rsplit('.').next().unwrap_or_default().to_owned();
    let by_distance = |known: &String| {
        let names = distance(&name(known), &name(key));
        (names, distance(known, key))
    };
    let known = all().into_keys().chain(sections());
    let nearest = known.min_by_key(by_distance)?;
    let (known, given) = (name(&nearest), name(key));
    let alike = distance(&known, &given) * 2 < given.len();
    // `password` is `password_file` half written.
    let begun = given.len() > 3 && known.starts_with(&given);
    (alike || begun).then_some(nearest)
}

/// Levenshtein's distance.
pub(crate) fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, from) in a.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, to) in b.iter().enumerate() {
            let replaced = diagonal + usize::from(from != *to);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row.last().copied().unwrap_or_default()
}

fn as_table(config: &Config) -> Table {
    // Plain data always serialises; an empty table would fail every later step with a message.
    Table::try_from(config).unwrap_or_default()
}

fn flatten(table: &Table) -> BTreeMap<String, Value> {
    let mut flat = BTreeMap::new();
    for (name, value) in table {
        match value {
            Value::Table(section) => flat.extend(
                flatten(section)
                    .into_iter()
                    .map(|(key, value)| (format!("{name}.{key}"), value)),
            ),
            _ => {
                flat.insert(name.clone(), value.clone());
            }
        }
    }
    flat
}
