//! `hooklog webhook who-received`: to whom events went, where, with what result; who looked at them.

use super::reads;
use crate::cli::args::Paging;
use crate::cli::delivery::Filters;
use crate::cli::out::{Out, Tone};
use crate::cli::row::{NOTHING, Row, counted};
use crate::cli::session::{Answer, Session, Usage};
use crate::cli::table::{self, Column};
use crate::cli::time::exact;
use clap::Args;
use hooklog_schemas::Timestamp;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::io;

pub(super) const EXAMPLES: &str = "\
First a line for each recipient, then each event, then who looked at the bodies through hooklog's API.

Examples:
  hooklog webhook who-received 72d3162e-cc78-11e3-81ab-4c9367dc0958
  hooklog webhook who-received --event secret_scanning_alert --repository acme/api \\
      --repository acme/site --from 2026-05-01 --to 2026-06-01 --limit 5000

Exit code 1 when there is no such event.";

const EMPTY: &str = "no such event was received; `hooklog webhook list` shows what was";

/// `webhook who-received`.
#[derive(Args, Debug)]
pub(crate) struct WhoReceived {
    /// GitHub's id of the event (X-GitHub-Delivery); without it, say which by the flags
    #[arg(value_name = "GUID", conflicts_with = "guid")]
    event_guid: Option<String>,
    #[command(flatten)]
    filters: Filters,
    #[command(flatten)]
    paging: Paging,
}

pub(super) async fn run(args: WhoReceived, session: &mut Session<'_>) -> anyhow::Result<Answer> {
    let mut query = args.filters.query(session.now);
    query.extend(args.event_guid.map(|guid| ("guid", guid)));
    if query.is_empty() {
        let said = "say which events: a GUID, or --event, --repository, --from, …";
        return Err(Usage(said.to_owned()).into());
    }
    query.extend(args.paging.cursor.map(|cursor| ("cursor", cursor)));
    let page = session
        .api
        .list(&["recipients"], &query, args.paging.limit)
        .await?;
    let values = page.values();
    if session.json() {
        session.out.line(serde_json::to_string(&page)?)?;
    } else if values.is_empty() {
        session.out.line(EMPTY)?;
    } else {
        tell(&mut session.out, &values, session.now)?;
        if let Some(next) = &page.next {
            session.note(&format!(
                "these are the latest {}, and there are more: repeat with --limit N, or with \
                 --cursor {next}",
                counted(values.len() as u64, "event", "events")
            ));
        }
    }
    Ok(if values.is_empty() {
        Answer::No
    } else {
        Answer::Yes
    })
}

fn tell(out: &mut Out<'_>, values: &[Value], now: Timestamp) -> io::Result<()> {
    let events: Vec<_> = values.iter().map(Row).collect();
    out.line(out.paint(
        Tone::Strong,
        &format!(
            "{} received",
            counted(events.len() as u64, "event was", "events were")
        ),
    ))?;
    let summary = summary(&events);
    let summary: Vec<_> = summary.iter().map(Row).collect();
    table::heading(out, "Recipients")?;
    if summary.is_empty() {
        out.line("nobody: no subscription matched")?;
    } else {
        table::write(out, &SUMMARY, &summary, now)?;
    }
    table::heading(out, "Events")?;
    for event in &events {
        one(out, *event)?;
    }
    table::heading(out, "Who looked at the bodies")?;
    let looks: Vec<_> = events
        .iter()
        .flat_map(|event| event.rows("reads"))
        .collect();
    if looks.is_empty() {
        return out.line("nobody, through hooklog");
    }
    table::write(out, &reads::COLUMNS, &looks, now)
}

const SUMMARY: [Column; 9] = [
    ("SUBSCRIPTION", |row, _| row.text("subscription")),
    ("TEAM", |row, _| row.text("team")),
    ("TO", |row, _| row.text("destination")),
    ("OWED", |row, _| row.text("owed")),
    ("DELIVERED", |row, _| row.text("delivered")),
    ("DEAD", |row, _| row.text("dead")),
    ("OTHER", |row, _| row.text("other")),
    ("FIRST", |row, _| at(*row, "first")),
    ("LAST", |row, _| at(*row, "last")),
];

/// One object for each subscription and place: how many events went there, and between when.
fn summary(events: &[Row<'_>]) -> Vec<Value> {
    let mut all: BTreeMap<[String; 3], Vec<Row<'_>>> = BTreeMap::new();
    for row in events.iter().flat_map(|event| event.rows("recipients")) {
        let key = ["subscription", "team", "destination"].map(|field| row.text(field));
        all.entry(key).or_default().push(row);
    }
    let line = |([subscription, team, destination], rows): ([String; 3], Vec<Row<'_>>)| {
        let in_state = |state| rows.iter().filter(|row| row.text("state") == state).count();
        let (delivered, dead) = (in_state("delivered"), in_state("dead"));
        let ends = || {
            let done = rows.iter().filter(|row| row.text("state") == "delivered");
            done.filter_map(|row| row.at("changed_at"))
        };
        let (first, last) = (ends().min(), ends().max());
        json!({
            "subscription": subscription, "team": team, "destination": destination,
            "owed": rows.len(), "delivered": delivered, "dead": dead,
            "other": rows.len() - delivered - dead,
            "first": first.map(|at| at.0), "last": last.map(|at| at.0),
        })
    };
    all.into_iter().map(line).collect()
}

/// One event and its recipients.
fn one(out: &mut Out<'_>, event: Row<'_>) -> io::Result<()> {
    let title = format!("{}  {}", event.event(), event.text("repository"));
    let guid = out.paint(Tone::Faint, &event.text("guid"));
    let received = at(event, "received_at");
    out.line(format!("{received}  {title}  {guid}"))?;
    let recipients = event.rows("recipients");
    if recipients.is_empty() {
        let why = event.maybe("repeats").map_or(
            "nobody",
            |_| "nobody anew: an earlier receipt of the event serves them",
        );
        return out.line(format!("    {why}"));
    }
    for row in recipients {
        out.line(format!("    {}", result(out, row)))?;
    }
    Ok(())
}

fn result(out: &Out<'_>, row: Row<'_>) -> String {
    let state = row.text("state");
    let last = row.inner("last_attempt");
    let answer = last.maybe("status").or_else(|| last.maybe("error"));
    let answer = answer.map_or_else(String::new, |answer| format!(" {answer}"));
    let address = last.maybe("address");
    let address = address.map_or_else(String::new, |address| format!(" ({address})"));
    let replay = row.maybe("cause").filter(|cause| cause != "live");
    let replay = replay.map_or_else(String::new, |id| format!("  replay {id}"));
    format!(
        "{}  {} {}  {}{address}{answer}{replay}",
        at(row, "changed_at"),
        row.text("subscription"),
        out.paint(Tone::of(&state), &state),
        row.text("destination"),
    )
}

fn at(row: Row<'_>, field: &str) -> String {
    row.at(field).map_or_else(|| NOTHING.to_owned(), exact)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn recipients_are_counted_by_subscription_and_place() {
        let recipient = |to: &str, state: &str, at: i64| {
            json!({"subscription": "audit", "team": "security", "destination": to,
                   "state": state, "changed_at": at, "cause": "live",
                   "last_attempt": {"status": 204, "address": "192.0.2.1:443"}})
        };
        let look = json!({"at": 3, "actor": "ann", "from": "192.0.2.7", "event": "push"});
        let events = [
            json!({"guid": "g1", "event": "push", "repository": "a/b", "received_at": 1,
                   "recipients": [recipient("https://a/", "delivered", 5)], "reads": [look]}),
            json!({"guid": "g2", "event": "push", "repository": "a/b", "received_at": 2,
                   "recipients": [recipient("https://a/", "dead", 9),
                                  recipient("https://b/", "open", 9)], "reads": []}),
            json!({"guid": "g3", "event": "push", "repository": "a/b", "received_at": 2,
                   "recipients": [], "reads": []}),
        ];
        let rows: Vec<_> = events.iter().map(Row).collect();
        let summary = summary(&rows);
        assert_eq!(
            summary[0],
            json!({"subscription": "audit", "team": "security", "destination": "https://a/",
                   "owed": 2, "delivered": 1, "dead": 1, "other": 0, "first": 5, "last": 5})
        );
        assert_eq!(summary[1]["other"], 1);
        let mut sink = Vec::new();
        tell(&mut Out::new(&mut sink, false), &events, Timestamp(0)).unwrap();
        let told = String::from_utf8(sink).unwrap();
        assert!(told.starts_with("3 events were received\n"), "{told}");
        assert!(
            told.contains("audit delivered  https://a/ (192.0.2.1:443) 204"),
            "{told}"
        );
        assert!(told.contains("    nobody\n"), "{told}");
        assert!(told.contains("ann  192.0.2.7"), "{told}");
    }
}
