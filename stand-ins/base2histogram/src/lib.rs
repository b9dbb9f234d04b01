//! Stands in for the histograms that openraft counts with and, as it is built here, never shows.
//!
//! The crate of this name at the registry builds tables for sixteen resolutions when the first
//! histogram is made: 26 MB in every process, a third of an idle node, of which openraft uses one
//! resolution, and shows it only with its feature `runtime-stats`. This one counts powers of two,
//! without tables. What openraft asks for in that feature alone is not here: whoever turns it on
//! is told by the compiler, and takes this crate out of the workspace's `[patch.crates-io]`.

use std::{fmt, marker::PhantomData};

/// Powers of two, and zero.
const BUCKETS: usize = 65;

/// How often values of each magnitude came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Histogram<T = ()> {
    counts: [u64; BUCKETS],
    kept: PhantomData<T>,
}

impl<T> Histogram<T> {
    /// Nothing yet.
    pub fn new() -> Self {
        Self { counts: [0; BUCKETS], kept: PhantomData }
    }

    /// Counts a value.
    pub fn record(&mut self, value: u64) {
        self.record_n(value, 1);
    }

    /// Counts a value that came `count` times.
    pub fn record_n(&mut self, value: u64, count: u64) {
        let bucket = (u64::BITS - value.leading_zeros()) as usize;
        self.counts[bucket] = self.counts[bucket].saturating_add(count);
    }

    /// How many values were counted.
    pub fn total(&self) -> u64 {
        self.counts.iter().fold(0, |total, count| total.saturating_add(*count))
    }

    /// The usual percentiles, each rounded up to the next power of two less one.
    pub fn percentile_stats(&self) -> PercentileStats {
        let at = |per_mille| self.per_mille(per_mille);
        PercentileStats {
            samples: self.total(),
            p0_1: at(1),
            p1: at(10),
            p5: at(50),
            p10: at(100),
            p50: at(500),
            p90: at(900),
            p99: at(990),
            p99_9: at(999),
        }
    }

    fn per_mille(&self, share: u64) -> u64 {
        let wanted = u128::from(self.total()) * u128::from(share);
        let mut seen = 0_u128;
        for (bucket, count) in self.counts.iter().enumerate().filter(|(_, count)| **count > 0) {
            seen += u128::from(*count) * 1_000;
            if seen >= wanted {
                return u64::MAX.checked_shr(u64::BITS - bucket as u32).unwrap_or_default();
            }
        }
        0
    }
}

impl<T> Default for Histogram<T> {
    fn default() -> Self {
        Self::new()
    }
}

/// Percentiles of what was counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PercentileStats {
    /// How many values were counted.
    pub samples: u64,
    /// The 0.1th percentile.
    pub p0_1: u64,
    /// The 1st percentile.
    pub p1: u64,
    /// The 5th percentile.
    pub p5: u64,
    /// The 10th percentile.
    pub p10: u64,
    /// The median.
    pub p50: u64,
    /// The 90th percentile.
    pub p90: u64,
    /// The 99th percentile.
    pub p99: u64,
    /// The 99.9th percentile.
    pub p99_9: u64,
}

impl fmt::Display for PercentileStats {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { samples, p0_1, p1, p5, p10, p50, p90, p99, p99_9 } = self;
        write!(f, "[samples: {samples}, P0.1: {p0_1}, P1: {p1}, P5: {p5}, P10: {p10}, ")?;
        write!(f, "P50: {p50}, P90: {p90}, P99: {p99}, P99.9: {p99_9}]")
    }
}

/// Histograms to be drawn together; never drawn here.
#[derive(Clone, Debug)]
pub struct AsciiChart<T = ()> {
    series: Vec<(String, Histogram<T>)>,
}

impl<T> AsciiChart<T> {
    /// Nothing yet.
    pub fn new() -> Self {
        Self { series: Vec::new() }
    }

    /// Adds a histogram.
    #[must_use]
    #[expect(clippy::should_implement_trait, reason = "the name is openraft's")]
    pub fn add(mut self, name: &str, histogram: Histogram<T>) -> Self {
        self.series.push((name.into(), histogram));
        self
    }
}

impl<T> Default for AsciiChart<T> {
    fn default() -> Self {
        Self::new()
    }
}
