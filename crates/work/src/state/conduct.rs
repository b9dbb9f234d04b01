//! How a node behaved towards this home.

use serde::{Deserialize, Serialize};

/// From so many on older deeds count half.
const RECENT: u32 = 256;

/// What a node did, since it was first heard of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Conduct {
    /// Tasks that were agreed on with its outcome.
    pub completed: u64,
    /// Replicas that were lost with it.
    pub lost: u64,
    /// Replicas of which it had no result.
    pub no_result: u64,
    /// Leases that it let run out without a word.
    pub silent: u64,
    /// Answers that it gave twice, in other words.
    pub contradicted: u64,
    /// Answers that it gave twice, in the same words: it may have been asked twice.
    pub repeated: u64,
    /// Answers about replicas that it never had.
    pub foreign: u64,
    /// Answers that came sooner than any machine could have found them.
    pub impossible: u64,
    /// Weight of what spoke for it of late.
    good: u32,
    /// Weight of what spoke against it of late.
    bad: u32,
}

impl Conduct {
    /// A thousand for a node that did all that it was asked, less for one that did not.
    pub(crate) fn factor(&self) -> u32 {
        // As if it had done four tasks before it was first asked.
        let good = self.good.saturating_add(4);
        let all = good.saturating_add(self.bad);
        u32::try_from(u64::from(good) * 1_000 / u64::from(all.max(1))).unwrap_or(1_000)
    }

    pub(crate) fn did_well(&mut self) {
        self.completed += 1;
        self.good += 1;
        self.fade();
    }

    pub(crate) fn did_badly(&mut self, weight: u32) {
        self.bad += weight;
        self.fade();
    }

    fn fade(&mut self) {
        if self.good + self.bad >= RECENT {
            (self.good, self.bad) = (self.good / 2, self.bad / 2);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_counts_until_enough_went_well_after_it() {
        let mut conduct = Conduct::default();
        assert_eq!(conduct.factor(), 1_000);
        conduct.did_badly(4);
        assert_eq!(conduct.factor(), 500);
        (0..1_000).for_each(|_| conduct.did_well());
        assert!(conduct.factor() > 980, "{}", conduct.factor());
        (0..10_000).for_each(|_| conduct.did_badly(8));
        assert!(conduct.factor() < 50 && conduct.bad < RECENT);
    }
}
