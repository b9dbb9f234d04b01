//! Receipts of jobs with verdicts: who is refuted, and what may rest on a verdict.

use crate::fixture::{
    admission, agreements, body, certificate, disputed,
    disputed::{TASK, other, replica, third, verdict, verdicts},
    header, key, network, order, outcome, say,
};
use identity::{Digest, PublicKey, Signed};
use protocol::{
    Agreed, AgreementError, Agreements, Attempt, Body, Claim, Error, Finality, Outcome, Part,
    Receipt, ReceiptError, Report, Ruled, TaskIndex, Tx, Unsettled,
    draw::{Skip, SkipReason},
    merkle::Inclusion,
};

/// What these nodes said about the disputed task.
fn claims(nodes: &[(u8, Outcome)]) -> Vec<Claim> {
    let said = say(TASK.0, nodes);
    let claim = |n: usize| {
        let attempt = Attempt(n as u16);
        Claim {
            commit: said.commits[n].quote(TASK, attempt).unwrap(),
            reveal: said.reveals[n].quote(TASK, attempt).unwrap(),
        }
    };
    let mut claims: Vec<_> = (0..nodes.len()).map(claim).collect();
    claims.sort_by_key(Claim::node);
    claims
}

/// The agreement on the disputed task after the verdict: `nodes`, without those that are refuted.
fn after_verdict(nodes: &[(u8, Outcome)], refuted: &[u8], decided: bool) -> Agreements {
    let said = say(TASK.0, nodes);
    let skip = |n: &u8| Skip { node: key(*n).public(), reason: SkipReason::Refuted };
    let agreed = Agreed {
        task: TASK,
        outcome: outcome(2).digest(),
        sets: vec![(0..nodes.len()).map(|n| Attempt(n as u16)).collect()],
        skipped: refuted.iter().map(skip).collect(),
        decided,
        first: None,
    };
    let (commits, reveals) = (said.commits, said.reveals);
    Agreements { commits, reveals, tasks: vec![agreed], ..agreements() }
}

fn part_of(agreements: Agreements) -> Part {
    let tx = Tx::Agree(Box::new(agreements.clone()));
    let header = header(6, Digest([6; 32]), std::slice::from_ref(&tx));
    let inclusion = Inclusion::of(&[tx.encode()], 0).unwrap();
    let finality = Finality { above: Vec::new(), certificate: certificate(&header, &[0, 1, 2]) };
    Part { agreements, header, inclusion, finality }
}

/// Nodes 103 and 104 differ, the validators found what 103 found.
fn two() -> Vec<(u8, Outcome)> {
    vec![(103, outcome(2)), (104, other(2))]
}

/// The receipt's body when task 2 rests on the verdict: one executor is left.
fn ruled() -> Body {
    settled(after_verdict(&two(), &[104], true), claims(&two()))
}

fn settled(agreements: Agreements, claims: Vec<Claim>) -> Body {
    let mut body = body();
    body.unsettled.clear();
    body.dissent.clear();
    body.outcomes.push(outcome(2));
    body.parts.push(part_of(agreements));
    body.ruled = vec![Ruled { task: TASK, outcome: outcome(2).digest(), claims }];
    body.verdicts = verdicts();
    body
}

fn verify(body: Body) -> Result<Report, ReceiptError> {
    Receipt::seal(body, network(), &key(101)).verify(Some(network()))
}

fn refusal(change: impl FnOnce(&mut Body)) -> ReceiptError {
    let mut body = ruled();
    change(&mut body);
    verify(body).unwrap_err()
}

fn node(n: u8) -> (PublicKey, PublicKey) {
    (key(n).public(), key(n - 100).public())
}

#[test]
fn one_executor_is_enough_if_the_verdict_confirms_it() {
    let report = verify(ruled()).unwrap();
    let task = &report.settled[&TASK];
    assert_eq!((task.decided, task.outcome), (true, outcome(2).digest()));
    assert_eq!(task.executors, [node(103)]);
    assert!(!report.settled[&TaskIndex(0)].decided);
    assert_eq!(report.refuted, [(TASK, vec![node(104)])].into());
}

#[test]
fn one_executor_without_a_verdict_is_too_few() {
    let refused = verify(settled(after_verdict(&two(), &[104], false), claims(&two())));
    let few = AgreementError::TooFew { task: TASK, got: 1, needed: 2 };
    assert_eq!(refused.unwrap_err(), ReceiptError::Part(Error::Agreement(few)));
    let nobody = after_verdict(&two(), &[103, 104], true);
    let few = AgreementError::TooFew { task: TASK, got: 0, needed: 1 };
    assert_eq!(nobody.check(network()), Err(Error::Agreement(few)));
}

#[test]
fn enough_replicas_agree_beside_a_refuted_one() {
    let nodes = [(103, outcome(2)), (104, other(2)), (105, outcome(2))];
    let agreed = after_verdict(&nodes, &[104], false);
    let report = verify(settled(agreed, claims(&nodes))).unwrap();
    assert!(!report.settled[&TASK].decided);
    assert_eq!(report.settled[&TASK].executors, [node(103), node(105)]);
    assert_eq!(report.refuted, [(TASK, vec![node(104)])].into());
}

#[test]
fn too_few_verdicts_are_no_verdict() {
    let no_verdict = ReceiptError::NoVerdict(TASK);
    assert_eq!(refusal(|body| drop(body.verdicts.pop())), no_verdict);
    assert_eq!(refusal(|body| body.verdicts.clear()), no_verdict);
    assert_eq!(refusal(|body| body.verdicts[0] = body.verdicts[1].clone()), no_verdict);
    assert_eq!(refusal(|body| body.verdicts[0] = verdict(101, Some(&other(2)))), no_verdict);
    assert_eq!(refusal(|body| body.verdicts[0] = verdict(101, None)), no_verdict);
    let stranger = refusal(|body| body.verdicts.push(verdict(105, Some(&outcome(2)))));
    assert!(matches!(stranger, ReceiptError::Part(Error::Invalid { .. })), "{stranger}");
}

#[test]
fn what_rests_on_a_verdict_shows_whom_it_refutes() {
    let no_verdict = ReceiptError::NoVerdict(TASK);
    let none = refusal(|body| body.ruled.clear());
    assert_eq!(none, no_verdict, "the task rests on it");
    let other_outcome = refusal(|body| body.ruled[0].outcome = other(2).digest());
    assert_eq!(other_outcome, no_verdict);
    let nobody = refusal(|body| body.ruled[0].claims = claims(&[(103, outcome(2))]));
    assert_eq!(nobody, ReceiptError::Surplus, "nobody is refuted");
    let empty = refusal(|body| body.ruled[0].claims.clear());
    assert_eq!(empty, ReceiptError::Surplus);
}

#[test]
fn ruled_entries_and_their_claims_are_sorted_and_all_different() {
    let twice = refusal(|body| body.ruled.push(body.ruled[0].clone()));
    assert_eq!(twice, ReceiptError::Surplus);
    let unsorted = refusal(|body| body.ruled[0].claims.reverse());
    assert_eq!(unsorted, ReceiptError::Surplus);
    let again = refusal(|body| {
        let last = body.ruled[0].claims[1].clone();
        body.ruled[0].claims.push(last);
    });
    assert_eq!(again, ReceiptError::Surplus);
}

#[test]
fn claims_are_about_this_task_and_by_vouched_nodes() {
    let elsewhere = disputed::Replica { task: TaskIndex(1), ..replica(104, &other(2)) };
    let refused = refusal(|body| body.ruled[0].claims = disputed::claims(&[elsewhere]));
    assert!(matches!(refused, ReceiptError::Part(_)), "{refused}");
    let stranger = disputed::Replica { attempt: 3, ..replica(107, &other(2)) };
    let refused = refusal(|body| body.ruled[0].claims = disputed::claims(&[stranger]));
    assert_eq!(refused, ReceiptError::Unvouched(key(107).public()));
    let forged = refusal(|body| {
        for claim in &mut body.ruled[0].claims {
            claim.reveal.statement.signature.0[7] ^= 1;
        }
    });
    assert!(matches!(forged, ReceiptError::Part(_)), "{forged}");
}

#[test]
fn verdicts_that_nothing_refers_to_are_surplus() {
    let mut body = body();
    body.verdicts = verdicts();
    assert_eq!(verify(body).unwrap_err(), ReceiptError::Surplus);
}

#[test]
fn a_verdict_against_what_was_agreed_on_is_refused() {
    let mut body = ruled();
    body.verdicts = (101..=103).map(|node| verdict(node, Some(&other(2)))).collect();
    body.ruled[0].outcome = other(2).digest();
    assert_eq!(verify(body).unwrap_err(), ReceiptError::NoVerdict(TASK));
}

/// The body when task 2 is unsettled.
fn unsettled(why: Unsettled, found: Option<&Outcome>) -> Body {
    let mut body = body();
    body.unsettled = vec![(TASK, why)];
    if let Some(found) = found {
        let (task, outcome) = (TASK, found.digest());
        body.ruled = vec![Ruled { task, outcome, claims: claims(&two()) }];
        body.verdicts = (101..=103).map(|node| verdict(node, Some(found))).collect();
        body.dissent.clear();
    }
    body
}

#[test]
fn a_task_whose_replicas_were_all_refuted_needs_the_verdict() {
    let report = verify(unsettled(Unsettled::Refuted, Some(&third(2)))).unwrap();
    assert_eq!(report.unsettled, [(TASK, Unsettled::Refuted)].into());
    let mut both = report.refuted[&TASK].clone();
    both.sort();
    let mut expected = vec![node(103), node(104)];
    expected.sort();
    assert_eq!(both, expected);
    let mut without = unsettled(Unsettled::Refuted, None);
    without.dissent.clear();
    assert_eq!(verify(without).unwrap_err(), ReceiptError::NoVerdict(TASK));
    let mut with_dissent = unsettled(Unsettled::Refuted, Some(&third(2)));
    with_dissent.dissent = body().dissent;
    assert_eq!(verify(with_dissent).unwrap_err(), ReceiptError::Surplus);
}

#[test]
fn a_task_that_could_not_be_decided_shows_the_disagreement() {
    let report = verify(unsettled(Unsettled::Undecided, None)).unwrap();
    assert_eq!(report.unsettled, [(TASK, Unsettled::Undecided)].into());
    assert!(report.refuted.is_empty());
    let mut hidden = unsettled(Unsettled::Undecided, None);
    hidden.dissent.truncate(1);
    assert_eq!(verify(hidden).unwrap_err(), ReceiptError::NoDissent(TASK));
}

#[test]
fn a_ruled_task_may_end_otherwise() {
    let report = verify(unsettled(Unsettled::Expired, Some(&outcome(2)))).unwrap();
    assert_eq!(report.refuted, [(TASK, vec![node(104)])].into());
}

#[test]
fn a_voucher_of_a_refuted_node_is_needed_and_no_surplus() {
    // Node 105 of the invited owner lies about task 2, and runs nothing else.
    let liar = [(103, outcome(2)), (105, other(2))];
    let mut body = settled(after_verdict(&liar, &[105], true), claims(&liar));
    body.vouchers = vec![admission()];
    let report = verify(body.clone()).unwrap();
    assert_eq!(report.refuted, [(TASK, vec![node(105)])].into());
    body.vouchers.clear();
    assert_eq!(verify(body).unwrap_err(), ReceiptError::Unvouched(key(105).public()));
}

#[test]
fn a_changed_byte_of_a_ruled_receipt_is_refused_under_a_right_checksum() {
    let receipt = Receipt::seal(ruled(), network(), &key(101));
    assert!(receipt.verify(Some(network())).is_ok());
    let bytes = receipt.encode();
    let end = bytes.len() - 32;
    for at in (0..end).step_by(7) {
        let mut wrong = bytes[..end].to_vec();
        wrong[at] ^= 1 << (at % 8);
        let digest = Digest::plain(&wrong);
        wrong.extend(digest.as_bytes());
        let refused = Receipt::decode(&wrong).and_then(|read| read.verify(Some(network())));
        assert!(refused.is_err(), "byte {at}");
    }
}

#[test]
fn the_order_is_the_one_that_the_verdicts_are_about() {
    let refused = refusal(|body| {
        body.verdicts = (101..=103)
            .map(|n| {
                let mut said = verdict(n, Some(&outcome(2))).payload;
                let mut job = order().payload;
                job.nonce = Digest([78; 32]);
                said.rulings.iter_mut().for_each(|ruling| ruling.job = job.id());
                Signed::new(said, network(), &key(n))
            })
            .collect();
    });
    assert_eq!(refused, ReceiptError::NoVerdict(TASK));
}
