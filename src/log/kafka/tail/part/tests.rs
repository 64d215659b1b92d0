//! What memory knows of the end of a partition.

use super::*;
use crate::log::conformance::{append, tombstone};
use hooklog_schemas::{Append, Topic};

const ALL: ReadLimit = ReadLimit {
    records: 100,
    bytes: usize::MAX,
};

fn followed(bytes_max: usize) -> State {
    let mut state = State {
        bytes_max,
        ..State::default()
    };
    state.ask(Offset(5));
    assert_eq!(state.begin(), Some(Offset(5)));
    state
}

fn push(state: &mut State, offset: u64, append: Append) {
    let at = append.at;
    let record = Record::placed(append, Topic::Webhooks, Offset(offset), at);
    state.push(Arc::new(record));
}

fn offsets(found: Found) -> Vec<u64> {
    match found {
        Found::Records(records) => records.iter().map(|r| r.position.offset.0).collect(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn memory_knows_what_came_and_what_it_does_not_know() {
    let mut state = followed(1 << 20);
    assert!(matches!(state.find(Offset(5), ALL), Found::Nothing));
    assert_eq!(state.readable(Offset(5)), Some(false));
    state.ends(Offset(9));
    assert_eq!(
        state.readable(Offset(5)),
        Some(true),
        "it is on its way, or stuck"
    );
    assert!(matches!(state.find(Offset(5), ALL), Found::Soon));
    assert!(matches!(state.find(Offset(4), ALL), Found::Unknown));
    for offset in [5, 7, 7, 6, 8] {
        push(&mut state, offset, append(0, "x"));
    }
    assert_eq!(
        offsets(state.find(Offset(6), ALL)),
        [7, 8],
        "no record twice"
    );
    assert!(matches!(state.find(Offset(9), ALL), Found::Nothing));
    assert_eq!(state.readable(Offset(8)), Some(true));
    assert_eq!(state.readable(Offset(9)), Some(false));
}

#[test]
fn what_does_not_fit_is_forgotten_but_for_the_latest() {
    let mut state = followed(300);
    for offset in 5..9 {
        push(&mut state, offset, append(0, vec![b'x'; 200]));
    }
    assert!(matches!(state.find(Offset(5), ALL), Found::Unknown));
    assert_eq!(offsets(state.find(Offset(8), ALL)), [8]);
    push(&mut state, 9, append(0, vec![b'x'; 900]));
    assert_eq!(offsets(state.find(Offset(9), ALL)), [9]);
}

#[test]
fn a_tombstone_takes_the_bytes_out_of_memory() {
    let mut state = followed(1 << 20);
    let secret = append(0, "personal");
    push(&mut state, 5, secret.clone());
    push(&mut state, 6, tombstone(0, secret.key));
    let Found::Records(read) = state.find(Offset(5), ALL) else {
        panic!("both are there");
    };
    assert!(read[0].value.is_none() && read[0].headers.is_empty());
    assert_eq!(
        state.bytes,
        read.iter().map(|record| record.size()).sum::<usize>()
    );
}

#[test]
fn a_place_where_nothing_stands_any_more_is_not_asked_for_again() {
    let mut state = followed(1 << 20);
    assert_eq!(state.readable(Offset(3)), None);
    state.ends(Offset(5));
    state.nothing(Offset(3), Offset(5));
    assert_eq!(state.readable(Offset(3)), Some(false));
    assert!(matches!(state.find(Offset(3), ALL), Found::Nothing));
    push(&mut state, 5, append(0, "x"));
    assert_eq!(state.readable(Offset(3)), Some(true));
    assert!(matches!(state.find(Offset(3), ALL), Found::Unknown));
}

#[test]
fn a_partition_that_nobody_waits_for_is_left() {
    let mut state = followed(1 << 20);
    push(&mut state, 5, append(0, "x"));
    let _ = state.readable(Offset(6));
    let now = Instant::now();
    assert!(!state.end_if_idle(now, Duration::from_secs(60)));
    assert!(state.end_if_idle(now + Duration::from_secs(61), Duration::from_secs(60)));
    assert!(matches!(state.find(Offset(5), ALL), Found::Unknown));
}

#[test]
fn times_before_a_reader_are_known_however_far_others_have_read() {
    let mut state = followed(1);
    for place in 1..=500 {
        state.passed(
            Offset(place * 1_000),
            Timestamp(i64::try_from(place).unwrap()),
        );
    }
    // Another one begins at the start, while the latest records leave memory one by one.
    for place in 1..=3 {
        let (next, time) = (Offset(place), Timestamp(i64::try_from(place).unwrap()));
        state.passed(next, time);
        for offset in 0..100 {
            push(&mut state, place * 1_000_000 + offset, append(0, "xx"));
        }
        assert_eq!(state.floor(next), time);
    }
}
