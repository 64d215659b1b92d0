//! Files that change, and tables beside those that answer.

use super::*;

on_stores!(
    Sqlite, Postgres;
    files_that_changed_need_a_new_version_and_get_new_tables,
    tables_of_another_log_are_built_again,
    every_event_is_in_the_tables_once_whenever_it_is_killed,
);

async fn files_that_changed_need_a_new_version_and_get_new_tables(on: On) {
    let (history, log) = history_of(120, 600).await;
    let room = Room::new(on).await;
    let (count, total) = (room.count(), "SELECT CAST(sum(n) AS TEXT) FROM seen");
    room.write_count(1, &format!("INSERT INTO seen SELECT {count}"));
    let (mut keeper, _) = room.keeper(&log, "mine");
    catch_up(&mut keeper).await;
    assert_eq!(room.ask("mine", total).await, routed(&history).to_string());

    let other = format!("INSERT INTO seen SELECT -{count}");
    room.write_count(1, &other);
    let (mut keeper, _) = room.keeper(&log, "mine");
    let refused = keeper.step().await.unwrap_err().to_string();
    assert!(refused.contains("raise `version`"), "{refused}");

    room.write_count(2, &other);
    let (mut keeper, handle) = room.keeper(&log, "mine");
    keeper.step().await.unwrap();
    let status = handle.status();
    assert_eq!(
        (status.version, status.answers, status.state),
        (Some(2), Some(1), OwnState::Builds)
    );
    assert_eq!(room.ask("mine", total).await, routed(&history).to_string());
    catch_up(&mut keeper).await;
    assert_eq!(
        room.ask("mine", total).await,
        format!("-{}", routed(&history))
    );
    assert_eq!(handle.status().kept, [1]);

    room.write_count(1, &other);
    let (mut older, _) = room.keeper(&log, "mine");
    let refused = older.step().await.unwrap_err().to_string();
    assert!(refused.contains("never goes back"), "{refused}");

    let mut store = room.store(&room.name("mine"));
    assert!(store.drop_kept(1).await.unwrap());
    assert!(!store.drop_kept(1).await.unwrap());
    assert_eq!(store.kept().await.unwrap(), Vec::<u32>::new());
}

async fn tables_of_another_log_are_built_again(on: On) {
    let room = Room::new(on).await;
    room.write_count(1, &format!("INSERT INTO seen SELECT {}", room.count()));
    for seed in [121, 122] {
        let (history, log) = history_of(seed, 300).await;
        let (mut keeper, _) = room.keeper(&log, "mine");
        catch_up(&mut keeper).await;
        let total = room
            .ask("mine", "SELECT CAST(sum(n) AS TEXT) FROM seen")
            .await;
        assert_eq!(total, routed(&history).to_string());
    }
}

/// A keeper is dropped wherever it is, also in the middle of a commit.
async fn every_event_is_in_the_tables_once_whenever_it_is_killed(on: On) {
    let (history, log) = history_of(123, 1_500).await;
    let mut room = Room::new(on).await;
    room.config.own.batch_events_max = 20;
    room.write_count(1, &format!("INSERT INTO seen SELECT {}", room.count()));
    for micros in (0..60).map(|n| n * 397 % 9_000) {
        let (keeper, handle) = room.keeper(&log, "mine");
        if micros % 7 == 0 {
            handle.rebuild();
        }
        let running = tokio::spawn(keeper.run(CancellationToken::new()));
        tokio::time::sleep(std::time::Duration::from_micros(500 + micros)).await;
        running.abort();
    }
    let (mut keeper, _) = room.keeper(&log, "mine");
    while !matches!(keeper.step().await, Ok(keeper::Step::Idle)) {}
    let total = room
        .ask("mine", "SELECT CAST(sum(n) AS TEXT) FROM seen")
        .await;
    assert_eq!(total, routed(&history).to_string());
}
