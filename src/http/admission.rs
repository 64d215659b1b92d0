//! How many connections there may be, in all and from one address.

use super::HttpLimits;
use prometheus_client::metrics::gauge::Gauge;
use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, PoisonError};

/// Counts connections against their caps.
pub(super) struct Admission {
    total_max: usize,
    per_address_max: usize,
    open: Gauge,
    taken: Mutex<Taken>,
}

#[derive(Default)]
struct Taken {
    total: usize,
    by_address: HashMap<IpAddr, usize>,
}

/// The right to one connection; given back when dropped.
pub(super) struct Seat {
    admission: Arc<Admission>,
    address: Option<IpAddr>,
}

impl Admission {
    pub(super) fn new(limits: &HttpLimits) -> Arc<Self> {
        Arc::new(Self {
            total_max: limits.connections_max,
            per_address_max: limits.connections_per_address_max,
            open: limits.open.clone(),
            taken: Mutex::default(),
        })
    }

    /// A seat for one connection, counted for `address` unless that is none.
    pub(super) fn admit(self: &Arc<Self>, address: Option<IpAddr>) -> Option<Seat> {
        let address = address.map(counted);
        let admitted = self.with(|taken| {
            let free = taken.total < self.total_max
                && address.is_none_or(|address| taken.of(address) < self.per_address_max);
            if free {
                taken.total += 1;
                taken.add(address);
            }
            free
        });
        admitted.then(|| {
            self.open.inc();
            Seat {
                admission: Arc::clone(self),
                address,
            }
        })
    }

    fn with<T>(&self, work: impl FnOnce(&mut Taken) -> T) -> T {
        // Counting does not panic half-way, so a poisoned count is still right.
        work(&mut self.taken.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// An IPv6 client has a whole /64 to choose its addresses from: they count as one.
fn counted(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(_) => address,
        IpAddr::V6(v6) => IpAddr::V6(Ipv6Addr::from_bits(v6.to_bits() >> 64 << 64)),
    }
}

impl Seat {
    /// Counts the seat for `address` from now on; tells whether that address may have one more.
    pub(super) fn count_for(&mut self, address: IpAddr) -> bool {
        let address = counted(address);
        let max = self.admission.per_address_max;
        let before = self.address;
        let free = self.admission.with(|taken| {
            taken.remove(before);
            let free = taken.of(address) < max;
            taken.add(Some(address));
            free
        });
        self.address = Some(address);
        free
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.admission.open.dec();
        self.admission.with(|taken| {
            taken.total -= 1;
            taken.remove(self.address);
        });
    }
}

impl Taken {
    fn of(&self, address: IpAddr) -> usize {
        self.by_address.get(&address).copied().unwrap_or_default()
    }

    fn add(&mut self, address: Option<IpAddr>) {
        if let Some(address) = address {
            *self.by_address.entry(address).or_default() += 1;
        }
    }

    fn remove(&mut self, address: Option<IpAddr>) {
        let Some(address) = address else { return };
        if let Some(count) = self.by_address.get_mut(&address) {
            *count -= 1;
            if *count == 0 {
                self.by_address.remove(&address);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::Metrics;
    use prometheus_client::registry::Registry;
    use std::time::Duration;

    #[test]
    fn the_addresses_of_one_ipv6_network_count_as_one() {
        let metrics = Metrics::register(&mut Registry::default());
        let mut limits = HttpLimits::api(Duration::ZERO, &metrics);
        limits.connections_per_address_max = 1;
        let admission = Admission::new(&limits);
        let admit = |address: &str| admission.admit(Some(address.parse().unwrap()));
        let first = admit("2001:db8::1");
        assert!(first.is_some());
        assert!(admit("2001:db8::2").is_none());
        assert!(admit("2001:db8:0:1::1").is_some());
        drop(first);
        assert!(admit("2001:db8::2").is_some());
    }
}
