//! Audits: final tasks that the next beacon picks, run again by owners that had no part in them.

use crate::fixture::{Polity, agree, fair, lie, public};
use identity::{PublicKey, Signed};
use ledger::{AuditCount, Duty, Effect, Refusal};
use protocol::{Dispute, Height, Job, TaskIndex, Time, Tx, draw};

/// Every final task is audited by two.
fn polity() -> (Polity, Signed<Job>) {
    let polity = Polity::with(|params| (params.audit_per_mille, params.auditors) = (1_000, 2));
    let order = polity.order(2, 3);
    (polity, order)
}

/// Task 0 is final, and picked.
fn picked() -> (Polity, Signed<Job>, Duty, Vec<PublicKey>) {
    let (mut polity, order) = polity();
    let agreements = polity.agreed(&order, &[0]);
    let executors = agreements.commits.iter().map(|batch| batch.statement.by).collect();
    polity.block(vec![agree(agreements)]);
    polity.block(vec![]);
    let duty = polity.ledger.duties().next().unwrap().clone();
    (polity, order, duty, executors)
}

fn number(node: &PublicKey) -> u8 {
    (100..=110).find(|n| public(*n) == *node).unwrap()
}

fn answer(polity: &Polity, by: u8, order: &Signed<Job>, outcome: protocol::OutcomeDigest) -> Tx {
    Tx::Audit(polity.audit(by, order, 0, outcome))
}

#[test]
fn the_beacon_of_the_next_block_picks_and_names_the_auditors() {
    let (mut polity, order) = polity();
    let id = order.payload.id();
    let agreements = polity.agreed(&order, &[0, 1]);
    let tx = agree(agreements.clone());
    polity.block(vec![tx.clone()]);
    assert_eq!(polity.ledger.duties().count(), 0, "nobody knows yet");
    assert_eq!(polity.ledger.audited(&id), AuditCount { picked: 0, audited: 0 });
    assert!(polity.ledger.owes_block());
    polity.block(vec![]);
    assert!(!polity.ledger.owes_block());
    assert_eq!(polity.ledger.audited(&id), AuditCount { picked: 2, audited: 0 });
    let duties: Vec<_> = polity.ledger.duties().cloned().collect();
    assert_eq!(duties.len(), 2);
    let beacon = polity.ledger.beacon_at(Height(2)).unwrap();
    for duty in duties {
        let said = agreements.commits.iter().filter(|b| b.leaves[0].task == duty.task);
        let executors: Vec<_> = said.map(|batch| batch.statement.by).collect();
        let roster = polity.ledger.roster();
        let expected = draw::auditors(beacon, (&id, duty.task), roster, &executors, 2);
        assert_eq!((expected.len(), &duty.auditors), (2, &expected));
        assert!(duty.auditors.iter().all(|auditor| !executors.contains(auditor)));
        assert_eq!((duty.job, duty.tx, duty.settled), (id, tx.digest(), Height(1)));
        assert_eq!((duty.outcome, duty.answered), (fair(duty.task.0), vec![]));
        assert_eq!(duty.expires, polity.time().after_ms(5_000));
    }
    polity.block(vec![]);
    assert_eq!(polity.ledger.audited(&id).picked, 2, "once");
}

#[test]
fn as_many_tasks_are_picked_as_the_genesis_says() {
    let mut polity = Polity::with(|params| params.audit_per_mille = 300);
    let mut picked = 0;
    for n in 0..20 {
        let order = polity.order_with(|job| job.nonce = identity::Digest([n; 32]));
        polity.block(vec![agree(polity.agreed(&order, &[0, 1, 2, 3, 4, 5, 6, 7]))]);
        polity.block(vec![]);
        picked += polity.ledger.audited(&order.payload.id()).picked;
    }
    // Of 160, four standard deviations around 48.
    assert!((24..=72).contains(&picked), "{picked}");
}

#[test]
fn nothing_is_audited_if_there_is_nobody_to_do_it() {
    let (mut polity, _) = polity();
    let order = polity.order(5, 5);
    polity.block(vec![agree(polity.agreed(&order, &[0]))]);
    polity.block(vec![]);
    assert_eq!(polity.ledger.duties().count(), 0);
    assert_eq!(polity.ledger.audited(&order.payload.id()), AuditCount::default());
}

#[test]
fn a_task_is_audited_with_the_first_answer_and_done_with_the_last() {
    let (mut polity, order, duty, _) = picked();
    let (job, task) = (order.payload.id(), TaskIndex(0));
    let [one, two] = duty.auditors[..] else { panic!("two auditors") };
    let first = answer(&polity, number(&one), &order, fair(0));
    let effects = polity.block(vec![first.clone()]);
    assert_eq!(effects, [Effect::Audited { job, task, by: one }]);
    assert_eq!(polity.ledger.audited(&job), AuditCount { picked: 1, audited: 1 });
    assert_eq!(polity.ledger.duties().next().unwrap().answered, [one]);
    assert_eq!(polity.refusal(first.clone()), Some(Refusal::NothingNew));
    let second = answer(&polity, number(&two), &order, fair(0));
    let effects = polity.block(vec![second]);
    assert_eq!(effects, [Effect::Audited { job, task, by: two }]);
    assert_eq!(polity.ledger.audited(&job), AuditCount { picked: 1, audited: 1 });
    assert_eq!(polity.ledger.duties().count(), 0);
    assert_eq!(polity.refusal(first), Some(Refusal::NotAnAuditor(one)));
}

#[test]
fn another_outcome_is_a_dispute_and_no_audit() {
    let (polity, order, duty, _) = picked();
    let tx = answer(&polity, number(&duty.auditors[0]), &order, lie(0));
    let (job, task) = (order.payload.id(), TaskIndex(0));
    assert_eq!(polity.refusal(tx), Some(Refusal::Differs { job, task }));
}

#[test]
fn only_who_was_drawn_audits() {
    let (polity, order, duty, executors) = picked();
    let others = (101..=105).map(public).filter(|node| !duty.auditors.contains(node));
    for node in others.chain(executors).chain([public(110)]) {
        let tx = answer(&polity, number(&node), &order, fair(0));
        assert_eq!(polity.refusal(tx), Some(Refusal::NotAnAuditor(node)));
    }
    let elsewhere = polity.audit(number(&duty.auditors[0]), &order, 1, fair(1));
    let refused = polity.refusal(Tx::Audit(elsewhere));
    assert_eq!(refused, Some(Refusal::NotAnAuditor(duty.auditors[0])), "not that task");
}

#[test]
fn an_audit_that_comes_too_late_does_not_count() {
    let (mut polity, order, duty, _) = picked();
    let tx = answer(&polity, number(&duty.auditors[0]), &order, fair(0));
    polity.block_at(duty.expires, vec![]);
    assert_eq!(polity.ledger.duties().count(), 1);
    let mut in_time = Polity { genesis: polity.genesis.clone(), ledger: polity.ledger.clone() };
    polity.block_at(Time(duty.expires.0 + 1), vec![]);
    assert_eq!(polity.ledger.duties().count(), 0);
    assert_eq!(polity.refusal(tx.clone()), Some(Refusal::NotAnAuditor(duty.auditors[0])));
    let count = polity.ledger.audited(&order.payload.id());
    assert_eq!(count, AuditCount { picked: 1, audited: 0 }, "and nobody says it was audited");
    let now = Time(duty.expires.0 + 1);
    let (block, _) = in_time.ledger.propose(&crate::fixture::key(101), now, &[in_time.checked(tx)]);
    assert_eq!(block.txs, [], "the block that ends the duty does not take it");
    in_time.block(vec![]);
}

/// An auditor that found something else files what the executors said and what it found.
fn contradicted(
    polity: &Polity,
    order: &Signed<Job>,
    (executors, said): (&[PublicKey], protocol::OutcomeDigest),
    (auditor, found): (u8, protocol::OutcomeDigest),
) -> Dispute {
    let said: Vec<_> = executors.iter().map(|node| (number(node), said)).collect();
    let mut dispute = polity.disputed(order, 0, &said);
    dispute.audits = vec![polity.audit(auditor, order, 0, found)];
    dispute.drawn = Height(0);
    dispute
}

#[test]
fn an_auditor_that_found_something_else_disputes_a_final_task() {
    let (mut polity, order, duty, executors) = picked();
    let auditor = number(&duty.auditors[0]);
    let said = (&executors[..], fair(0));
    let dispute = contradicted(&polity, &order, said, (auditor, lie(0)));
    polity.block(vec![polity.file(auditor, dispute)]);
    let record = polity.ledger.dispute(&order.payload.id(), TaskIndex(0)).unwrap();
    assert!(record.after_final);
    assert_eq!(record.claims.len(), 3);
    polity.rule(&order, 0);
    assert!(polity.ledger.is_barred(&public(auditor - 100)), "the auditor lied");
    assert_eq!(polity.ledger.findings().len(), 1);
    assert_eq!(polity.ledger.audited(&order.payload.id()).audited, 0);
    assert!(polity.ledger.is_final(&order.payload.id(), TaskIndex(0)));
}

#[test]
fn executors_that_agreed_on_a_lie_are_found_out_by_an_audit() {
    let (mut polity, order) = polity();
    let nodes = polity.candidates(&order.payload.id(), 0, Height(0));
    let said = [(nodes[0], lie(0)), (nodes[1], lie(0))];
    let mut agreements = polity.agreement(&order, (0, Height(0)), &said, &[]);
    agreements.tasks[0].outcome = lie(0);
    polity.block(vec![agree(agreements)]);
    polity.block(vec![]);
    let duty = polity.ledger.duties().next().unwrap().clone();
    assert_eq!(duty.outcome, lie(0));
    let auditor = number(&duty.auditors[0]);
    let executors = [public(nodes[0]), public(nodes[1])];
    let dispute = contradicted(&polity, &order, (&executors, lie(0)), (auditor, fair(0)));
    let tx = polity.file(auditor, dispute);
    polity.block(vec![tx]);
    polity.rule(&order, 0);
    for node in &nodes[..2] {
        assert!(polity.ledger.is_barred(&public(node - 100)));
    }
    assert!(!polity.ledger.is_barred(&public(auditor - 100)));
}

#[test]
fn who_was_not_drawn_as_an_auditor_claims_nothing() {
    let (mut polity, order, duty, executors) = picked();
    let said = (&executors[..], fair(0));
    let outsider = (101..=105)
        .find(|n| !duty.auditors.contains(&public(*n)) && !executors.contains(&public(*n)))
        .unwrap();
    let dispute = contradicted(&polity, &order, said, (outsider, lie(0)));
    let refused = polity.refusal(polity.file(outsider, dispute));
    assert_eq!(refused, Some(Refusal::NotAnAuditor(public(outsider))));
    let auditor = number(&duty.auditors[0]);
    let late = contradicted(&polity, &order, said, (auditor, lie(0)));
    let late = polity.file(auditor, late);
    assert_eq!(polity.refusal(late.clone()), None);
    polity.block_at(Time(duty.expires.0 + 1), vec![]);
    assert_eq!(polity.refusal(late), Some(Refusal::NotAnAuditor(public(auditor))));
}

#[test]
fn sanctioned_parties_do_not_audit() {
    let (mut polity, order) = polity();
    let nodes = polity.candidates(&order.payload.id(), 0, Height(0));
    let tx = agree(polity.agreed(&order, &[0]));
    let other = polity.order_with(|job| job.nonce = identity::Digest([9; 32]));
    let said: Vec<_> = nodes[2..].iter().map(|node| (*node, lie(0))).collect();
    let said = [&said[..], &[(nodes[0], fair(0))]].concat();
    polity.block(vec![polity.dispute(&other, 0, &said)]);
    polity.rule(&other, 0);
    assert_eq!(polity.ledger.sanctions().len(), 3);
    polity.block(vec![tx]);
    polity.block(vec![]);
    assert_eq!(polity.ledger.duties().count(), 0, "nobody is left");
}
