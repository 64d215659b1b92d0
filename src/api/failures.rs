//! How often an address showed a wrong token lately.

use super::problem::Problem;
use axum::http::StatusCode;
use hooklog_schemas::Timestamp;
use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// Wrong tokens that one address may show within [`WINDOW`].
pub(super) const FAILURES_MAX: u32 = 10;

/// After this, an address starts afresh.
pub(super) const WINDOW: Duration = Duration::from_secs(60);

/// Addresses that are remembered; with more, the oldest are forgotten.
const ADDRESSES_MAX: usize = 10_000;

/// Counts wrong tokens by address; of IPv6 by /64, since one client has as many as that.
#[derive(Default)]
pub(super) struct Failures(Mutex<HashMap<IpAddr, Tries>>);

#[derive(Clone, Copy)]
struct Tries {
    since: Timestamp,
    count: u32,
}

impl Failures {
    /// Refuses an address that has used up its tries.
    pub(super) fn check(&self, address: IpAddr, now: Timestamp) -> Result<(), Problem> {
        let tries = self.with(|all| all.get(&network(address)).copied());
        match tries.filter(|tries| tries.is_current(now)) {
            Some(tries) if tries.count >= FAILURES_MAX => Err(too_many(tries, now)),
            _ => Ok(()),
        }
    }

    /// Counts a wrong token.
    pub(super) fn count(&self, address: IpAddr, now: Timestamp) {
        self.with(|all| {
            if all.len() >= ADDRESSES_MAX {
                forget(all, now);
            }
            let fresh = Tries {
                since: now,
                count: 0,
            };
            let tries = all.entry(network(address)).or_insert(fresh);
            if !tries.is_current(now) {
                *tries = fresh;
            }
            tries.count += 1;
        });
    }

    fn with<T>(&self, work: impl FnOnce(&mut HashMap<IpAddr, Tries>) -> T) -> T {
        work(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Tries {
    fn is_current(self, now: Timestamp) -> bool {
        now.since(self.since) < WINDOW
    }
}

/// Forgets what is over; if that is not enough, everything, since a limit is a limit.
fn forget(all: &mut HashMap<IpAddr, Tries>, now: Timestamp) {
    all.retain(|_, tries| tries.is_current(now));
    if all.len() >= ADDRESSES_MAX {
        all.clear();
    }
}

fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(v6) => Ipv6Addr::from_bits(v6.to_bits() & (u128::MAX << 64)).into(),
        v4 => v4,
    }
}

fn too_many(tries: Tries, now: Timestamp) -> Problem {
    let left = WINDOW.saturating_sub(now.since(tries.since)).as_secs() + 1;
    let detail = format!("this address showed {FAILURES_MAX} wrong tokens; wait for {left} s");
    let secs = u32::try_from(left).unwrap_or(u32::MAX);
    Problem::new(StatusCode::TOO_MANY_REQUESTS, detail).retry_after(secs)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_has_few_tries_and_others_are_not_touched() {
        let failures = Failures::default();
        let address = |text: &str| text.parse::<IpAddr>().unwrap();
        for _ in 0..FAILURES_MAX {
            assert_eq!(failures.check(address("2001:db8::1"), Timestamp(0)), Ok(()));
            failures.count(address("2001:db8::1"), Timestamp(0));
        }
        assert!(
            failures
                .check(address("2001:db8::2"), Timestamp(0))
                .is_err(),
            "the same /64"
        );
        assert_eq!(
            failures.check(address("2001:db8:1::1"), Timestamp(0)),
            Ok(())
        );
        assert_eq!(failures.check(address("127.0.0.1"), Timestamp(0)), Ok(()));
        let later = Timestamp(0).plus(WINDOW);
        assert_eq!(failures.check(address("2001:db8::1"), later), Ok(()));
    }

    #[test]
    fn the_memory_of_addresses_is_bounded() {
        let failures = Failures::default();
        for n in 0..=ADDRESSES_MAX {
            let address = std::net::Ipv4Addr::from_bits(u32::try_from(n).unwrap());
            failures.count(address.into(), Timestamp(0));
        }
        assert!(failures.with(|all| all.len()) <= ADDRESSES_MAX);
    }
}
