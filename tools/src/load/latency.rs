//! Percentiles of latencies, exact: every value is kept.

use serde::Serialize;
use std::fmt;

/// Percentiles, in microseconds.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub(crate) struct Latencies {
    /// Half of all stay below.
    pub(crate) p50_us: u32,
    /// Nine of ten.
    pub(crate) p90_us: u32,
    /// 99 of a hundred.
    pub(crate) p99_us: u32,
    /// 999 of a thousand.
    pub(crate) p999_us: u32,
    /// The longest.
    pub(crate) max_us: u32,
}

impl Latencies {
    /// The percentiles of these values; zeros if there are none.
    pub(crate) fn of(mut micros: Vec<u32>) -> Self {
        micros.sort_unstable();
        let at = |share: f64| {
            let index = (micros.len() as f64 * share) as usize;
            let index = index.min(micros.len().saturating_sub(1));
            micros.get(index).copied().unwrap_or_default()
        };
        Self {
            p50_us: at(0.5),
            p90_us: at(0.9),
            p99_us: at(0.99),
            p999_us: at(0.999),
            max_us: at(1.0),
        }
    }
}

impl fmt::Display for Latencies {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ms = |us: u32| f64::from(us) / 1_000.0;
        write!(
            f,
            "p50 {:.2} ms, p90 {:.2} ms, p99 {:.2} ms, p99.9 {:.2} ms, max {:.2} ms",
            ms(self.p50_us),
            ms(self.p90_us),
            ms(self.p99_us),
            ms(self.p999_us),
            ms(self.max_us)
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_of_a_hundred_are_their_ranks() {
        let latencies = Latencies::of((1..=100).rev().collect());
        assert_eq!((latencies.p50_us, latencies.p99_us), (51, 100));
        assert_eq!(latencies.max_us, 100);
        assert_eq!(Latencies::of(Vec::new()).max_us, 0);
    }
}
