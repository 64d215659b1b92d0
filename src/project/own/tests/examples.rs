//! The worked examples hold what hooklog's own tables hold, and the same on every store.

use super::*;
use crate::project::tests::{catch_up as catch_up_ours, place};
use hooklog_projections::deliveries::TABLE;
use hooklog_projections::table::{Row, Value};

on_stores!(
    Sqlite, Postgres;
    the_worked_examples_hold_what_hooklog_s_tables_hold,
    what_is_built_anew_equals_what_lived,
    names_that_are_to_be_erased_are_gone_from_rows_that_were_there,
);

const DAYS: &str =
    "SELECT CAST(sum(deliveries) AS TEXT) || '|' || CAST(sum(delivered) AS TEXT) FROM team_days";

const RECEIVED: &str =
    "SELECT CAST(count(*) AS TEXT) || '|' || CAST(count(delivered_at) AS TEXT) FROM received";

async fn the_worked_examples_hold_what_hooklog_s_tables_hold(on: On) {
    let (_, log) = history_of(110, 1_500).await;
    let room = Room::new(on).await;
    for name in ["team_days", "secret_alerts"] {
        room.write_example(name);
        let (mut keeper, handle) = room.keeper(&log, name);
        catch_up(&mut keeper).await;
        let status = handle.status();
        assert_eq!(
            (status.lag, status.left, status.error),
            (Some(0), None, None)
        );
        assert_eq!((status.state, status.answers), (OwnState::Follows, Some(1)));
    }
    let ours = place(on.ours()).await;
    catch_up_ours(&log, ours.as_ref(), 1_000).await;
    let mut store = ours.open().await;
    let rows = store.scan(&TABLE, None, 100_000).await.unwrap();
    assert_eq!(room.ask("team_days", DAYS).await, counted(rows.iter()));
    let event = TABLE.place("event").unwrap();
    let is_alert = |row: &&Row| {
        row[event]
            .as_text()
            .unwrap()
            .starts_with("secret_scanning_alert")
    };
    let expected = counted(rows.iter().filter(is_alert));
    assert_eq!(room.ask("secret_alerts", RECEIVED).await, expected);
}

/// How many there are, and how many were delivered.
fn counted<'a>(rows: impl Iterator<Item = &'a Row>) -> String {
    let rows: Vec<_> = rows.collect();
    let state = TABLE.place("state").unwrap();
    let delivered = rows
        .iter()
        .filter(|row| row[state] == Value::text("delivered"));
    format!("{}|{}", rows.len(), delivered.count())
}

/// All rows, in their order, in a form that every store gives.
const ROWS: &str = "SELECT string_agg(line, ';') FROM (SELECT CAST(delivery AS TEXT) || team || \
    CAST(day AS TEXT) || CAST(delivered AS TEXT) AS line FROM deliveries ORDER BY 1) AS lines";

async fn what_is_built_anew_equals_what_lived(on: On) {
    let (history, log) = history_of(111, 1_500).await;
    let room = Room::new(on).await;
    room.write_example("team_days");
    let half = history.appends.len() / 2;
    let shorter = log_of(&history.appends[..half]).await;
    let (mut keeper, _) = room.keeper(&shorter, "team_days");
    catch_up(&mut keeper).await;
    let (mut keeper, handle) = room.keeper(&log, "team_days");
    catch_up(&mut keeper).await;
    let lived = room.ask("team_days", ROWS).await;
    assert!(lived.len() > 1_000, "the history is too thin");

    handle.rebuild();
    keeper.step().await.unwrap();
    // It is killed after a batch, and gone on with by the next process.
    drop(keeper);
    let (mut keeper, handle) = room.keeper(&log, "team_days");
    keeper.step().await.unwrap();
    assert_eq!(handle.status().state, OwnState::Builds);
    assert_eq!(room.ask("team_days", ROWS).await, lived);
    catch_up(&mut keeper).await;
    assert_eq!(handle.status().state, OwnState::Follows);
    assert_eq!(room.ask("team_days", ROWS).await, lived);
}

async fn names_that_are_to_be_erased_are_gone_from_rows_that_were_there(on: On) {
    let mut history = History::begin(112, PARTITIONS);
    while !history
        .appends
        .iter()
        .any(|(_, append)| append.event_type.as_str() == "erasure.requested")
    {
        history.write(50);
    }
    let at = history
        .appends
        .iter()
        .position(|(_, append)| append.event_type.as_str() == "erasure.requested");
    let room = Room::new(on).await;
    let sql = "-- hooklog: tables\nCREATE TABLE shown (receipt TEXT PRIMARY KEY, repository TEXT);\n\
               -- hooklog: events\n";
    let fold = match on {
        On::Sqlite => {
            "INSERT INTO shown SELECT value -> 'data' ->> 'receipt', value ->> '$.data.summary.repository' \
             FROM json_each($1) WHERE true ON CONFLICT (receipt) DO NOTHING"
        }
        #[cfg(feature = "store-postgres")]
        On::Postgres => {
            "INSERT INTO shown SELECT e -> 'data' ->> 'receipt', e #>> '{data,summary,repository}' \
             FROM jsonb_array_elements($1::jsonb) AS e ON CONFLICT (receipt) DO NOTHING"
        }
    };
    room.write("shown", 1, "[\"webhook.routed\"]", &format!("{sql}{fold};"));
    let before = log_of(&history.appends[..at.unwrap()]).await;
    let (mut keeper, _) = room.keeper(&before, "shown");
    catch_up(&mut keeper).await;
    let named = "SELECT CAST(count(repository) AS TEXT) FROM shown";
    let all: u64 = room.ask("shown", named).await.parse().unwrap();

    let with = log_of(&history.appends[..=at.unwrap()]).await;
    let (mut keeper, _) = room.keeper(&with, "shown");
    catch_up(&mut keeper).await;
    let left: u64 = room.ask("shown", named).await.parse().unwrap();
    assert!(left < all, "{left} of {all} are named still");
}
