//! Popularity: a few are asked for all the time, most hardly ever.

/// Zipf's law over ranks from 1 to a count.
#[derive(Debug)]
pub(crate) struct Zipf {
    cumulative: Vec<f64>,
}

impl Zipf {
    /// `count` ranks; the share of rank r is in proportion to 1/r^`exponent`.
    pub(crate) fn new(count: usize, exponent: f64) -> Self {
        let mut sum = 0.0;
        let mut cumulative: Vec<f64> = (1..=count)
            .map(|rank| {
                sum += (rank as f64).powf(-exponent);
                sum
            })
            .collect();
        cumulative.iter_mut().for_each(|share| *share /= sum);
        Self { cumulative }
    }

    /// The rank that `fraction` (0 to 1) falls on.
    pub(crate) fn rank(&self, fraction: f64) -> u64 {
        let index = self.cumulative.partition_point(|share| *share <= fraction);
        index.min(self.cumulative.len().saturating_sub(1)) as u64 + 1
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_of_70000_gets_a_twelfth() {
        let zipf = Zipf::new(70_000, 1.0);
        assert!((0.084..0.086).contains(&zipf.cumulative[0]));
        assert!((0.43..0.45).contains(&zipf.cumulative[99]));
        assert_eq!(zipf.rank(0.0), 1);
        assert_eq!(zipf.rank(0.999_999_999_999), 70_000);
    }
}
