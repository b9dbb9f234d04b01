//! Outcomes of a task differ: the validators are to run it again.

use super::order;
use crate::{CheckedTx, DisputeRecord, DisputeStatus, Effect, Ledger, Refusal};
use identity::{Digest, PublicKey, Signed};
use protocol::{Cause, Claimed, Dispute, Height, OutcomeDigest, Right, Time};

pub(crate) fn apply(
    ledger: &mut Ledger,
    (height, time): (Height, Time),
    (dispute, claimed): (&Signed<Dispute>, &Claimed),
    checked: &CheckedTx,
    effects: &mut Vec<Effect>,
) -> Result<(), Refusal> {
    let filer = ledger.owner_of(&dispute.by)?;
    if let Some(sanction) = ledger.standing.active(&filer, Right::Dispute) {
        return Err(Refusal::Barred { owner: filer, until: sanction.until });
    }
    check(ledger, height, time, &dispute.payload, claimed)?;
    let (job, task) = (dispute.payload.order.payload.id(), dispute.payload.task);
    let tx = (checked.digest(), height);
    let Some(record) = ledger.disputes.get(&job, task) else {
        return open(ledger, time, (filer, dispute), claimed, tx, effects);
    };
    let fresh = fresh_claims(record, claimed);
    match record.status {
        DisputeStatus::Undecided { .. } => Err(Refusal::Undecided { job, task }),
        DisputeStatus::Open if fresh.is_empty() => Err(Refusal::NothingNew),
        DisputeStatus::Open => {
            add(ledger, &dispute.payload, fresh, tx);
            Ok(())
        }
        DisputeStatus::Decided { outcome, .. } => {
            let refuted: Vec<_> = fresh.into_iter().filter(|(_, o)| *o != outcome).collect();
            if refuted.is_empty() {
                return Err(Refusal::NothingNew);
            }
            let nodes: Vec<_> = refuted.iter().map(|(node, _)| *node).collect();
            add(ledger, &dispute.payload, refuted, tx);
            let cause = Cause::Refuted { job, task };
            nodes.iter().for_each(|n| ledger.find(*n, &cause, (tx.0, height, time), effects));
            Ok(())
        }
    }
}

/// The checks that need the state but not the dispute's own record.
fn check(
    ledger: &Ledger,
    height: Height,
    time: Time,
    dispute: &Dispute,
    claimed: &Claimed,
) -> Result<(), Refusal> {
    let job = &dispute.order.payload;
    order::check(ledger, &dispute.order, time)?;
    order::check_drawn(ledger, (&job.id(), job), dispute.drawn, height)?;
    if job.limits.fuel > ledger.params.verdict_fuel {
        let (asked, most) = (job.limits.fuel, ledger.params.verdict_fuel);
        return Err(Refusal::Fuel { asked, most });
    }
    let roster = ledger.roster_at(dispute.drawn).ok_or(Refusal::Drawn(dispute.drawn))?;
    let barred = roster.barred_parties();
    let is_candidate =
        |node: &PublicKey| roster.party_of_node(node).is_some_and(|p| !barred.contains(&p));
    if let Some(stranger) = claimed.executors.keys().find(|node| !is_candidate(node)) {
        return Err(Refusal::NotACandidate(*stranger));
    }
    let duty = ledger.audits.duty(&job.id(), dispute.task);
    let is_auditor = |node: &PublicKey| duty.is_some_and(|duty| duty.auditors.contains(node));
    match claimed.auditors.keys().find(|node| !is_auditor(node)) {
        Some(stranger) => Err(Refusal::NotAnAuditor(*stranger)),
        None => Ok(()),
    }
}

/// How long validators have: longer, the more they have to do already.
fn patience_ms(ledger: &Ledger) -> u64 {
    let (verdict_ms, open) = (ledger.params.verdict_ms, ledger.disputes.open() as u64);
    verdict_ms.saturating_add((verdict_ms / 8).saturating_mul(open))
}

fn open(
    ledger: &mut Ledger,
    time: Time,
    (filer, filed): (PublicKey, &Signed<Dispute>),
    claimed: &Claimed,
    tx: (Digest, Height),
    effects: &mut Vec<Effect>,
) -> Result<(), Refusal> {
    let most = ledger.params.open_disputes;
    if ledger.disputes.open_of(&filer) >= most as usize {
        return Err(Refusal::TooManyDisputes { owner: filer, most });
    }
    let Dispute { order, task, .. } = &filed.payload;
    let (order, task, height) = (&order.payload, *task, tx.1);
    let (job, home) = (order.id(), order.home);
    let mut record = DisputeRecord {
        job,
        task,
        home,
        filer,
        filed_by: filed.by,
        opened: height,
        deadline: time.after_ms(patience_ms(ledger)),
        expires: order.expires,
        claims: Vec::new(),
        rulings: Vec::new(),
        status: DisputeStatus::Open,
        txs: vec![tx],
        after_final: ledger.is_final(&job, task),
    };
    record.claims = fresh_claims(&record, claimed);
    ledger.disputes.insert(record);
    effects.push(Effect::Disputed { job, task, home, height });
    Ok(())
}

/// Claims of nodes that have none in the record yet, one for each.
fn fresh_claims(record: &DisputeRecord, claimed: &Claimed) -> Vec<(PublicKey, OutcomeDigest)> {
    let mut fresh: Vec<(PublicKey, OutcomeDigest)> = Vec::new();
    for (node, outcome) in claimed.all() {
        let known = record.claims.iter().chain(&fresh).any(|(other, _)| *other == node);
        if !known {
            fresh.push((node, outcome));
        }
    }
    fresh
}

fn add(
    ledger: &mut Ledger,
    dispute: &Dispute,
    claims: Vec<(PublicKey, OutcomeDigest)>,
    tx: (Digest, Height),
) {
    if let Some(record) = ledger.disputes.get_mut(&dispute.order.payload.id(), dispute.task) {
        record.claims.extend(claims);
        record.txs.push(tx);
    }
}
