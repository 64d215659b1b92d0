//! The one integration binary: the whole way of an event, with real parts on 127.0.0.1.
#![expect(
    clippy::unwrap_used,
    reason = "a test that cannot go on has failed, and says where"
)]

#[cfg(all(feature = "log-kafka", feature = "store-postgres"))]
mod apart;
mod audit;
#[cfg(feature = "log-kafka")]
mod compaction;
mod console;
#[cfg(feature = "log-kafka")]
mod copy;
mod format;
mod harness;
#[cfg(all(feature = "intake-redis", feature = "claim-check"))]
mod intake;
mod own;
mod process;
#[cfg(feature = "log-kafka")]
mod roles;
#[cfg(feature = "log-kafka")]
mod spool;
#[cfg(any(feature = "store-mongodb", feature = "store-postgres"))]
mod tables;
mod way;
