//! Standing: what was found against nodes, which rights their owners lost for it, and until when.

use crate::{Effect, part::Rooted};
use identity::{Digest, PublicKey, canonical};
use protocol::{Cause, Finding, Height, Params, Right, Sanction, Time};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Findings, and sanctions, that are remembered. Older ones are in the blocks.
const REMEMBERED: usize = 10_000;
/// Contradictions of one node that are recorded in the time of one sanction.
const CONTRADICTIONS: usize = 16;

/// Findings and sanctions, oldest first, and what failed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Standing {
    findings: Vec<Finding>,
    sanctions: Vec<Sanction>,
    /// Disputes and accusations of an owner that failed since one succeeded, or since it lost the
    /// right to file them.
    failures: BTreeMap<String, u32>,
    /// Accusations that failed, by a digest of what was signed, until they cannot come again.
    failed: BTreeMap<String, Time>,
}

impl Standing {
    pub(crate) fn findings(&self) -> &[Finding] {
        &self.findings
    }

    pub(crate) fn sanctions(&self) -> &[Sanction] {
        &self.sanctions
    }

    /// The sanction by which an owner has not this right now.
    pub(crate) fn active(&self, owner: &PublicKey, right: Right) -> Option<&Sanction> {
        self.sanctions
            .iter()
            .rev()
            .find(|s| s.owner == *owner && s.right == right && s.released.is_none())
    }

    /// Whether this is held against the node already.
    pub(crate) fn is_known(&self, node: &PublicKey, cause: &Cause) -> bool {
        self.findings.iter().any(|finding| finding.node == *node && finding.cause == *cause)
    }

    /// Records a finding, and sanctions the owner unless it has lost the right already: what comes
    /// to light while it has belongs to the same sanction. Gives until when it is not drawn, if
    /// that begins now.
    pub(crate) fn find(
        &mut self,
        finding: Finding,
        params: &Params,
        effects: &mut Vec<Effect>,
    ) -> Option<Time> {
        let (owner, right) = (finding.owner, finding.cause.right());
        effects.push(Effect::Found(finding.clone()));
        self.findings.push(finding.clone());
        forget(&mut self.findings, |_| true);
        if self.active(&owner, right).is_some() {
            return None;
        }
        let before = self.sanctions.iter().filter(|s| s.owner == owner && s.right == right).count();
        let last = params.sanctions_ms.len() - 1;
        let until = finding.time.after_ms(params.sanctions_ms[before.min(last)]);
        let strike = u32::try_from(before + 1).unwrap_or(u32::MAX);
        let sanction = Sanction { owner, right, finding, strike, until, released: None };
        effects.push(Effect::Sanctioned(sanction.clone()));
        self.sanctions.push(sanction);
        forget(&mut self.sanctions, |sanction| sanction.released.is_some());
        (right == Right::Execute).then_some(until)
    }

    /// Gives rights back whose time has come, and tells which.
    pub(crate) fn release(&mut self, height: Height, time: Time) -> Vec<(PublicKey, Right)> {
        let due = |s: &&mut Sanction| s.released.is_none() && s.until <= time;
        let release = |sanction: &mut Sanction| {
            sanction.released = Some(height);
            (sanction.owner, sanction.right)
        };
        self.sanctions.iter_mut().filter(due).map(release).collect()
    }

    /// Something that an owner filed failed. Gives how many did by now, if that is too many.
    pub(crate) fn fail(&mut self, owner: &PublicKey, params: &Params) -> Option<u32> {
        let failures = self.failures.entry(owner.to_string()).or_default();
        *failures += 1;
        let failed = *failures;
        if failed < params.failed_disputes {
            return None;
        }
        self.failures.remove(&owner.to_string());
        Some(failed)
    }

    /// How many disputes and accusations of an owner failed since one succeeded.
    pub(crate) fn failures(&self, owner: &PublicKey) -> u32 {
        self.failures.get(&owner.to_string()).copied().unwrap_or(0)
    }

    /// Something that an owner filed was right.
    pub(crate) fn succeed(&mut self, owner: &PublicKey) {
        self.failures.remove(&owner.to_string());
    }

    /// Remembers an accusation that failed; false if it is remembered already.
    pub(crate) fn remember_failed(&mut self, accusation: Digest, until: Time) -> bool {
        self.failed.insert(accusation.to_string(), until).is_none()
    }

    /// Forgets failed accusations that are too old to be taken again.
    pub(crate) fn prune(&mut self, time: Time) {
        self.failed.retain(|_, until| *until >= time);
    }

    /// Whether [`Self::prune`] would forget something.
    pub(crate) fn is_stale(&self, time: Time) -> bool {
        self.failed.values().any(|until| *until < time)
    }

    /// Whether [`Self::release`] would give a right back.
    pub(crate) fn is_over(&self, time: Time) -> bool {
        self.sanctions.iter().any(|s| s.released.is_none() && s.until <= time)
    }

    /// Whether the node was found often enough to contradict itself since its owner is not drawn: the
    /// owner has been sanctioned for that, and further proofs would only fill the record.
    pub(crate) fn is_found_out(&self, node: &PublicKey, owner: &PublicKey) -> bool {
        let Some(sanction) = self.active(owner, Right::Execute) else { return false };
        let since = sanction.finding.height;
        let theirs = self.findings.iter().rev().take_while(|found| found.height >= since);
        let contradictions = theirs
            .filter(|found| found.node == *node && !matches!(found.cause, Cause::Refuted { .. }));
        contradictions.count() >= CONTRADICTIONS
    }
}

impl Rooted for Standing {
    fn root(&self) -> Digest {
        Digest::of("polity standing", &[&canonical::encode(self)])
    }
}

/// Drops the oldest entry that may be dropped, if there are too many.
fn forget<T>(list: &mut Vec<T>, may: impl Fn(&T) -> bool) {
    if list.len() > REMEMBERED
        && let Some(oldest) = list.iter().position(may)
    {
        list.remove(oldest);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use protocol::{Attempt, JobId, TaskIndex};

    fn finding(owner: u8, view: u64) -> Finding {
        let cause = Cause::Votes { epoch: 0, view };
        let (node, owner) = (PublicKey([100 + owner; 32]), PublicKey([owner; 32]));
        let (tx, height, time) = (Digest([view as u8; 32]), Height(view), Time(view));
        Finding { node, owner, cause, tx, height, time }
    }

    #[test]
    fn the_oldest_finding_is_forgotten_first() {
        let (mut standing, params) = (Standing::default(), Params::default());
        let many = REMEMBERED as u64 + 5;
        for view in 0..many {
            standing.find(finding(1, view), &params, &mut Vec::new());
        }
        assert_eq!(standing.findings().len(), REMEMBERED);
        assert_eq!(standing.findings()[0].cause, Cause::Votes { epoch: 0, view: 5 });
        assert!(!standing.is_known(&PublicKey([101; 32]), &Cause::Votes { epoch: 0, view: 4 }));
        assert_eq!(standing.sanctions().len(), 1);
    }

    #[test]
    fn a_sanction_is_not_forgotten_before_it_ends() {
        let (mut standing, params) = (Standing::default(), Params::default());
        standing.find(finding(1, 0), &params, &mut Vec::new());
        let mut ended = standing.sanctions[0].clone();
        ended.owner = PublicKey([2; 32]);
        ended.released = Some(Height(1));
        standing.sanctions.extend(std::iter::repeat_n(ended, REMEMBERED));
        standing.find(finding(3, 9), &params, &mut Vec::new());
        assert_eq!(standing.sanctions().len(), REMEMBERED + 1);
        assert!(standing.active(&PublicKey([1; 32]), Right::Execute).is_some());
        assert!(standing.active(&PublicKey([3; 32]), Right::Execute).is_some());
        assert_eq!(standing.release(Height(9), Time(u64::MAX)).len(), 2);
    }

    #[test]
    fn rights_are_lost_and_given_back_apart() {
        let (mut standing, params) = (Standing::default(), Params::default());
        let owner = PublicKey([1; 32]);
        let drawn = standing.find(finding(1, 0), &params, &mut Vec::new());
        assert_eq!(drawn, Some(Time(params.sanctions_ms[0])));
        let unfounded = Finding { cause: Cause::Unfounded { failed: 3 }, ..finding(1, 10) };
        assert_eq!(standing.find(unfounded, &params, &mut Vec::new()), None, "it is drawn on");
        assert_eq!(standing.sanctions()[1].strike, 1);
        let first = Time(params.sanctions_ms[0]);
        assert_eq!(standing.release(Height(5), first), [(owner, Right::Execute)]);
        assert!(standing.active(&owner, Right::Dispute).is_some());
    }

    #[test]
    fn one_deed_is_known_by_who_did_it_and_where() {
        let mut standing = Standing::default();
        let job = JobId(objects::Cid::of(objects::Codec::Raw, b"job"));
        let at = |task| Cause::Commits { job, task: TaskIndex(task), attempt: Attempt(0) };
        let said = Finding { cause: at(1), ..finding(1, 0) };
        standing.find(said, &Params::default(), &mut Vec::new());
        assert!(standing.is_known(&PublicKey([101; 32]), &at(1)));
        assert!(!standing.is_known(&PublicKey([101; 32]), &at(2)));
        assert!(!standing.is_known(&PublicKey([102; 32]), &at(1)));
    }
}
