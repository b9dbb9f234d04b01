//! What repeated measurements say: the median, the 95th of a hundred, the longest.

use anyhow::ensure;
use std::time::Duration;

/// Measurements of one thing, sorted.
pub(crate) struct Sample(Vec<f64>);

impl Sample {
    /// Takes measurements in any order; at least one.
    pub(crate) fn new(mut values: Vec<f64>) -> anyhow::Result<Self> {
        ensure!(!values.is_empty(), "nothing was measured");
        ensure!(values.iter().all(|value| value.is_finite()), "a measurement is no number");
        values.sort_by(f64::total_cmp);
        Ok(Self(values))
    }

    /// Times, in milliseconds.
    pub(crate) fn of_times(times: &[Duration]) -> anyhow::Result<Self> {
        Self::new(times.iter().map(|time| time.as_secs_f64() * 1e3).collect())
    }

    /// The smallest measurement that at least so many of a hundred do not exceed.
    pub(crate) fn percentile(&self, percent: usize) -> f64 {
        let rank = (self.0.len() * percent).div_ceil(100).max(1);
        self.0[rank.min(self.0.len()) - 1]
    }

    /// Half of the measurements are no larger.
    pub(crate) fn median(&self) -> f64 {
        self.percentile(50)
    }

    /// Ninety-five of a hundred are no larger.
    pub(crate) fn p95(&self) -> f64 {
        self.percentile(95)
    }
}

#[cfg(test)]
mod tests {
    use super::Sample;

    #[test]
    fn percentiles_are_measurements_that_were_made() {
        let sample = Sample::new((1..=100).rev().map(f64::from).collect()).expect("numbers");
        assert_eq!((sample.median(), sample.p95(), sample.percentile(100)), (50.0, 95.0, 100.0));
        let one = Sample::new(vec![7.0]).expect("a number");
        assert_eq!((one.median(), one.p95()), (7.0, 7.0));
        assert!(Sample::new(Vec::new()).is_err());
        assert!(Sample::new(vec![f64::NAN]).is_err());
    }
}
