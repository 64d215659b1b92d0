//! One writer at a time, whatever the others believe.

use super::{LONG, Place, SHORT, StoreError, at, created, row, rows_of, successor, write};
use crate::project::store::ProjectionStore;
use std::time::Duration;

/// Whether this was refused because of `by`.
fn superseded(result: Result<(), StoreError>, by: &str) -> bool {
    matches!(result, Err(StoreError::Superseded { by: told }) if told == by)
}

async fn stored(store: &mut dyn ProjectionStore) -> super::Checkpoint {
    store.stored().await.unwrap().unwrap().checkpoint
}

pub(crate) async fn who_has_no_lease_writes_nothing(place: &dyn Place) {
    let mut store = place.open().await;
    assert!(superseded(store.create(&at(0)).await, "nobody"));
    assert_eq!(store.stored().await.unwrap(), None);
    let mut owner = created(place).await;
    assert!(superseded(
        write(store.as_mut(), 1, 0, 1).await,
        "the first"
    ));
    assert!(superseded(store.renew().await, "the first"));
    assert!(store.release().await.is_ok());
    assert!(rows_of(owner.as_mut()).await.is_empty());
    assert_eq!(stored(owner.as_mut()).await, at(0));
}

pub(crate) async fn a_writer_that_was_superseded_writes_nothing(place: &dyn Place) {
    let mut first = created(place).await;
    write(first.as_mut(), 1, 0, 1).await.unwrap();
    let mut second = successor(place, first.as_mut()).await;
    assert!(superseded(
        write(first.as_mut(), 2, 1, 2).await,
        "the second"
    ));
    assert!(superseded(first.renew().await, "the second"));
    write(second.as_mut(), 3, 1, 3).await.unwrap();
    assert!(superseded(
        write(first.as_mut(), 2, 1, 2).await,
        "the second"
    ));
    // What it gives back is not its own any more.
    first.release().await.unwrap();
    write(second.as_mut(), 4, 3, 4).await.unwrap();
    assert_eq!(rows_of(first.as_mut()).await, [row(0, "a", 4)]);
    assert_eq!(stored(first.as_mut()).await, at(4));
}

pub(crate) async fn a_lease_passes_when_it_is_given_back(place: &dyn Place) {
    let mut first = created(place).await;
    first.release().await.unwrap();
    assert!(superseded(write(first.as_mut(), 1, 0, 1).await, "nobody"));
    let mut second = place.open().await;
    second.acquire("the second", LONG).await.unwrap();
    write(second.as_mut(), 1, 0, 1).await.unwrap();
}

pub(crate) async fn a_lease_is_kept_by_writes_and_renewals_and_passes_when_it_ends(
    place: &dyn Place,
) {
    if !place.keeps_leases() {
        return;
    }
    let mut first = created(place).await;
    let mut second = place.open().await;
    first.acquire("the first", SHORT).await.unwrap();
    let begun = std::time::Instant::now();
    let mut offset = 0;
    while begun.elapsed() < SHORT * 2 {
        write(first.as_mut(), 1, offset, offset + 1).await.unwrap();
        first.renew().await.unwrap();
        offset += 1;
        let refused = second.acquire("the second", LONG).await.unwrap_err();
        let told = refused.to_string();
        assert!(told.contains("the first writes the tables"), "{told}");
        tokio::time::sleep(SHORT / 8).await;
    }
    // It is not heard of any more: the other asks until the lease has ended.
    let begun = std::time::Instant::now();
    while let Err(error) = second.acquire("the second", LONG).await {
        let StoreError::Held { ends_in, .. } = error else {
            panic!("{error}");
        };
        assert!(ends_in <= SHORT && begun.elapsed() < LONG, "{ends_in:?}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    assert!(superseded(
        write(first.as_mut(), 1, offset, offset + 1).await,
        "the second"
    ));
    write(second.as_mut(), 2, offset, offset + 1).await.unwrap();
}

pub(crate) async fn a_write_that_does_not_continue_where_the_tables_are_is_refused(
    place: &dyn Place,
) {
    let mut store = created(place).await;
    write(store.as_mut(), 1, 0, 1).await.unwrap();
    for (from, to) in [(0, 1), (0, 2), (2, 3)] {
        let refused = write(store.as_mut(), 2, from, to).await;
        assert!(matches!(refused, Err(StoreError::Moved)), "{from} {to}");
    }
    assert_eq!(rows_of(store.as_mut()).await, [row(0, "a", 1)]);
    write(store.as_mut(), 2, 1, 2).await.unwrap();
    assert_eq!(stored(store.as_mut()).await, at(2));
}

pub(crate) async fn of_two_that_write_in_turn_only_the_last_to_acquire_does(place: &dyn Place) {
    let mut first = created(place).await;
    first.release().await.unwrap();
    let mut second = place.open().await;
    for (turn, at) in (0..20).zip(0..) {
        let (writer, other) = match turn % 3 {
            0 => (&mut first, &mut second),
            _ => (&mut second, &mut first),
        };
        writer.acquire(&format!("turn {turn}"), LONG).await.unwrap();
        let (written, refused) = tokio::join!(
            write(writer.as_mut(), turn, at, at + 1),
            write(other.as_mut(), -1, at, at + 2),
        );
        written.unwrap();
        assert!(matches!(refused, Err(StoreError::Superseded { .. })));
        assert_eq!(rows_of(other.as_mut()).await, [row(0, "a", turn)]);
        writer.release().await.unwrap();
    }
}
