//! `hooklog status`: the server at a glance.

use super::out::Out;
use super::row::Row;
use super::session::{Answer, Session};
use super::table::{self, Column};
use hooklog_schemas::Timestamp;
use std::io;

const PROJECTIONS: [Column; 3] = [
    ("PROJECTION", |row, _| row.text("name")),
    ("VERSION", |row, _| row.text("version")),
    ("LAG", |row, _| row.text("lag")),
];
const PARTITIONS: [Column; 4] = [
    ("TOPIC", |row, _| row.text("topic")),
    ("PARTITION", |row, _| row.text("partition")),
    ("START", |row, _| row.text("start")),
    ("TAIL", |row, _| row.text("tail")),
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
        ("worker", Some(worker(row.inner("worker")))),
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
    table::heading(out, "Partitions")?;
    table::write(out, &PARTITIONS, &row.rows("partitions"), now)
}

fn worker(row: Row<'_>) -> String {
    match (row.holds("ready"), row.maybe("reasons")) {
        (true, _) => "ready".to_owned(),
        (false, Some(reasons)) => format!("not ready: {reasons}"),
        (false, None) => "not ready".to_owned(),
    }
}
