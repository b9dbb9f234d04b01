//! What went wrong in a run, and what came of it, as numbers.

use std::{collections::BTreeMap, fmt};

/// Counts of one run, or of many.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// How much time passed in the world.
    pub virtual_ms: u64,
    counts: BTreeMap<String, u64>,
    most: BTreeMap<String, u64>,
}

impl Tally {
    /// One more of these.
    pub(super) fn count(&mut self, what: impl Into<String>) {
        *self.counts.entry(what.into()).or_default() += 1;
    }

    /// The largest of these so far.
    pub(super) fn most(&mut self, what: &str, value: u64) {
        let known = self.most.entry(what.into()).or_default();
        *known = value.max(*known);
    }

    /// How many of these there were.
    pub fn of(&self, what: &str) -> u64 {
        self.counts.get(what).copied().unwrap_or(0)
    }

    /// Adds the numbers of another run.
    pub fn add(&mut self, other: &Self) {
        self.virtual_ms += other.virtual_ms;
        for (what, count) in &other.counts {
            *self.counts.entry(what.clone()).or_default() += count;
        }
        for (what, value) in &other.most {
            self.most(what, *value);
        }
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let hours = self.virtual_ms / 3_600_000;
        let tenths = self.virtual_ms % 3_600_000 / 360_000;
        writeln!(f, "{hours:>9}.{tenths} simulated hours")?;
        let all = self.counts.iter().chain(&self.most);
        all.into_iter().try_for_each(|(what, count)| writeln!(f, "{count:>11} {what}"))
    }
}
