//! States, as values.

use super::lease::after;
use super::*;
use hooklog_projections::projection::PROJECTIONS;
use hooklog_schemas::{EventId, Offset, Partition, Position, Topic};
use mongodb::bson::{deserialize_from_document, serialize_to_document};
use std::time::Duration;
use uuid::Uuid;

const LEASE: Duration = Duration::from_secs(10);

fn at(offset: u64) -> Checkpoint {
    let mut checkpoint = Checkpoint::start(EventId(Uuid::from_u128(7)));
    let partition = Partition(3);
    checkpoint.read_up_to(Position::new(Topic::Deliveries, partition, Offset(offset)));
    checkpoint
}

fn second(second: i64) -> DateTime {
    DateTime::from_millis(second * 1_000)
}

fn created() -> State {
    let mut state = State::fresh();
    let suffix = state.suffix();
    state.created(&suffix, &at(0), second(0)).unwrap();
    state
}

#[test]
fn a_lease_lasts_until_it_is_not_renewed_and_its_term_is_over_when_it_passes() {
    let mut held = Held::nobodys();
    let first = held.acquire("the first", LEASE, second(0)).unwrap();
    held.fence(Some(&first), second(9)).unwrap();
    let refused = held.acquire("the second", LEASE, second(15)).unwrap_err();
    let StoreError::Held { by, ends_in } = refused else {
        panic!("{refused}");
    };
    assert_eq!(
        (by.as_str(), ends_in),
        ("the first", Duration::from_secs(4))
    );
    let other = held.acquire("the second", LEASE, second(19)).unwrap();
    let late = held.fence(Some(&first), second(20));
    assert!(matches!(late, Err(StoreError::Superseded { by }) if by == "the second"));
    held.fence(Some(&other), second(20)).unwrap();
    held.release(second(21));
    assert!(!held.is(&other));
    held.acquire("the first", LEASE, second(21)).unwrap();
}

#[test]
fn a_write_counts_from_its_end_on_and_one_that_has_none_never_does() {
    let mut state = created();
    let given_up = state.begin(LIVE, &at(0)).unwrap();
    let write = state.begin(LIVE, &at(0)).unwrap();
    let before = state.moment(LIVE).unwrap();
    assert!(before.write < given_up);
    assert_eq!(before.unsettled, [given_up, write][..].into());
    let ends = [&at(0), &at(5)];
    state.commit(LIVE, write, ends).unwrap();
    let moment = state.moment(LIVE).unwrap();
    assert_eq!(
        (moment.write, moment.unsettled),
        (write, [given_up][..].into())
    );
    assert_eq!(state.checkpoint(LIVE).unwrap(), Some(at(5)));
    let moved = state.commit(LIVE, given_up, ends);
    assert!(matches!(moved, Err(StoreError::Moved)));
    let twice = state.commit(LIVE, write, [&at(5), &at(5)]);
    assert!(matches!(twice, Err(StoreError::Moved)));
}

#[test]
fn a_build_counts_for_itself_until_it_is_switched_to() {
    let mut state = created();
    state.begin(LIVE, &at(0)).unwrap();
    let set = state.begin_build(&PROJECTIONS, &at(0), second(0)).unwrap();
    let write = state.begin(&set, &at(0)).unwrap();
    state.commit(&set, write, [&at(0), &at(9)]).unwrap();
    assert_eq!(state.checkpoint(LIVE).unwrap(), Some(at(0)));
    let refused = state.switch("b9", &at(9), second(1));
    assert!(matches!(refused, Err(StoreError::NoSet(_))));
    let moved = state.switch(&set, &at(8), second(1));
    assert!(matches!(moved, Err(StoreError::Moved)));
    let (moment, old) = (state.moment(LIVE).unwrap(), state.names(LIVE));
    let kept = state.switch(&set, &at(9), second(1)).unwrap().unwrap();
    assert_eq!(state.checkpoint(LIVE).unwrap(), Some(at(9)));
    // The new tables have nothing of what was given up in the old ones, and those still do.
    assert!(state.moment(LIVE).unwrap().unsettled.is_empty());
    assert!(!state.moment(&kept).unwrap().unsettled.is_empty());
    let names = state.names(LIVE);
    assert!(names.all().all(|name| name.ends_with("_b2")));
    // What was replaced is a set, then it is used for a while, and then it is not.
    assert_eq!(state.beside().unwrap().len(), 1);
    state.drop_set(&kept, second(1)).unwrap();
    assert!(state.beside().unwrap().is_empty());
    assert!(state.prune(0, second(1)).is_empty());
    let (before, later) = (state.used(), after(second(1), KEPT));
    assert!(state.has_all_of(&moment, &old));
    assert_eq!(state.prune(0, later).len(), before.len() / 2);
    assert_eq!(before.len(), 2 * state.used().len());
    assert!(!state.has_all_of(&moment, &old));
    assert_eq!(
        state.begin_build(&PROJECTIONS, &at(0), second(2)).unwrap(),
        "b4"
    );
}

#[test]
fn no_name_is_given_of_which_there_are_tables() {
    let mut state = State::fresh();
    state.name_after(7);
    state.name_after(3);
    assert_eq!(state.suffix(), "_b8");
    let build = state.begin_build(&PROJECTIONS, &at(0), second(0));
    assert_eq!(build.unwrap(), "b9");
}

#[test]
fn what_was_given_up_in_tables_that_stay_is_not_forgotten_by_a_switch() {
    let mut state = created();
    let first = state.begin(LIVE, &at(0)).unwrap();
    let set = state.begin_build(&PROJECTIONS[..1], &at(0), second(0));
    let set = set.unwrap();
    let settled = state.begin(&set, &at(0)).unwrap();
    let third = state.begin(LIVE, &at(0)).unwrap();
    state.commit(&set, settled, [&at(0), &at(0)]).unwrap();
    state.switch(&set, &at(0), second(1)).unwrap();
    let unsettled = state.moment(LIVE).unwrap().unsettled;
    assert_eq!(unsettled, [first, third][..].into());
}

#[test]
fn a_state_reads_as_it_was_written() {
    let mut state = created();
    state.begin_build(&PROJECTIONS, &at(0), second(0)).unwrap();
    state.begin(LIVE, &at(0)).unwrap();
    let document = serialize_to_document(&state).unwrap();
    let read: State = deserialize_from_document(document).unwrap();
    assert_eq!(read, state);
}
