//! Reads.

use super::{Log, PARTITIONS, WEBHOOKS, all, append, at, everything, same, tombstone};
use crate::log::ReadLimit;
use bytes::Bytes;
use hooklog_schemas::{Append, EventType, Header, Key, Offset, Partition, Timestamp, Topic};
use uuid::Uuid;

pub(crate) async fn what_was_appended_reads_back_byte_for_byte(log: Log) {
    let every_byte: Vec<u8> = (0..=255).cycle().take(100_000).collect();
    let mut odd = append(0, every_byte);
    odd.headers = vec![
        Header::new("x-empty", ""),
        Header::new("x-bytes", vec![0xff, 0x00, 0x0a]),
        Header::new("x-twice", "1"),
        Header::new("x-twice", "2"),
    ];
    let plain = Append {
        epoch: None,
        headers: Vec::new(),
        version: 65_535,
        ..append(0, "")
    };
    let unknown = Append {
        event_type: EventType::read("delivery.teleported"),
        ..append(0, "?")
    };
    let batch = vec![odd, plain, unknown, tombstone(0, Key(Uuid::new_v4()))];
    log.append(WEBHOOKS, batch.clone()).await.unwrap();
    let read = all(&log, 0).await;
    assert_eq!(read.len(), batch.len());
    for (record, append) in read.iter().zip(&batch) {
        assert!(same(record, append), "{record:?} is not {append:?}");
    }
}

pub(crate) async fn nothing_is_read_at_the_tail_or_beyond(log: Log) {
    assert!(
        log.read(at(0, Offset(0)), ReadLimit::default())
            .await
            .unwrap()
            .is_empty()
    );
    let offset = log.append(WEBHOOKS, vec![append(0, "one")]).await.unwrap()[0];
    for beyond in [offset.next(), Offset(u64::MAX)] {
        assert!(
            log.read(at(0, beyond), ReadLimit::default())
                .await
                .unwrap()
                .is_empty()
        );
    }
}

pub(crate) async fn a_read_keeps_to_its_limits(log: Log) {
    let batch = (0..10).map(|_| append(0, vec![b'x'; 1000])).collect();
    log.append(WEBHOOKS, batch).await.unwrap();
    let few = ReadLimit {
        records: 3,
        bytes: usize::MAX,
    };
    assert_eq!(log.read(at(0, Offset(0)), few).await.unwrap().len(), 3);
    let small = ReadLimit {
        records: 100,
        bytes: 2500,
    };
    assert_eq!(log.read(at(0, Offset(0)), small).await.unwrap().len(), 2);
}

pub(crate) async fn a_record_over_the_limit_is_still_read(log: Log) {
    log.append(
        WEBHOOKS,
        vec![append(0, vec![b'x'; 5000]), append(0, "next")],
    )
    .await
    .unwrap();
    let tiny = ReadLimit {
        records: 100,
        bytes: 10,
    };
    let read = log.read(at(0, Offset(0)), tiny).await.unwrap();
    assert_eq!(read.len(), 1);
    assert_eq!(read[0].value.as_ref().unwrap().len(), 5000);
}

pub(crate) async fn reading_on_from_the_last_record_finds_all(log: Log) {
    for number in 0..50 {
        let batch = (0..PARTITIONS)
            .map(|p| append(p, number.to_string()))
            .collect();
        log.append(WEBHOOKS, batch).await.unwrap();
    }
    for partition in 0..PARTITIONS {
        let read = everything(
            &log,
            WEBHOOKS,
            partition,
            ReadLimit {
                records: 7,
                bytes: 300,
            },
        )
        .await;
        let bodies: Vec<_> = read.iter().map(|r| r.value.clone().unwrap()).collect();
        let wanted: Vec<_> = (0..50)
            .map(|number| Bytes::from(number.to_string()))
            .collect();
        assert_eq!(bodies, wanted);
    }
}

pub(crate) async fn bounds_tell_the_start_and_the_tail(log: Log) {
    let empty = log.bounds(WEBHOOKS, Partition(2)).await.unwrap();
    assert_eq!(empty.start, empty.tail);
    let offsets = log
        .append(WEBHOOKS, vec![append(2, "a"), append(2, "b")])
        .await
        .unwrap();
    let bounds = log.bounds(WEBHOOKS, Partition(2)).await.unwrap();
    assert_eq!((bounds.start, bounds.tail), (offsets[0], offsets[1].next()));
    let other = log.bounds(WEBHOOKS, Partition(1)).await.unwrap();
    assert_eq!(other.start, other.tail);
}

pub(crate) async fn control_has_one_partition(log: Log) {
    let counts = Topic::ALL.map(|topic| log.partitions(topic));
    assert_eq!(counts, [PARTITIONS, PARTITIONS, 1]);
    log.append(Topic::Control, vec![append(0, "c")])
        .await
        .unwrap();
    assert_eq!(
        everything(&log, Topic::Control, 0, ReadLimit::default())
            .await
            .len(),
        1
    );
    assert!(
        all(&log, 0).await.is_empty(),
        "topics have their own records"
    );
}

pub(crate) async fn a_time_is_found_in_its_partition(log: Log) {
    let empty = log
        .offset_after(WEBHOOKS, Partition(1), Timestamp(5))
        .await
        .unwrap();
    assert_eq!(
        empty,
        log.bounds(WEBHOOKS, Partition(1)).await.unwrap().tail
    );
    let mut offsets = Vec::new();
    for number in 0..60 {
        // Every third has the time of the one before it; other partitions have other times.
        let seconds = 10 * (number - i64::from(number % 3 == 2));
        let one = Append {
            at: Timestamp::from_secs(seconds),
            ..append(1, vec![b'x'; 200])
        };
        let other = Append {
            at: Timestamp::from_secs(5_000 + number),
            ..append(0, "other")
        };
        offsets.push(log.append(WEBHOOKS, vec![one, other]).await.unwrap()[0]);
    }
    offsets.push(offsets[59].next());
    for (seconds, index) in [
        (-1, 0),
        (0, 1),
        (9, 1),
        (10, 3),
        (29, 3),
        (30, 4),
        (305, 31),
        (580, 60),
        (9999, 60),
    ] {
        let time = Timestamp::from_secs(seconds);
        let found = log.offset_after(WEBHOOKS, Partition(1), time).await;
        assert_eq!(found.unwrap(), offsets[index], "after {seconds} s");
    }
    let beyond = log
        .offset_after(WEBHOOKS, Partition(PARTITIONS), Timestamp(5))
        .await;
    assert!(beyond.is_err(), "{beyond:?}");
}
