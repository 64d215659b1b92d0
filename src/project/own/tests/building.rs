//! Tables that are built: when they are ready, and what may come up before.

use super::*;
use crate::log::{AppendError, Bounds, ReadError, ReadLimit};
use async_trait::async_trait;
use hooklog_schemas::webhook::METADATA_HEADER;
use hooklog_schemas::{
    Append, EventId, EventType, Header, Key, Offset, Partition, Position, Record, Timestamp, Topic,
    example,
};
use std::sync::Mutex;
use uuid::Uuid;

on_stores!(
    Sqlite, Postgres;
    tables_answer_when_all_is_in_them_however_large_the_bodies_are,
    those_that_fail_do_not_hold_back_those_that_are_built,
    an_order_to_erase_lets_a_build_finish_and_begins_another,
    what_is_ordered_while_it_reads_is_blank_in_what_it_read,
);

/// Adds up what was counted.
const TOTAL: &str = "SELECT CAST(sum(n) AS TEXT) FROM seen";

/// A receipt with a body of a MiB.
fn large() -> Append {
    let meta = example("webhook.received").unwrap();
    Append {
        partition: Partition(0),
        event_id: EventId(Uuid::now_v7()),
        key: Key(Uuid::now_v7()),
        event_type: EventType::read("webhook.received"),
        version: 1,
        epoch: None,
        at: Timestamp(7),
        headers: vec![Header::new(METADATA_HEADER, meta.to_owned())],
        value: Some(format!("{:?}", "a".repeat(1 << 20)).into()),
    }
}

async fn tables_answer_when_all_is_in_them_however_large_the_bodies_are(on: On) {
    let (_, log) = history_of(150, 10).await;
    for _ in 0..9 {
        log.append(Topic::Webhooks, vec![large()]).await.unwrap();
    }
    let room = Room::new(on).await;
    let sql = format!(
        "-- hooklog: tables\nCREATE TABLE seen (n BIGINT NOT NULL);\n-- hooklog: events\n\
         INSERT INTO seen SELECT {};\n",
        room.count()
    );
    room.write("mine", 1, "[\"webhook.received\"]", &sql);
    let (mut keeper, handle) = room.keeper(&log, "mine");
    while handle.status().answers.is_none() {
        keeper.step().await.unwrap();
    }
    assert_eq!(room.ask("mine", TOTAL).await, "9");
}

async fn those_that_fail_do_not_hold_back_those_that_are_built(on: On) {
    let (history, log) = history_of(151, 300).await;
    let mut room = Room::new(on).await;
    let fold = format!(
        "INSERT INTO seen SELECT CASE WHEN EXISTS (SELECT 1 FROM seen WHERE n < 0) THEN NULL ELSE {} END",
        room.count()
    );
    room.write_count(1, &fold);
    let (mut keeper, _) = room.keeper(&log, "mine");
    catch_up(&mut keeper).await;
    drop(keeper);
    let spoil = "INSERT INTO seen VALUES (-1000000) RETURNING CAST(n AS TEXT)";
    room.ask("mine", spoil).await;
    while !room.ask("mine", TOTAL).await.starts_with('-') {}

    let mut longer = history;
    longer.write(300);
    let log = log_of(&longer.appends).await;
    room.config.own.batch_events_max = 10;
    let (mut keeper, handle) = room.keeper(&log, "mine");
    handle.rebuild();
    let mut errors = Vec::new();
    loop {
        match keeper.step().await {
            Ok(keeper::Step::Idle) => break,
            Ok(keeper::Step::Folded) => {}
            Err(error) => errors.push(error.to_string()),
        }
    }
    let told = errors.first().unwrap();
    assert!(told.contains("line 4: of the event deliveries/"), "{told}");
    assert_eq!(room.ask("mine", TOTAL).await, routed(&longer).to_string());
    let status = handle.status();
    assert_eq!((status.state, status.error), (OwnState::Follows, None));
}

fn is_order(append: &(Topic, Append)) -> bool {
    append.1.event_type.as_str() == "erasure.requested"
}

async fn an_order_to_erase_lets_a_build_finish_and_begins_another(on: On) {
    let (history, log) = history_of(152, 800).await;
    let order = history.appends.iter().find(|append| is_order(append));
    let (_, order) = order.unwrap().clone();
    let mut room = Room::new(on).await;
    room.config.own.batch_events_max = 20;
    room.write_count(1, &format!("INSERT INTO seen SELECT {}", room.count()));
    let (mut keeper, handle) = room.keeper(&log, "mine");
    keeper.step().await.unwrap();
    let mut store = room.store(&room.name("mine"));
    let first = store.stored(Set::Next).await.unwrap().unwrap();

    log.append(Topic::Control, vec![order]).await.unwrap();
    keeper.step().await.unwrap();
    let then = store.stored(Set::Next).await.unwrap().unwrap();
    assert_eq!(then.begun, first.begun);
    assert_ne!(then.place, first.place);

    for _ in 0..2 {
        catch_up(&mut keeper).await;
    }
    drop(store);
    let mut store = room.store(&room.name("mine"));
    let live = store.stored(Set::Live).await.unwrap().unwrap();
    assert!(live.begun > first.begun);
    let status = handle.status();
    assert_eq!((status.state, status.kept), (OwnState::Follows, vec![1]));
    assert_eq!(room.ask("mine", TOTAL).await, routed(&history).to_string());
}

/// A log to which something is appended when `deliveries` are read first.
struct Meanwhile {
    log: Arc<dyn EventLog>,
    append: Mutex<Option<Append>>,
}

#[async_trait]
impl EventLog for Meanwhile {
    fn partitions(&self, topic: Topic) -> u32 {
        self.log.partitions(topic)
    }

    async fn append(&self, topic: Topic, batch: Vec<Append>) -> Result<Vec<Offset>, AppendError> {
        self.log.append(topic, batch).await
    }

    async fn read(&self, from: Position, limit: ReadLimit) -> Result<Vec<Arc<Record>>, ReadError> {
        let reads = from.topic == Topic::Deliveries;
        let append = reads.then(|| self.append.lock().unwrap().take()).flatten();
        if let Some(append) = append {
            self.log.append(Topic::Control, vec![append]).await.unwrap();
        }
        self.log.read(from, limit).await
    }

    async fn bounds(&self, topic: Topic, partition: Partition) -> Result<Bounds, ReadError> {
        self.log.bounds(topic, partition).await
    }

    async fn wait(&self, any_of: &[Position]) {
        self.log.wait(any_of).await;
    }

    async fn compact(&self, topic: Topic) -> Result<u64, AppendError> {
        self.log.compact(topic).await
    }
}

/// Statements that want the orders themselves, and get none of what they name.
async fn what_is_ordered_while_it_reads_is_blank_in_what_it_read(on: On) {
    let mut history = History::begin(112, PARTITIONS);
    while !history.appends.iter().any(is_order) {
        history.write(50);
    }
    let at = history.appends.iter().position(is_order).unwrap();
    let (_, order) = history.appends[at].clone();
    let room = Room::new(on).await;
    let fold = match on {
        On::Sqlite => {
            "SELECT value ->> '$.data.summary.repository' FROM json_each($1) \
             WHERE value ->> 'type' = 'webhook.routed'"
        }
        #[cfg(feature = "store-postgres")]
        On::Postgres => {
            "SELECT e #>> '{data,summary,repository}' FROM jsonb_array_elements($1::jsonb) AS e \
             WHERE e ->> 'type' = 'webhook.routed'"
        }
    };
    let sql = format!(
        "-- hooklog: tables\nCREATE TABLE shown (repository TEXT);\n-- hooklog: events\n\
         INSERT INTO shown {fold};\n"
    );
    let mut named = Vec::new();
    for (name, order) in [("before", None), ("meanwhile", Some(order))] {
        let events = "[\"webhook.routed\", \"erasure.requested\"]";
        room.write(name, 1, events, &sql);
        let log: Arc<dyn EventLog> = Arc::new(Meanwhile {
            log: log_of(&history.appends[..at]).await,
            append: Mutex::new(order),
        });
        let (mut keeper, _) = room.keeper(&log, name);
        catch_up(&mut keeper).await;
        let question = "SELECT CAST(count(repository) AS TEXT) FROM shown";
        named.push(room.ask(name, question).await.parse::<u64>().unwrap());
    }
    assert!(named[1] < named[0], "{named:?}");
}

/// Puts something that is no database in the place of a file.
fn spoil(room: &Room, link: &str) {
    let file = std::fs::canonicalize(room.tables().join(link)).unwrap();
    for end in ["", "-wal", "-shm"] {
        let mut path = file.clone().into_os_string();
        path.push(end);
        // Beside a file that was closed stand no others.
        let _ = std::fs::remove_file(path);
    }
    std::fs::write(file, "no database".repeat(1_000)).unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn files_that_cannot_be_read_are_built_again() {
    let (history, log) = history_of(153, 600).await;
    let mut room = Room::new(On::Sqlite).await;
    room.config.own.batch_events_max = 20;
    room.write_count(1, "INSERT INTO seen SELECT json_array_length($1)");
    let (mut keeper, _) = room.keeper(&log, "mine");
    keeper.step().await.unwrap();
    drop(keeper);
    spoil(&room, "mine.next.sqlite");
    let (mut keeper, _) = room.keeper(&log, "mine");
    catch_up(&mut keeper).await;
    assert_eq!(room.ask("mine", TOTAL).await, routed(&history).to_string());

    drop(keeper);
    spoil(&room, "mine.sqlite");
    let (mut keeper, handle) = room.keeper(&log, "mine");
    let told = keeper.step().await.unwrap_err().to_string();
    assert!(told.contains("`hooklog rebuild` with its name"), "{told}");
    handle.rebuild();
    keeper.step().await.unwrap();
    // The order is carried out, also by the next process.
    drop(keeper);
    let (mut keeper, handle) = room.keeper(&log, "mine");
    catch_up(&mut keeper).await;
    assert_eq!(room.ask("mine", TOTAL).await, routed(&history).to_string());
    assert_eq!(handle.status().kept, Vec::<u32>::new());
}
