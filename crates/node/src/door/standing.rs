//! What the ledger holds about lies: disputes, findings, sanctions.

use super::Door;
use api::{ClaimInfo, DisputeInfo, DisputeState, EvidenceInfo, LostRight, SanctionInfo, path};
use identity::PublicKey;
use ledger::{DisputeRecord, DisputeStatus, Ledger};
use protocol::{Certificate, OutcomeDigest, dispute_name};

fn name_of(ledger: &Ledger, owner: &PublicKey) -> String {
    ledger.roster().owner(owner).map(|record| record.name.clone()).unwrap_or_default()
}

/// The rights that an owner itself does not have now.
pub(super) fn lost(ledger: &Ledger, owner: &PublicKey) -> Vec<LostRight> {
    let theirs = |s: &&protocol::Sanction| s.owner == *owner && s.released.is_none();
    let lost = |s: &protocol::Sanction| LostRight { right: s.right, until: s.until };
    ledger.sanctions().iter().filter(theirs).map(lost).collect()
}

/// How far a dispute is.
pub(super) fn state_of(ledger: &Ledger, record: &DisputeRecord) -> DisputeState {
    let count = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
    match record.status {
        DisputeStatus::Open => DisputeState::Open {
            opened: record.opened,
            deadline: record.deadline,
            rulings: count(record.rulings.len()),
            quorum: count(Certificate::quorum(ledger.validators().len())),
            validators: count(ledger.validators().len()),
        },
        DisputeStatus::Decided { outcome, height } => {
            DisputeState::Decided { outcome, height: Some(height), refuted: record.others(outcome) }
        }
        DisputeStatus::Undecided { height } => DisputeState::Undecided { height: Some(height) },
    }
}

fn dispute_info(ledger: &Ledger, record: &DisputeRecord) -> DisputeInfo {
    let said = |node: PublicKey, outcome: Option<OutcomeDigest>| {
        let owner = ledger.roster().node(&node).map_or(node, |record| record.owner);
        ClaimInfo { node, owner, owner_name: name_of(ledger, &owner), outcome }
    };
    DisputeInfo {
        id: dispute_name(&record.job, record.task),
        job: record.job,
        task: record.task,
        filer: record.filer,
        opened: record.opened,
        after_final: record.after_final,
        claims: record.claims.iter().map(|(node, outcome)| said(*node, Some(*outcome))).collect(),
        rulings: record.rulings.iter().map(|(node, outcome)| said(*node, *outcome)).collect(),
        state: state_of(ledger, record),
    }
}

impl Door {
    pub(super) fn disputes_now(&self) -> Vec<DisputeInfo> {
        let ledger = self.home.chain.ledger();
        let mut records: Vec<_> = ledger.disputes().collect();
        records.sort_by_key(|record| std::cmp::Reverse((record.opened, record.job, record.task)));
        records.truncate(path::DISPUTES);
        records.into_iter().map(|record| dispute_info(&ledger, record)).collect()
    }

    pub(super) fn sanctions_now(&self) -> Vec<SanctionInfo> {
        let ledger = self.home.chain.ledger();
        let latest = ledger.sanctions().iter().rev().take(path::SANCTIONS);
        latest.map(|s| SanctionInfo::of(s.clone(), name_of(&ledger, &s.owner))).collect()
    }

    pub(super) fn evidence_now(&self) -> Vec<EvidenceInfo> {
        let ledger = self.home.chain.ledger();
        let of = |finding: &protocol::Finding| {
            EvidenceInfo::of(finding.clone(), name_of(&ledger, &finding.owner))
        };
        ledger.findings().iter().rev().filter_map(of).take(path::EVIDENCE).collect()
    }
}
