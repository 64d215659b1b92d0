//! What every place for snapshots must do.

use super::{Found, Sealed, SnapshotStore};
use hooklog_schemas::Partition;

/// A snapshot with these chunks.
pub(crate) fn sealed(generation: u64, chunks: &[&[u8]]) -> Sealed {
    Sealed {
        generation,
        chunks: chunks.iter().map(|chunk| chunk.to_vec()).collect(),
        manifest: format!("manifest of {generation}").into_bytes(),
    }
}

fn is(found: &Found, sealed: &Sealed) {
    assert_eq!(found.manifest, sealed.manifest);
    for (number, chunk) in sealed.chunks.iter().enumerate() {
        assert_eq!(found.chunks.get(&(sealed.generation, number)), Some(chunk));
    }
}

/// Runs the suite on a place that is empty.
pub(crate) async fn run(store: &dyn SnapshotStore) {
    let (one, two) = (Partition(0), Partition(2));
    assert_eq!(store.get(one).await.unwrap(), None);
    let first = sealed(7, &[b"a", b"bb", b""]);
    store.put(one, first.clone()).await.unwrap();
    is(&store.get(one).await.unwrap().unwrap(), &first);
    assert_eq!(store.get(two).await.unwrap(), None);

    let large = vec![7; 4 << 20];
    let second = sealed(1_000_000, &[&large]);
    store.put(one, second.clone()).await.unwrap();
    let other = sealed(3, &[]);
    store.put(two, other.clone()).await.unwrap();
    let found = store.get(one).await.unwrap().unwrap();
    is(&found, &second);
    assert_eq!(found.chunks.len(), 1, "older chunks are forgotten");
    is(&store.get(two).await.unwrap().unwrap(), &other);

    // The same once more, as after a start from it.
    store.put(one, second.clone()).await.unwrap();
    is(&store.get(one).await.unwrap().unwrap(), &second);
}
