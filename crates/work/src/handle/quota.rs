//! A submitter gets a quota of its own.

use crate::{Quota, Work, quota::QUOTAS, turn::Turn};
use identity::PublicKey;

impl Work {
    pub(crate) fn on_quota(
        &mut self,
        submitter: PublicKey,
        quota: Option<Quota>,
        turn: &mut Turn<'_>,
    ) {
        match quota {
            Some(_) if self.quotas.len() >= QUOTAS && !self.quotas.contains_key(&submitter) => {
                self.counts.over_bounds += 1;
            }
            Some(quota) => {
                self.quotas.insert(submitter, quota);
            }
            None => {
                self.quotas.remove(&submitter);
            }
        }
        turn.hungry.append(&mut self.capped);
    }
}
