//! Chance that a seed decides, the same on every machine and with every release of every crate.

/// SplitMix64 (Steele, Lea and Flood, 2014): small, fast, and good enough to shape traffic.
#[derive(Clone, Debug)]
pub(crate) struct Chance(u64);

impl Chance {
    /// The chance of step `step` of the run with `seed`: steps are independent of each other.
    pub(crate) const fn at(seed: u64, step: u64) -> Self {
        Self(seed ^ step.wrapping_mul(0xD1B5_4A32_D192_ED03))
    }

    /// The next 64 bits.
    pub(crate) const fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// A number below `end`; 0 if `end` is 0.
    pub(crate) const fn below(&mut self, end: u64) -> u64 {
        ((self.bits() as u128 * end as u128) >> 64) as u64
    }

    /// A fraction from 0 up to, but without, 1.
    pub(crate) fn fraction(&mut self) -> f64 {
        (self.bits() >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// One of `values`, which must not be empty.
    pub(crate) fn pick<'a, T>(&mut self, values: &'a [T]) -> &'a T {
        &values[self.below(values.len() as u64) as usize]
    }

    /// A seed that nobody chose: it is printed, so that the run can be repeated.
    pub(crate) fn fresh_seed() -> u64 {
        uuid::Uuid::new_v4().as_u64_pair().0 >> 16
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_and_step_give_the_same_bits() {
        assert_eq!(Chance::at(7, 9).bits(), Chance::at(7, 9).bits());
        assert_ne!(Chance::at(7, 9).bits(), Chance::at(7, 10).bits());
    }

    #[test]
    fn numbers_stay_below_their_end() {
        let mut chance = Chance::at(1, 1);
        for _ in 0..1_000 {
            assert!(chance.below(3) < 3);
            assert!((0.0..1.0).contains(&chance.fraction()));
        }
    }
}
