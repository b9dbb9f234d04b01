//! Who may dispute what, and what the ledger remembers of it.

use crate::fixture::{Polity, fair, key, lie, public, third};
use identity::{Digest, Signed};
use ledger::{DisputeStatus, Effect, Refusal};
use protocol::{Height, InvitationKind, TaskIndex, Time};

#[test]
fn different_outcomes_open_a_dispute() {
    let mut polity = Polity::new();
    let order = polity.order(2, 3);
    let tx = polity.dispute(&order, 3, &[(104, fair(3)), (105, lie(3))]);
    let effects = polity.block(vec![tx.clone()]);
    let (job, task, home) = (order.payload.id(), TaskIndex(3), public(101));
    assert_eq!(effects, [Effect::Disputed { job, task, home, height: Height(1) }]);
    let record = polity.ledger.dispute(&job, task).unwrap();
    let mut claims = record.claims.clone();
    claims.sort();
    let mut expected = vec![(public(104), fair(3)), (public(105), lie(3))];
    expected.sort();
    assert_eq!(claims, expected);
    assert_eq!((record.job, record.task, record.home), (job, task, home));
    assert_eq!((record.filer, record.filed_by, record.opened), (public(1), home, Height(1)));
    assert_eq!(record.deadline, polity.time().after_ms(5_000));
    assert_eq!((record.expires, record.after_final), (Time(100_000), false));
    assert_eq!((record.status, record.outcome()), (DisputeStatus::Open, None));
    assert_eq!((record.txs.clone(), record.rulings.len()), (vec![(tx.digest(), Height(1))], 0));
    assert_eq!(polity.ledger.disputes().count(), 1);
    assert_eq!(polity.ledger.dispute(&job, TaskIndex(0)), None);
}

#[test]
fn further_claims_are_added_and_nothing_is_taken_twice() {
    let mut polity = Polity::new();
    let order = polity.order(2, 3);
    let first = polity.dispute(&order, 0, &[(104, fair(0)), (105, lie(0))]);
    polity.block(vec![first.clone()]);
    assert_eq!(polity.refusal(first), Some(Refusal::NothingNew));
    let by_another = polity.disputed(&order, 0, &[(104, fair(0)), (105, lie(0))]);
    assert_eq!(polity.refusal(polity.file(103, by_another)), Some(Refusal::NothingNew));
    let more = polity.disputed(&order, 0, &[(103, third(0)), (104, fair(0)), (105, lie(0))]);
    let more = polity.file(103, more);
    assert_eq!(polity.block(vec![more.clone()]), [], "it is open already");
    let record = polity.ledger.dispute(&order.payload.id(), TaskIndex(0)).unwrap();
    assert_eq!(record.claims.len(), 3);
    assert_eq!(record.claims[2], (public(103), third(0)));
    assert_eq!(record.txs[1], (more.digest(), Height(2)));
    assert_eq!(record.filer, public(1), "who filed it first answers for it");
}

#[test]
fn a_node_claims_once() {
    let mut polity = Polity::new();
    let order = polity.order(2, 3);
    polity.block(vec![polity.dispute(&order, 0, &[(104, fair(0)), (105, lie(0))])]);
    let changed = polity.dispute(&order, 0, &[(104, fair(0)), (105, third(0))]);
    assert_eq!(polity.refusal(changed), Some(Refusal::NothingNew));
    let mixed = polity.dispute(&order, 0, &[(103, fair(0)), (105, third(0))]);
    polity.block(vec![mixed]);
    let record = polity.ledger.dispute(&order.payload.id(), TaskIndex(0)).unwrap();
    let of_105: Vec<_> = record.claims.iter().filter(|(node, _)| *node == public(105)).collect();
    assert_eq!(of_105, [&(public(105), lie(0))]);
    assert_eq!(record.claims.len(), 3);
}

#[test]
fn strangers_neither_file_nor_claim_nor_order() {
    let polity = Polity::new();
    let order = polity.order(2, 3);
    let said = [(104, fair(0)), (105, lie(0))];
    let by_stranger = polity.file(110, polity.disputed(&order, 0, &said));
    assert_eq!(polity.refusal(by_stranger), Some(Refusal::NotANode(public(110))));
    let by_owner = polity.file(1, polity.disputed(&order, 0, &said));
    assert_eq!(polity.refusal(by_owner), Some(Refusal::NotANode(public(1))));
    let of_stranger = polity.dispute(&order, 0, &[(104, fair(0)), (110, lie(0))]);
    assert_eq!(polity.refusal(of_stranger), Some(Refusal::NotACandidate(public(110))));
    let homeless = polity.order_with(|job| job.home = public(110));
    let refused = polity.refusal(polity.dispute(&homeless, 0, &said));
    assert_eq!(refused, Some(Refusal::NotANode(public(110))));
    let ownerless = Signed::new(order.payload, polity.network(), &key(77));
    let refused = polity.refusal(polity.dispute(&ownerless, 0, &said));
    assert_eq!(refused, Some(Refusal::NotAnOwner(public(77))));
}

#[test]
fn who_could_not_be_drawn_has_nothing_to_claim() {
    let mut polity = Polity::new();
    let order = polity.order(2, 3);
    let said = [(104, fair(0)), (106, lie(0))];
    let early = polity.disputed(&order, 0, &said);
    polity.block(vec![polity.admission(InvitationKind::Machine, 2, 2, 106)]);
    let refused = polity.refusal(polity.file(101, early));
    assert_eq!(refused, Some(Refusal::NotACandidate(public(106))), "admitted after the draw");
    assert_eq!(polity.refusal(polity.dispute(&order, 0, &said)), None);
    // Barred at the draw: no candidate. Barred after it: its claim counts.
    let before = polity.disputed(&order, 1, &[(104, fair(1)), (105, lie(1))]);
    polity.catch(&order, 0, 105);
    assert!(polity.ledger.is_barred(&public(5)));
    let after = polity.dispute(&order, 1, &[(104, fair(1)), (105, lie(1))]);
    assert_eq!(polity.refusal(after), Some(Refusal::NotACandidate(public(105))));
    assert_eq!(polity.refusal(polity.file(101, before)), None);
}

#[test]
fn a_dispute_is_about_a_job_in_its_lifetime() {
    let mut polity = Polity::new();
    let said = [(104, fair(0)), (105, lie(0))];
    let short = polity.order_with(|job| job.expires = Time(1_050));
    let tx = polity.dispute(&short, 0, &said);
    assert_eq!(polity.refusal(tx.clone()), None);
    polity.block(vec![]);
    assert!(matches!(polity.refusal(tx), Some(Refusal::Expired { .. })));
    let lifetime = polity.ledger.params().job_lifetime_ms;
    let long = polity.order_with(|job| job.expires = job.issued.after_ms(lifetime + 1));
    let refused = polity.refusal(polity.dispute(&long, 0, &said));
    assert!(matches!(refused, Some(Refusal::Lifetime { .. })), "{refused:?}");
}

#[test]
fn validators_spend_no_more_fuel_than_the_genesis_says() {
    let polity = Polity::with(|params| params.verdict_fuel = 1_000);
    let with = |fuel| {
        let order = polity.order_with(|job| job.limits.fuel = fuel);
        polity.refusal(polity.dispute(&order, 0, &[(104, fair(0)), (105, lie(0))]))
    };
    assert_eq!(with(1_000), None);
    assert_eq!(with(1_001), Some(Refusal::Fuel { asked: 1_001, most: 1_000 }));
}

#[test]
fn a_beacon_of_the_future_drew_nobody() {
    let polity = Polity::new();
    let mut dispute = polity.disputed(&polity.order(2, 3), 0, &[(104, fair(0)), (105, lie(0))]);
    dispute.drawn = Height(1);
    assert_eq!(polity.refusal(polity.file(101, dispute)), Some(Refusal::Drawn(Height(1))));
}

#[test]
fn an_owner_has_a_few_disputes_open_at_once() {
    let mut polity = Polity::with(|params| params.open_disputes = 2);
    let order = polity.order(2, 3);
    let of = |polity: &Polity, by, task| {
        let said = [(104, fair(task)), (105, lie(task))];
        polity.file(by, polity.disputed(&order, task, &said))
    };
    let txs = vec![of(&polity, 101, 0), of(&polity, 101, 1)];
    polity.block(txs);
    let third_one = of(&polity, 101, 2);
    let refused = polity.refusal(third_one.clone()).unwrap();
    assert_eq!(refused, Refusal::TooManyDisputes { owner: public(1), most: 2 });
    assert!(refused.is_passing());
    let (block, refused) = polity.ledger.propose(
        &key(101),
        polity.time().after_ms(1),
        &[polity.checked(third_one.clone())],
    );
    assert_eq!((block.txs.len(), refused.len()), (0, 0), "it waits");
    assert_eq!(polity.refusal(of(&polity, 102, 2)), None, "another owner may");
    let more = polity.dispute(&order, 0, &[(103, third(0)), (105, lie(0))]);
    assert_eq!(polity.refusal(more), None, "a claim opens nothing");
    polity.rule(&order, 0);
    assert_eq!(polity.refusal(third_one), None);
}

#[test]
fn an_auditor_that_no_beacon_named_claims_nothing() {
    let polity = Polity::new();
    let order = polity.order(2, 3);
    let mut dispute = polity.disputed(&order, 0, &[(104, fair(0))]);
    dispute.audits = vec![polity.audit(105, &order, 0, lie(0))];
    let refused = polity.refusal(polity.file(105, dispute));
    assert_eq!(refused, Some(Refusal::NotAnAuditor(public(105))));
}

#[test]
fn disputes_are_forgotten_when_their_jobs_expire() {
    let mut polity = Polity::new();
    let order = polity.order_with(|job| job.expires = Time(3_000));
    let id = order.payload.id();
    polity.catch(&order, 0, 105);
    polity.block(vec![polity.dispute(&order, 1, &[(103, fair(1)), (104, lie(1))])]);
    polity.block_at(Time(3_000), vec![]);
    assert!(polity.ledger.dispute(&id, TaskIndex(0)).is_some());
    polity.block_at(Time(3_001), vec![]);
    assert_eq!(polity.ledger.dispute(&id, TaskIndex(0)), None);
    let open = polity.ledger.dispute(&id, TaskIndex(1)).unwrap();
    assert!(open.is_open(), "validators still have time");
    let deadline = open.deadline;
    let effects = polity.block_at(Time(deadline.0 + 1), vec![]);
    let [Effect::Ruled { outcome: None, refuted, .. }] = &effects[..] else {
        panic!("{effects:?}")
    };
    assert!(refuted.is_empty());
    assert_eq!(polity.ledger.disputes().count(), 0);
}

#[test]
fn a_verdict_may_come_after_the_job_expired() {
    let mut polity = Polity::new();
    let order = polity.order_with(|job| job.expires = Time(3_000));
    polity.block(vec![polity.dispute(&order, 1, &[(103, fair(1)), (105, lie(1))])]);
    polity.block_at(Time(3_001), vec![]);
    polity.rule(&order, 1);
    assert!(polity.ledger.is_barred(&public(5)));
}

#[test]
fn disputes_about_other_jobs_and_tasks_do_not_meet() {
    let mut polity = Polity::new();
    let orders = [1, 2].map(|n| polity.order_with(|job| job.nonce = Digest([n; 32])));
    let mut txs = Vec::new();
    for order in &orders {
        for task in 0..2 {
            txs.push(polity.dispute(order, task, &[(104, fair(task)), (105, lie(task))]));
        }
    }
    assert_eq!(polity.block(txs).len(), 4);
    polity.rule(&orders[1], 1);
    let open = polity.ledger.disputes().filter(|record| record.is_open()).count();
    assert_eq!(open, 3);
}
