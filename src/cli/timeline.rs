//! `hooklog timeline`: the whole life of one event, as a story.

use super::delivery;
use super::evidence;
use super::out::{Out, Tone};
use super::point::AsOf;
use super::row::{NOTHING, Row, counted, cut};
use super::session::{Answer, Session};
use super::time;
use clap::Args;
use hooklog_schemas::Timestamp;
use std::io;

/// `hooklog timeline`: which event.
#[derive(Args, Debug)]
pub(crate) struct TimelineArgs {
    /// GitHub's id of the event (X-GitHub-Delivery)
    guid: String,
    #[command(flatten)]
    as_of: AsOf,
}

pub(super) const EXAMPLES: &str = "\
Examples:
  hooklog timeline 72d3162e-cc78-11e3-81ab-4c9367dc0958
  hooklog timeline 72d3162e-cc78-11e3-81ab-4c9367dc0958 --output json | jq '.deliveries[].state'

Exit code 1 when nothing was received with this GUID.";

pub(super) async fn run(args: TimelineArgs, session: &mut Session<'_>) -> anyhow::Result<Answer> {
    let query = args.as_of.query(session.now);
    let reply = session.api.get(&["timeline", &args.guid], &query).await?;
    let found = !reply.row().rows("receipts").is_empty();
    session.show(&reply, story)?;
    if found {
        Ok(Answer::Yes)
    } else {
        Ok(Answer::No)
    }
}

/// Tells it: receipts with their decisions, then each delivery with its attempts and what is next.
fn story(out: &mut Out<'_>, row: Row<'_>, now: Timestamp) -> io::Result<()> {
    let receipts = row.rows("receipts");
    let Some(first) = receipts.first() else {
        out.line(format!(
            "nothing was received with the GUID {}",
            row.text("guid")
        ))?;
        return out.line("`hooklog webhook list --since 1h` shows what was; if it has just come, repeat in a moment");
    };
    let title = format!("{}  {}", first.event(), first.text("repository"));
    let place = first
        .maybe("git_ref")
        .map_or_else(String::new, |name| format!("  {name}"));
    out.line(format!("{}{place}", out.paint(Tone::Strong, &title)))?;
    out.line(out.paint(Tone::Faint, &row.text("guid")))?;
    out.line("")?;
    let deliveries = row.rows("deliveries");
    for receipt in &receipts {
        let id = receipt.text("receipt");
        let owed = deliveries.iter().filter(|one| one.text("receipt") == id);
        let owed = owed.filter(|one| one.replay().is_none());
        arrival(out, *receipt, owed.count() as u64)?;
    }
    for delivery in &deliveries {
        out.line("")?;
        life(out, *delivery, now)?;
    }
    evidence::list(
        out,
        "Configuration in force, and who made it so",
        &row.rows("configurations"),
        now,
    )?;
    if deliveries.is_empty() && first.at("routed_at").is_some() {
        out.line("")?;
        out.line(format!(
            "nothing is owed; `hooklog explain {} --subscription NAME` says why",
            row.text("guid")
        ))?;
    }
    Ok(())
}

/// A receipt and the decision about it, from which `owed` deliveries came.
fn arrival(out: &mut Out<'_>, receipt: Row<'_>, owed: u64) -> io::Result<()> {
    let repeats = receipt
        .maybe("repeats")
        .map_or_else(String::new, |kind| format!(", a {}", words(&kind)));
    let from = format!("received from {}{repeats}", receipt.text("source"));
    let id = out.paint(Tone::Faint, &format!("receipt {}", receipt.text("receipt")));
    let unparsed = if receipt.holds("unparsed") {
        out.paint(
            Tone::Watch,
            "  unparsed: not the JSON object that GitHub sends",
        )
    } else {
        String::new()
    };
    let erased = if receipt.holds("erased") {
        out.paint(Tone::Watch, "  erased since")
    } else {
        String::new()
    };
    let at = clock(receipt, "received_at");
    out.line(format!("{at}  {from}  {id}{unparsed}{erased}"))?;
    if receipt.at("routed_at").is_none() {
        return out.line(out.paint(Tone::Watch, "                          not routed yet"));
    }
    let decision = match receipt.maybe("error") {
        Some(error) => out.paint(Tone::Bad, &format!("routing failed: {error}")),
        None => routed(receipt, owed),
    };
    let configuration = receipt.maybe("configuration_offset");
    let version =
        configuration.map_or_else(String::new, |at| format!("configuration control/0@{at}"));
    out.line(format!(
        "{}  {decision}  {}",
        clock(receipt, "routed_at"),
        out.paint(Tone::Faint, &version)
    ))
}

/// How many subscriptions match; those that an earlier receipt serves already get nothing new.
fn routed(receipt: Row<'_>, owed: u64) -> String {
    let matches = receipt.size("matches");
    let matched = counted(matches, "subscription matches", "subscriptions match");
    match matches.saturating_sub(owed) {
        served if served > 0 && receipt.maybe("repeats").is_some() => {
            format!("routed: {matched}; {served} served by an earlier receipt")
        }
        _ => format!("routed: {matched}"),
    }
}

fn life(out: &mut Out<'_>, delivery: Row<'_>, now: Timestamp) -> io::Result<()> {
    let state = delivery.text("state");
    let state = out.paint(Tone::of(&state), &state);
    let reason = delivery
        .maybe("reason")
        .map_or_else(String::new, |why| format!(" ({})", words(&why)));
    let name = out.paint(Tone::Strong, &delivery.text("subscription"));
    out.line(format!(
        "→ {name}  {state}{reason}  {}",
        delivery.text("destination")
    ))?;
    let replay = delivery.replay();
    let replay = replay.map_or_else(String::new, |id| format!(", of the replay {id}"));
    let id = format!("  delivery {}{replay}", delivery.text("id"));
    out.line(out.paint(Tone::Faint, &id))?;
    for (at, line) in events(out, delivery) {
        let at = at.map_or_else(|| NOTHING.to_owned(), time::exact);
        out.line(format!("  {at}  {line}"))?;
    }
    let due = delivery.at("next").or_else(|| delivery.at("due_at"));
    if let (Some(due), "open") = (due, delivery.text("state").as_str()) {
        let when = delivery::due(delivery, now);
        let next = match delivery.maybe("held") {
            Some(held) => format!("  next attempt held back: {held}"),
            None if due > now => format!("  next attempt due {when} ({})", time::exact(due)),
            None => format!("  next attempt due: {when} ({})", time::exact(due)),
        };
        out.line(out.paint(Tone::Watch, &next))?;
    }
    Ok(())
}

/// Attempts, those changes of state that no attempt tells, and what was done to the subscription
/// meanwhile, in the order of time.
fn events(out: &Out<'_>, delivery: Row<'_>) -> Vec<(Option<Timestamp>, String)> {
    let attempts = delivery.rows("attempts");
    let mut events: Vec<_> = attempts
        .iter()
        .map(|row| (row.at("started_at"), outcome(out, *row)))
        .collect();
    let told: Vec<_> = attempts
        .iter()
        .filter_map(|row| row.maybe("position"))
        .collect();
    for change in delivery.rows("transitions") {
        let by_attempt = change
            .maybe("position")
            .is_some_and(|at| told.contains(&at));
        let Some(reason) = change.maybe("reason").filter(|_| !by_attempt) else {
            continue;
        };
        let state = change.text("state");
        let state = out.paint(Tone::of(&state), &state);
        events.push((change.at("at"), format!("{state}: {}", words(&reason))));
    }
    for change in delivery.rows("changes") {
        let line = out.paint(Tone::Watch, &evidence::line(change));
        events.push((change.at("at"), line));
    }
    events.sort_by_key(|(at, _)| *at);
    events
}

/// One attempt with its time, in one line.
pub(super) fn attempt(out: &Out<'_>, row: Row<'_>) -> String {
    format!("{}  {}", clock(row, "started_at"), outcome(out, row))
}

/// One attempt without its time.
pub(super) fn outcome(out: &Out<'_>, row: Row<'_>) -> String {
    let what = match (row.maybe("status"), row.maybe("error"), row.maybe("detail")) {
        (Some(status), ..) => status,
        (None, Some(class), Some(detail)) => format!("{class}: {}", cut(&detail, 120)),
        (None, Some(class), None) => class,
        (None, None, detail) => detail.unwrap_or_else(|| NOTHING.to_owned()),
    };
    let took = row
        .lasted("duration_us")
        .map_or_else(String::new, |span| format!(" in {span}"));
    let verdict = verdict(row);
    let painted = out.paint(Tone::of(&verdict), &words(&verdict));
    let quote = row.maybe("excerpt").map_or_else(String::new, |text| {
        format!(
            "  {}",
            out.paint(Tone::Faint, &format!("“{}”", cut(text.trim(), 80)))
        )
    });
    let used = row
        .maybe("configuration_offset")
        .map_or_else(String::new, |at| {
            format!("  {}", out.paint(Tone::Faint, &format!("control/0@{at}")))
        });
    format!(
        "attempt {}  {what}{took} → {painted}{quote}{used}",
        row.text("number")
    )
}

/// What came next: a word of the tables, or the log's own object with that word as its key.
pub(super) fn verdict(row: Row<'_>) -> String {
    let object = row.0.get("verdict").and_then(serde_json::Value::as_object);
    let word = object.and_then(|object| object.keys().next());
    word.cloned().unwrap_or_else(|| row.text("verdict"))
}

/// A field as an exact time, or as many spaces.
pub(super) fn clock(row: Row<'_>, field: &str) -> String {
    row.at(field)
        .map_or_else(|| format!("{NOTHING:24}"), time::exact)
}

fn words(name: &str) -> String {
    name.replace(['_', ':'], " ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn told(value: &serde_json::Value) -> String {
        let mut sink = Vec::new();
        let now = "2026-11-01T12:01:00Z".parse().unwrap();
        story(&mut Out::new(&mut sink, false), Row(value), now).unwrap();
        String::from_utf8(sink).unwrap()
    }

    fn at(text: &str) -> i64 {
        text.parse::<Timestamp>().unwrap().0
    }

    #[test]
    fn a_story_has_receipts_decisions_attempts_and_what_is_next() {
        let timeline = json!({
            "guid": "g-1",
            "receipts": [{
                "receipt": "r-1", "guid": "g-1", "event": "push", "repository": "acme/api",
                "git_ref": "refs/heads/main", "source": "github", "matches": 1,
                "received_at": at("2026-11-01T12:00:00.123Z"), "routed_at": at("2026-11-01T12:00:00.125Z"),
                "configuration_offset": 17,
            }],
            "configurations": [{
                "offset": 17, "event_type": "subscription.created", "about": "ci", "actor": "ann",
                "from": "192.0.2.1", "at": at("2026-11-01T11:00:00Z"), "why": "new",
            }],
            "deliveries": [{
                "id": "d-1", "subscription": "ci", "state": "open", "destination": "https://ci/",
                "changes": [{
                    "offset": 19, "event_type": "subscription.paused", "about": "ci", "actor": "bo",
                    "at": at("2026-11-01T12:00:40Z"), "why": "noisy",
                }],
                    "next": at("2026-11-01T12:04:00Z"), "due_at": at("2026-11-01T12:04:00Z"),
                "attempts": [{
                    "number": 1, "started_at": at("2026-11-01T12:00:00.130Z"), "duration_us": 12_000,
                    "status": 503, "verdict": "retry", "position": "deliveries/3@18",
                    "configuration_offset": 17,
                }],
                "transitions": [
                    {"at": at("2026-11-01T12:00:00.142Z"), "state": "open", "reason": "status 503", "position": "deliveries/3@18"},
                    {"at": at("2026-11-01T12:00:50Z"), "state": "open", "reason": "redelivery", "position": "deliveries/3@20"},
                ],
            }],
        });
        let expected = "\
push  acme/api  refs/heads/main
g-1

2026-11-01 12:00:00.123Z  received from github  receipt r-1
2026-11-01 12:00:00.125Z  routed: 1 subscription matches  configuration control/0@17

→ ci  open  https://ci/
  delivery d-1
  2026-11-01 12:00:00.130Z  attempt 1  503 in 12 ms → retry  control/0@17
  2026-11-01 12:00:40.000Z  control/0@19 subscription.paused ci by bo: noisy
  2026-11-01 12:00:50.000Z  open: redelivery
  next attempt due in 3m (2026-11-01 12:04:00.000Z)

Configuration in force, and who made it so
POSITION      AT                        CHANGE                OF  BY   FROM       WHY
control/0@17  2026-11-01 11:00:00.000Z  subscription.created  ci  ann  192.0.2.1  new
";
        assert_eq!(told(&timeline), expected);
    }

    #[test]
    fn a_redelivery_that_nobody_gets_again_and_an_erasure_are_told() {
        let receipt = |id: &str| json!({"receipt": id, "event": "push", "received_at": 1, "routed_at": 2, "matches": 1});
        let (mut first, mut again) = (receipt("r-1"), receipt("r-2"));
        first["erased"] = json!(true);
        again["repeats"] = json!("redelivery");
        let delivery = json!({"id": "d-1", "receipt": "r-1", "state": "delivered"});
        let said =
            told(&json!({"guid": "g", "receipts": [first, again], "deliveries": [delivery]}));
        assert!(said.contains("receipt r-1  erased since"), "{said}");
        let served = "routed: 1 subscription matches; 1 served by an earlier receipt";
        assert_eq!(said.matches(served).count(), 1, "{said}");
    }

    #[test]
    fn an_unknown_event_and_an_unwanted_one_say_where_to_look() {
        let nothing = told(&json!({"guid": "g", "receipts": [], "deliveries": []}));
        assert!(nothing.contains("hooklog webhook list"), "{nothing}");
        let receipt = json!({"event": "push", "received_at": 1, "routed_at": 2, "matches": 0});
        let unwanted = told(&json!({"guid": "g", "receipts": [receipt], "deliveries": []}));
        assert!(unwanted.contains("hooklog explain g"), "{unwanted}");
    }
}
