//! `hooklog status`: the server at a glance.

use super::out::Out;
use super::row::Row;
use super::session::{Answer, Session};
use super::table::{self, Column};
use hooklog_schemas::Timestamp;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::io;

const PROJECTIONS: [Column; 3] = [
    ("PROJECTION", |row, _| row.text("name")),
    ("VERSION", |row, _| version(*row)),
    ("LAG", |row, _| row.text("lag")),
];
const TOPICS: [Column; 3] = [
    ("TOPIC", |row, _| row.text("topic")),
    ("PARTITIONS", |row, _| row.text("partitions")),
    ("RECORDS", |row, _| row.text("records")),
];

pub(super) async fn run(session: &mut Session<'_>) -> anyhow::Result<Answer> {
    let reply = session.api.get(&["status"], &Vec::new()).await?;
    session.show(&reply, tell)
}

fn tell(out: &mut Out<'_>, row: Row<'_>, now: Timestamp) -> io::Result<()> {
    let paused = row.holds("deliveries_paused");
    let facts = [
        ("build", row.maybe("build")),
        ("log", row.maybe("log_id")),
        ("roles", Some(roles(row))),
        ("not ready", unready(row)),
        (
            "deliveries",
            paused.then(|| "paused: hooklog delivery resume --all".to_owned()),
        ),
        (
            "configuration",
            row.maybe("configuration_offset")
                .map(|at| format!("control/0@{at}")),
        ),
    ];
    table::facts(out, &facts)?;
    table::heading(out, "Projections (lag in records)")?;
    table::write(out, &PROJECTIONS, &row.rows("projections"), now)?;
    table::heading(out, "The log")?;
    let topics = topics(&row.rows("partitions"));
    let topics: Vec<_> = topics.iter().map(Row).collect();
    table::write(out, &TOPICS, &topics, now)
}

/// `1`, or `1 (2 by hooklog rebuild NAME)`: tables of an earlier release are still written and read.
fn version(row: Row<'_>) -> String {
    let (version, latest) = (row.text("version"), row.text("latest"));
    match version == latest {
        true => version,
        false => format!(
            "{version} ({latest} by hooklog rebuild {})",
            row.text("name")
        ),
    }
}

/// One row a topic: there are too many partitions to look at; scripts get each of them.
fn topics(partitions: &[Row<'_>]) -> Vec<Value> {
    let mut sums: BTreeMap<String, (u64, u64)> = BTreeMap::new();
    for partition in partitions {
        let end = |field| partition.number(field).unwrap_or_default();
        let sum = sums.entry(partition.text("topic")).or_default();
        sum.0 += 1;
        sum.1 += end("tail").saturating_sub(end("start"));
    }
    let row = |(topic, (partitions, records))| json!({"topic": topic, "partitions": partitions, "records": records});
    sums.into_iter().map(row).collect()
}

/// What the server that answers does.
fn roles(row: Row<'_>) -> String {
    let parts = row.rows("parts");
    let names: Vec<_> = parts.iter().map(|part| part.text("name")).collect();
    names.join(", ")
}

/// What is not ready, and why.
fn unready(row: Row<'_>) -> Option<String> {
    let parts = row.rows("parts");
    let told = parts
        .iter()
        .filter_map(|part| Some(format!("{}: {}", part.text("name"), part.maybe("reason")?)));
    let told: Vec<_> = told.collect();
    (!told.is_empty()).then(|| told.join("; "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_of_an_earlier_version_say_what_builds_the_latest() {
        let told = |version: Option<u32>| {
            let row = json!({"name": "counts", "version": version, "latest": 2});
            super::version(Row(&row))
        };
        assert_eq!(told(Some(2)), "2");
        assert_eq!(told(Some(1)), "1 (2 by hooklog rebuild counts)");
        assert_eq!(told(None), "– (2 by hooklog rebuild counts)");
    }

    #[test]
    fn partitions_are_summed_by_topic_for_people() {
        let status = json!({"build": "1", "parts": [
            {"name": "receive", "ready": false, "reason": "the disk is nearly full"},
            {"name": "work", "ready": true, "reason": null},
        ], "partitions": [
            {"topic": "webhooks", "partition": 0, "start": 2, "tail": 12},
            {"topic": "webhooks", "partition": 1, "start": 0, "tail": 5},
            {"topic": "control", "partition": 0, "start": 0, "tail": 3},
        ]});
        let mut sink = Vec::new();
        tell(&mut Out::new(&mut sink, false), Row(&status), Timestamp(0)).unwrap();
        let text = String::from_utf8(sink).unwrap();
        let expected = "\
TOPIC     PARTITIONS  RECORDS
control            1        3
webhooks           2       15
";
        assert!(text.ends_with(expected), "{text}");
        assert!(
            text.contains("receive: the disk is nearly full\n"),
            "{text}"
        );
        assert!(text.contains("receive, work\n"), "{text}");
    }
}
