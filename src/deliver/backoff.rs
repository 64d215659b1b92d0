//! How long to wait after a failure: exponential, with jitter. Randomness is handed in.

use hooklog_schemas::control::Policy;
use std::time::Duration;

/// The delay after the `failures`-th failed attempt in a row, counted from 1.
///
/// The first is exactly the policy's first delay; each later one is drawn from the upper half of
/// twice the one before, so that subscribers that failed together do not come back together.
/// `random` is in 0..1.
#[must_use]
pub fn delay(policy: &Policy, failures: u32, random: f64) -> Duration {
    let doublings = failures.saturating_sub(1).min(63);
    let whole = policy.delay_first_ms.saturating_mul(1 << doublings);
    let whole = whole.min(policy.delay_max_ms);
    if doublings == 0 {
        return Duration::from_millis(whole);
    }
    let factor = random.clamp(0.0, 1.0).mul_add(0.5, 0.5);
    Duration::from_millis(whole).mul_f64(factor)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_doubles_up_to_the_policys_longest_delay() {
        let policy = Policy {
            delay_first_ms: 1_000,
            delay_max_ms: 10_000,
            ..Policy::default()
        };
        let at_most: Vec<u64> = (1..=6)
            .map(|n| u64::try_from(delay(&policy, n, 1.0).as_millis()).unwrap())
            .collect();
        assert_eq!(at_most, [1_000, 2_000, 4_000, 8_000, 10_000, 10_000]);
        assert_eq!(delay(&policy, 3, 0.0), Duration::from_millis(2_000));
    }

    #[test]
    fn nothing_overflows() {
        let policy = Policy {
            delay_first_ms: u64::MAX,
            delay_max_ms: u64::MAX / 4,
            ..Policy::default()
        };
        assert!(delay(&policy, u32::MAX, 0.5) <= Duration::from_millis(u64::MAX / 4));
    }
}
