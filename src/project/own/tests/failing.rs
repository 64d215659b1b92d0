//! One that fails, or runs for ever, stops itself alone, and says why.

use super::*;
use std::time::{Duration, Instant};

on_stores!(
    Sqlite, Postgres;
    one_that_fails_says_why_and_holds_nobody_back,
    a_statement_that_never_ends_is_ended,
    what_is_not_its_own_is_out_of_reach,
    the_event_at_which_it_fails_is_found_and_those_before_are_kept,
    a_constraint_that_waits_for_the_end_is_told_with_an_event_too,
    a_folder_with_a_name_for_no_table_is_told_of_and_never_begun,
);

fn desk(room: &Room, log: &Arc<dyn EventLog>) -> (OwnClerk, OwnDesk) {
    let (on, tables, config) = (room.on, room.tables(), room.config.clone());
    let open: OpenOwn = Arc::new(move |name| match on {
        On::Sqlite => {
            use crate::project::stores::sqlite::SqliteOwn;
            Ok(Box::new(SqliteOwn::new(&tables, name, &config.own)))
        }
        #[cfg(feature = "store-postgres")]
        On::Postgres => {
            use crate::project::stores::postgres::PostgresOwn;
            Ok(Box::new(PostgresOwn::new(&config, name).unwrap()))
        }
    });
    OwnClerk::new(OwnClerkParts {
        folder: room.folder.path().to_owned(),
        flavour: room.flavour(),
        open,
        log: Arc::clone(log),
        config: room.config.clone(),
        metrics: Metrics::register(&mut Default::default()),
        projector: None,
    })
}

async fn until(desk: &OwnDesk, name: &str, wanted: impl Fn(&OwnStatus) -> bool) -> OwnStatus {
    let start = Instant::now();
    loop {
        let found = desk
            .statuses()
            .into_iter()
            .find(|status| status.name == name);
        if let Some(status) = found.clone().filter(&wanted) {
            return status;
        }
        assert!(start.elapsed() < Duration::from_secs(20), "{found:?}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

async fn one_that_fails_says_why_and_holds_nobody_back(on: On) {
    let (history, log) = history_of(130, 400).await;
    let room = Room::new(on).await;
    let count = room.count();
    room.write_count(1, &format!("INSERT INTO nowhere SELECT {count}"));
    room.write_example("team_days");
    let (clerk, desk) = desk(&room, &log);
    let stop = CancellationToken::new();
    let running = tokio::spawn(clerk.run(stop.clone()));
    let mine = room.name("mine");
    let failed = until(&desk, &mine, |status| status.error.is_some()).await;
    let told = failed.error.unwrap();
    for part in ["line 4: of the event deliveries/", "nowhere"] {
        assert!(told.contains(part), "{told}");
    }
    let fine = room.name("team_days");
    until(&desk, &fine, |status| {
        status.lag == Some(0) && status.left.is_none()
    })
    .await;

    // Files that are mended are noticed. Nothing was folded by the others, but they were begun with.
    room.write_count(2, &format!("INSERT INTO seen SELECT {count}"));
    until(&desk, &mine, |status| {
        status.lag == Some(0) && status.error.is_none()
    })
    .await;
    let total = room
        .ask("mine", "SELECT CAST(sum(n) AS TEXT) FROM seen")
        .await;
    assert_eq!(total, routed(&history).to_string());
    assert!(
        desk.drop_kept(&mine, 7)
            .await
            .unwrap_err()
            .to_string()
            .contains("version 7")
    );
    assert!(
        desk.rebuild("nobody")
            .unwrap_err()
            .to_string()
            .contains("nobody")
    );

    // A folder that goes takes its keeper with it.
    std::fs::remove_dir_all(room.folder.path().join(&mine)).unwrap();
    let start = Instant::now();
    while desk.has(&mine) {
        assert!(start.elapsed() < Duration::from_secs(20));
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    stop.cancel();
    running.await.unwrap().unwrap();
}

async fn a_statement_that_never_ends_is_ended(on: On) {
    let (_, log) = history_of(131, 30).await;
    let mut room = Room::new(on).await;
    room.config.own.timeout_ms = 300;
    let count = room.count();
    room.write_count(1, &format!(
        "INSERT INTO seen WITH RECURSIVE n(i) AS (SELECT {count} UNION ALL SELECT i + 0 FROM n) \
         SELECT count(*) FROM n"
    ));
    let (mut keeper, _) = room.keeper(&log, "mine");
    let begun = Instant::now();
    let error = loop {
        if let Err(error) = keeper.step().await {
            break error.to_string();
        }
    };
    assert!(
        error.contains("ended after 0.3 s (project.own.timeout_ms)"),
        "{error}"
    );
    assert!(
        begun.elapsed() < Duration::from_secs(30),
        "{:?}",
        begun.elapsed()
    );
}

async fn what_is_not_its_own_is_out_of_reach(on: On) {
    let (_, log) = history_of(132, 30).await;
    let room = Room::new(on).await;
    let count = room.count();
    let ours = match on {
        On::Sqlite => "active".to_owned(),
        #[cfg(feature = "store-postgres")]
        On::Postgres => format!("{}.active", room.config.postgres.schema),
    };
    room.write_count(1, &format!("INSERT INTO seen SELECT {count} FROM {ours}"));
    let (mut keeper, _) = room.keeper(&log, "mine");
    let error = loop {
        if let Err(error) = keeper.step().await {
            break error.to_string();
        }
    };
    let expected = ["no such table: active", "permission denied for schema"];
    assert!(expected.iter().any(|said| error.contains(said)), "{error}");
}

async fn the_event_at_which_it_fails_is_found_and_those_before_are_kept(on: On) {
    // On a good day each decision counts, and is handed over.
    let mut history = History::calm(133, PARTITIONS);
    history.write(400);
    let log = log_of(&history.appends).await;
    let room = Room::new(on).await;
    let fold = match on {
        On::Sqlite => {
            "INSERT INTO seen SELECT CASE WHEN value ->> 'partition' = 1 AND value ->> 'offset' >= 60 \
             THEN NULL ELSE 1 END FROM json_each($1)"
        }
        #[cfg(feature = "store-postgres")]
        On::Postgres => {
            "INSERT INTO seen SELECT CASE WHEN (e ->> 'partition')::int = 1 AND (e ->> 'offset')::int >= 60 \
             THEN NULL ELSE 1 END FROM jsonb_array_elements($1::jsonb) AS e"
        }
    };
    room.write_count(1, fold);
    let (mut keeper, _) = room.keeper(&log, "mine");
    let error = loop {
        if let Err(error) = keeper.step().await {
            break error.to_string();
        }
    };
    let offset = error.split_once("deliveries/1@").unwrap().1;
    let offset: usize = offset.split(' ').next().unwrap().parse().unwrap();
    let of_partition = history
        .appends
        .iter()
        .filter(|(topic, append)| topic.as_str() == "deliveries" && append.partition.0 == 1);
    let types: Vec<_> = of_partition
        .map(|(_, append)| append.event_type.as_str())
        .collect();
    assert!(offset >= 60 && types[offset] == "webhook.routed", "{error}");
    assert!(!types[60..offset].contains(&"webhook.routed"), "{error}");
    let mut store = room.store(&room.name("mine"));
    let stored = store.stored(Set::Next).await.unwrap().unwrap();
    let at = stored
        .place
        .checkpoint
        .positions()
        .find(|p| p.topic.as_str() == "deliveries" && p.partition.0 == 1);
    let at = at.unwrap().offset.0 as usize;
    assert!(at <= offset, "{at}, {error}");
    assert!(
        !types[at..offset].contains(&"webhook.routed"),
        "{at}, {error}"
    );
}

async fn a_constraint_that_waits_for_the_end_is_told_with_an_event_too(on: On) {
    let (_, log) = history_of(134, 200).await;
    let room = Room::new(on).await;
    let sql = format!(
        "-- hooklog: tables\nCREATE TABLE teams (n BIGINT PRIMARY KEY);\n\
         CREATE TABLE seen (n BIGINT REFERENCES teams (n) DEFERRABLE INITIALLY DEFERRED);\n\
         -- hooklog: events\nINSERT INTO seen SELECT {};\n",
        room.count()
    );
    room.write("mine", 1, "[\"webhook.routed\"]", &sql);
    let (mut keeper, _) = room.keeper(&log, "mine");
    let error = loop {
        if let Err(error) = keeper.step().await {
            break error.to_string();
        }
    };
    for part in ["line 5: of the event deliveries/", "foreign key constraint"] {
        assert!(error.to_lowercase().contains(part), "{error}");
    }
}

async fn a_folder_with_a_name_for_no_table_is_told_of_and_never_begun(on: On) {
    let (_, log) = history_of(135, 30).await;
    let room = Room::new(on).await;
    let name = "a; DROP SCHEMA public CASCADE; --\"";
    let folder = room.folder.path().join(name);
    std::fs::create_dir(&folder).unwrap();
    std::fs::write(folder.join("projection.toml"), "").unwrap();
    let (clerk, desk) = desk(&room, &log);
    let stop = CancellationToken::new();
    let running = tokio::spawn(clerk.run(stop.clone()));
    let status = until(&desk, name, |status| status.error.is_some()).await;
    let told = status.error.unwrap();
    assert!(told.contains("begins with a lower-case letter"), "{told}");
    assert!(!desk.has(name));
    stop.cancel();
    running.await.unwrap().unwrap();
}

/// A file has no more room than its limit, also where the disk has.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tables_that_outgrow_their_file_are_told_of() {
    let (_, log) = history_of(136, 30).await;
    let mut room = Room::new(On::Sqlite).await;
    room.config.own.file_bytes_max = 1 << 20;
    let fold = "INSERT INTO seen WITH RECURSIVE n(i) AS (SELECT json_array_length($1) UNION ALL \
                SELECT i + 1 FROM n WHERE i < 300000) SELECT i FROM n";
    room.write_count(1, fold);
    let (mut keeper, _) = room.keeper(&log, "mine");
    let error = loop {
        if let Err(error) = keeper.step().await {
            break error.to_string();
        }
    };
    assert!(error.contains("disk is full"), "{error}");
}
