//! What may be agreed on about a task that is disputed.

use crate::fixture::{Polity, agree, fair, lie, public};
use identity::Signed;
use ledger::{CheckedTx, Effect, Refusal};
use protocol::{
    AgreementError, Attempt, CommitBatch, Commitment, Error, Height, Job, OutcomeDigest, TaskIndex,
    Tx, draw::SkipReason,
};

/// A polity, an order, and the candidates of its task 0 with the beacon of the genesis.
fn polity() -> (Polity, Signed<Job>, Vec<u8>) {
    let polity = Polity::new();
    let order = polity.order(2, 3);
    let candidates = polity.candidates(&order.payload.id(), 0, Height(0));
    (polity, order, candidates)
}

const AT: (u32, Height) = (0, Height(0));

/// The first candidate lies, the others do not.
fn said(candidates: &[u8], replicas: usize) -> Vec<(u8, OutcomeDigest)> {
    let outcome = |n: usize| if n == 0 { lie(0) } else { fair(0) };
    (0..replicas).map(|n| (candidates[n], outcome(n))).collect()
}

fn decide(polity: &mut Polity, order: &Signed<Job>, candidates: &[u8]) {
    let said = said(candidates, 3);
    polity.block(vec![polity.dispute(order, 0, &said)]);
    polity.rule(order, 0);
    assert!(!polity.ledger.findings().is_empty());
}

#[test]
fn agreements_wait_while_the_task_is_disputed() {
    let (mut polity, order, nodes) = polity();
    let honest = polity.agreement(&order, AT, &said(&nodes, 3), &[(nodes[0], SkipReason::Lost)]);
    let tx = agree(honest);
    assert_eq!(polity.refusal(tx.clone()), None);
    polity.block(vec![polity.dispute(&order, 0, &said(&nodes, 3))]);
    let (job, task) = (order.payload.id(), TaskIndex(0));
    let refused = polity.refusal(tx.clone()).unwrap();
    assert_eq!(refused, Refusal::Disputed { job, task });
    assert!(refused.is_passing());
    let other = agree(polity.agreed(&order, &[1]));
    assert_eq!(polity.refusal(other), None, "other tasks do not wait");
    polity.rule(&order, 0);
    let effects = polity.block(vec![tx]);
    assert!(matches!(&effects[..], [Effect::Settled { .. }]), "{effects:?}");
}

#[test]
fn what_a_verdict_refutes_is_not_agreed_on() {
    let (mut polity, order, nodes) = polity();
    // Two liars agree; the third replica of three shows it.
    let said = [(nodes[0], lie(0)), (nodes[1], lie(0)), (nodes[2], fair(0))];
    let mut lies = polity.agreement(&order, AT, &said[..2], &[]);
    lies.tasks[0].outcome = lie(0);
    let tx = agree(lies);
    assert_eq!(polity.refusal(tx.clone()), None, "a home that stays silent may lie");
    polity.block(vec![polity.dispute(&order, 0, &said)]);
    polity.rule(&order, 0);
    let (job, task) = (order.payload.id(), TaskIndex(0));
    let refused = polity.refusal(tx).unwrap();
    assert_eq!(refused, Refusal::Refuted { job, task });
    assert!(!refused.is_passing());
}

#[test]
fn a_task_that_could_not_be_decided_is_not_agreed_on() {
    let (mut polity, order, nodes) = polity();
    let skipped = [(nodes[0], SkipReason::Lost)];
    let tx = agree(polity.agreement(&order, AT, &said(&nodes, 3), &skipped));
    let by_verdict = polity.decided(&order, AT, &said(&nodes, 3), &skipped);
    polity.block(vec![polity.dispute(&order, 0, &said(&nodes, 3))]);
    polity.hang(&order, 0);
    let (job, task) = (order.payload.id(), TaskIndex(0));
    for tx in [tx, by_verdict] {
        assert_eq!(polity.refusal(tx), Some(Refusal::Undecided { job, task }));
    }
}

#[test]
fn one_replica_is_enough_with_a_verdict_and_only_then() {
    let (mut polity, order, nodes) = polity();
    let skipped = [(nodes[0], SkipReason::Refuted)];
    let tx = polity.decided(&order, AT, &said(&nodes, 2), &skipped);
    assert_eq!(polity.refusal(tx.clone()), Some(Refusal::NoVerdict(TaskIndex(0))));
    decide(&mut polity, &order, &nodes);
    let alone = polity.agreement(&order, AT, &said(&nodes, 2), &skipped);
    let few = AgreementError::TooFew { task: TaskIndex(0), got: 1, needed: 2 };
    assert_eq!(CheckedTx::new(agree(alone), polity.network()), Err(Error::Agreement(few)));
    let effects = polity.block(vec![tx.clone()]);
    assert!(matches!(&effects[..], [Effect::Settled { .. }]), "{effects:?}");
    assert!(polity.ledger.is_final(&order.payload.id(), TaskIndex(0)));
    assert!(matches!(polity.refusal(tx), Some(Refusal::Final { .. })));
}

#[test]
fn with_a_verdict_the_walk_need_not_be_fair_but_strangers_stay_out() {
    let (mut polity, order, nodes) = polity();
    decide(&mut polity, &order, &nodes);
    // The last candidate alone, with nobody skipped: the validators ran the task themselves.
    let last = [(nodes[0], lie(0)), (nodes[4], fair(0))];
    let skipped = [(nodes[0], SkipReason::Refuted)];
    assert_eq!(polity.refusal(polity.decided(&order, AT, &last, &skipped)), None);
    let stranger = [(nodes[0], lie(0)), (110, fair(0))];
    let refused = polity.refusal(polity.decided(&order, AT, &stranger, &skipped));
    assert_eq!(refused, Some(Refusal::Unfair(TaskIndex(0))));
    let unfair = [(nodes[0], lie(0)), (nodes[3], fair(0)), (nodes[4], fair(0))];
    let refused = polity.refusal(agree(polity.agreement(&order, AT, &unfair, &skipped)));
    assert_eq!(refused, Some(Refusal::Unfair(TaskIndex(0))), "enough replicas need the walk");
}

#[test]
fn whoever_is_refuted_is_no_executor() {
    let (mut polity, order, nodes) = polity();
    decide(&mut polity, &order, &nodes);
    let beside = polity.decided(&order, AT, &said(&nodes, 2), &[]);
    let dissent = CheckedTx::new(beside, polity.network());
    let expected = AgreementError::Dissent { task: TaskIndex(0), by: public(nodes[0]) };
    assert_eq!(dissent, Err(Error::Agreement(expected)));
}

#[test]
fn a_sanction_after_the_draw_is_a_reason_to_pass_over() {
    let (mut polity, order, nodes) = polity();
    let skipped = [(nodes[0], SkipReason::Sanctioned)];
    let honest = [(nodes[1], fair(0)), (nodes[2], fair(0))];
    let tx = agree(polity.agreement(&order, AT, &honest, &skipped));
    let refused = Some(Refusal::NotSanctioned(public(nodes[0])));
    assert_eq!(polity.refusal(tx.clone()), refused);
    let other = polity.order_with(|job| job.nonce = identity::Digest([9; 32]));
    polity.catch(&other, 0, nodes[0]);
    assert_eq!(polity.refusal(tx.clone()), None);
    // It was sanctioned when it would have been its turn, whatever came later.
    let until = polity.ledger.sanctions()[0].until;
    polity.block_at(until, vec![]);
    assert!(!polity.ledger.is_barred(&public(nodes[0] - 100)));
    assert_eq!(polity.refusal(tx), None);
}

#[test]
fn a_sanction_that_ended_before_the_draw_is_no_reason() {
    let (mut polity, order, nodes) = polity();
    let liar = nodes[0];
    polity.catch(&order, 0, liar);
    polity.block_at(polity.ledger.sanctions()[0].until, vec![]);
    let drawn = polity.height();
    // A job in whose draw that node ranks first.
    let (order, nodes) = (1..100)
        .map(|n| polity.order_with(|job| job.nonce = identity::Digest([n; 32])))
        .map(|order| (order.clone(), polity.candidates(&order.payload.id(), 0, drawn)))
        .find(|(_, nodes)| nodes[0] == liar)
        .unwrap();
    let honest = [(nodes[1], fair(0)), (nodes[2], fair(0))];
    let with = |reason| {
        let agreements = polity.agreement(&order, (0, drawn), &honest, &[(liar, reason)]);
        polity.refusal(agree(agreements))
    };
    assert_eq!(with(SkipReason::Sanctioned), Some(Refusal::NotSanctioned(public(liar))));
    assert_eq!(with(SkipReason::Offline), None);
}

#[test]
fn a_node_has_one_attempt_at_a_task() {
    let (polity, order, nodes) = polity();
    let mut twice = polity.agreement(&order, AT, &[(nodes[0], fair(0)), (nodes[0], fair(0))], &[]);
    let (task, by) = (TaskIndex(0), public(nodes[0]));
    let refused = CheckedTx::new(agree(twice.clone()), polity.network()).unwrap_err();
    let expected = AgreementError::Twice { task, attempt: Attempt(1), by };
    assert_eq!(refused, Error::Agreement(expected));
    // Both in one batch make no difference.
    let leaf = |attempt| Commitment { task, attempt, hidden: twice.commits[0].leaves[0].hidden };
    let leaves = vec![leaf(Attempt(0)), leaf(Attempt(1))];
    let secret = crate::fixture::key(nodes[0]);
    let batch = CommitBatch::sign(order.payload.id(), leaves, polity.network(), &secret);
    twice.commits = vec![batch];
    let refused = CheckedTx::new(Tx::Agree(Box::new(twice)), polity.network()).unwrap_err();
    assert!(matches!(refused, Error::Agreement(AgreementError::Twice { .. })), "{refused}");
}
