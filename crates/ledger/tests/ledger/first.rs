//! One replica may be given by score, if all others are drawn: every way to make more of it.

use crate::fixture::{Polity, agree, public};
use identity::{PublicKey, Signed};
use ledger::Refusal;
use protocol::{
    AgreementError, Agreements, Error, Height, InvitationKind, Job, Placement, TaskIndex,
    Verification,
    draw::{Candidate, Skip, SkipReason, candidates, walk_beside},
};

const TASK: TaskIndex = TaskIndex(0);

/// Everybody who could run the task, in the order of the draw.
fn drawn(polity: &Polity, order: &Signed<Job>) -> Vec<Candidate> {
    let height = polity.height();
    let beacon = polity.ledger.beacon_at(height).unwrap();
    candidates(beacon, &order.payload.id(), TASK, polity.ledger.roster_at(height).unwrap())
}

/// Those whom the walk gives beside a first one.
fn beside(all: &[Candidate], first: &Candidate, skipped: &[Skip], count: usize) -> Vec<PublicKey> {
    walk_beside(Some(&first.party), all, skipped, count)
}

/// The task, run by these, of whom one was first by score.
fn run_by(
    polity: &Polity,
    order: &Signed<Job>,
    first: PublicKey,
    executors: &[PublicKey],
) -> Agreements {
    let mut agreements = polity.agreed_by(order, &[0], |_| executors.to_vec());
    agreements.tasks[0].first = Some(first);
    agreements
}

fn lost(node: PublicKey) -> Skip {
    Skip { node, reason: SkipReason::Lost }
}

#[test]
fn anybody_may_be_first_and_the_others_are_drawn() {
    let polity = Polity::new();
    let order = polity.order(2, 3);
    let all = drawn(&polity, &order);
    assert_eq!(all.len(), 5);
    for first in &all {
        let others = beside(&all, first, &[], 1);
        let both = [first.node, others[0]];
        let tx = agree(run_by(&polity, &order, first.node, &both));
        assert_eq!(polity.refusal(tx), None);
        for other in all.iter().filter(|other| !both.contains(&other.node)) {
            let tx = agree(run_by(&polity, &order, first.node, &[first.node, other.node]));
            assert_eq!(polity.refusal(tx), Some(Refusal::Unfair(TASK)), "two by score");
        }
    }
}

#[test]
fn where_one_is_enough_there_is_only_the_first() {
    let polity = Polity::new();
    let order = polity.order(1, 3);
    let all = drawn(&polity, &order);
    let last = all[4];
    let alone = run_by(&polity, &order, last.node, &[last.node]);
    assert_eq!(polity.refusal(agree(alone.clone())), None);
    let mut drawn = alone.clone();
    drawn.tasks[0].first = None;
    assert_eq!(polity.refusal(agree(drawn)), Some(Refusal::Unfair(TASK)), "it was not drawn");
    let mut skips = alone;
    skips.tasks[0].skipped = vec![lost(all[0].node)];
    assert_eq!(polity.refusal(agree(skips)), Some(Refusal::Unfair(TASK)), "nobody was passed over");
}

#[test]
fn one_that_was_passed_over_stands_before_the_end_of_the_walk() {
    let polity = Polity::new();
    let order = polity.order(2, 3);
    let all = drawn(&polity, &order);
    let first = all[4];
    let skip = lost(all[0].node);
    let others = beside(&all, &first, &[skip], 1);
    let mut good = run_by(&polity, &order, first.node, &[first.node, others[0]]);
    good.tasks[0].skipped = vec![skip];
    assert_eq!(polity.refusal(agree(good.clone())), None);
    // The first one ranks behind it, and lets nobody be passed over up to its own place.
    let mut behind = vec![skip, lost(all[3].node)];
    behind.sort();
    good.tasks[0].skipped = behind;
    assert_eq!(polity.refusal(agree(good)), Some(Refusal::Unfair(TASK)));
}

#[test]
fn a_second_machine_of_the_first_ones_party_is_not_drawn() {
    let mut polity = Polity::new();
    for (owner, node) in [(1, 106), (2, 107), (3, 108), (4, 109), (5, 110)] {
        polity.block(vec![polity.admission(InvitationKind::Machine, owner, owner, node)]);
    }
    let order = polity.order(2, 3);
    let all = drawn(&polity, &order);
    assert_eq!(all.len(), 10);
    for first in &all {
        let twin = all.iter().find(|c| c.party == first.party && c.node != first.node).unwrap();
        let tx = agree(run_by(&polity, &order, first.node, &[first.node, twin.node]));
        assert_eq!(polity.refusal(tx), Some(Refusal::Unfair(TASK)));
        let others = beside(&all, first, &[], 1);
        let tx = agree(run_by(&polity, &order, first.node, &[first.node, others[0]]));
        assert_eq!(polity.refusal(tx), None);
    }
}

#[test]
fn who_did_not_run_it_or_was_passed_over_was_not_first() {
    let polity = Polity::new();
    let order = polity.order(2, 3);
    let all = drawn(&polity, &order);
    let refused = |agreements: Agreements| agreements.check(polity.network()).unwrap_err();
    let (first, other) = (all[0].node, all[1].node);
    let said = Error::from(AgreementError::First { task: TASK, by: all[4].node });
    assert_eq!(refused(run_by(&polity, &order, all[4].node, &[first, other])), said);
    // Its reveal counts for nothing then, and two others agree.
    let mut passed = run_by(&polity, &order, first, &[first, other, all[2].node]);
    passed.tasks[0].skipped = vec![lost(first)];
    let said = Error::from(AgreementError::First { task: TASK, by: first });
    assert_eq!(refused(passed), said);
}

#[test]
fn nobody_is_first_by_score_in_a_sealed_job() {
    let polity = Polity::new();
    let order = polity.order_with(|job| {
        job.placement = Placement::Sealed;
        job.verification = Verification { k: 1, n: 3 };
    });
    let node = public(101);
    let agreements = run_by(&polity, &order, node, &[node]);
    let said = Error::from(AgreementError::Sealed { task: TASK });
    assert_eq!(agreements.check(polity.network()).unwrap_err(), said);
}

#[test]
fn a_node_that_could_not_be_drawn_is_not_first() {
    let mut polity = Polity::new();
    let order = polity.order(1, 3);
    // Admitted after the draw.
    polity.block(vec![polity.admission(InvitationKind::Machine, 1, 1, 106)]);
    let node = public(106);
    let mut early = run_by(&polity, &order, node, &[node]);
    early.drawn = Height(0);
    let said = Some(Refusal::NotEligible { task: TASK, node });
    assert_eq!(polity.refusal(agree(early)), said);
    let now = run_by(&polity, &order, node, &[node]);
    assert_eq!(polity.refusal(agree(now)), None);
    // A node of an owner that was barred before the draw.
    let mut polity = Polity::new();
    polity.catch(&polity.order(2, 3), 0, 105);
    let node = public(105);
    let barred = run_by(&polity, &order, node, &[node]);
    assert_eq!(polity.refusal(agree(barred)), Some(Refusal::NotEligible { task: TASK, node }));
}
