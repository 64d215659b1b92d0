//! Of several processes, the one that writes hooklog's tables writes these too.

use super::*;
use crate::metrics::OwnLabel;
use crate::project::Standing;
use hooklog_projections::checkpoint::Checkpoint;
use hooklog_schemas::EventId;
use std::time::Duration;
use tokio::sync::watch;
use uuid::Uuid;

on_stores!(
    Sqlite, Postgres;
    whoever_does_not_write_hooklog_s_tables_writes_none_of_these,
    of_two_that_write_at_once_each_event_is_in_the_tables_once,
);

async fn whoever_does_not_write_hooklog_s_tables_writes_none_of_these(on: On) {
    let (history, log) = history_of(140, 200).await;
    let room = Room::new(on).await;
    room.write_count(1, &format!("INSERT INTO seen SELECT {}", room.count()));
    let other = "another process".to_owned();
    let standing = watch::Sender::new(Standing::StandsBy { writer: other });
    let reached = watch::Sender::new(Checkpoint::start(EventId(Uuid::nil())));
    let projector = Status {
        log: Arc::clone(&log),
        reached: reached.subscribe(),
        standing: standing.subscribe(),
    };
    let (keeper, handle) = room.keeper_beside(&log, "mine", Some(projector));
    let stop = CancellationToken::new();
    let running = tokio::spawn(keeper.run(stop.clone()));
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert_eq!(handle.status().state, OwnState::Waits);
    let mut store = room.store(&room.name("mine"));
    for set in [Set::Live, Set::Next] {
        assert_eq!(store.stored(set).await.unwrap(), None);
    }
    standing.send_replace(Standing::Writes);
    while handle.status().lag != Some(0) || handle.status().state != OwnState::Follows {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let total = room
        .ask("mine", "SELECT CAST(sum(n) AS TEXT) FROM seen")
        .await;
    assert_eq!(total, routed(&history).to_string());

    // Who writes no more tells nothing more: nobody here would ever say that it is well again.
    let label = OwnLabel {
        projection: room.name("mine"),
    };
    let told = || {
        let (lag, failing) = (
            &room.metrics.own_projection_lag,
            &room.metrics.own_projection_failing,
        );
        (lag.get(&label).is_some(), failing.get(&label).is_some())
    };
    assert_eq!(told(), (true, true));
    let other = "another process".to_owned();
    standing.send_replace(Standing::StandsBy { writer: other });
    while handle.status().state != OwnState::Waits {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert_eq!(told(), (false, false));
    stop.cancel();
    running.await.unwrap();
}

/// One was paused, and goes on although another has taken over.
async fn of_two_that_write_at_once_each_event_is_in_the_tables_once(on: On) {
    let (history, log) = history_of(141, 600).await;
    let mut room = Room::new(on).await;
    room.config.own.batch_events_max = 10;
    room.write_count(1, &format!("INSERT INTO seen SELECT {}", room.count()));
    let (mut first, _) = room.keeper(&log, "mine");
    // The tables answer before they are written by two.
    catch_up(&mut first).await;
    let mut longer = history;
    longer.write(600);
    let log = log_of(&longer.appends).await;
    let (mut first, _) = room.keeper(&log, "mine");
    let (mut second, _) = room.keeper(&log, "mine");
    let mut idle = 0;
    while idle < 2 {
        let ends = [first.step().await, second.step().await];
        let done = |end: &Result<_, _>| matches!(end, Ok(keeper::Step::Idle));
        idle = ends.iter().filter(|end| done(end)).count();
    }
    let total = room
        .ask("mine", "SELECT CAST(sum(n) AS TEXT) FROM seen")
        .await;
    assert_eq!(total, routed(&longer).to_string());
}
