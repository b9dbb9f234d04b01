//! Accusations: what holds is held against the accused at once, what does not against the author.

use crate::fixture::{Polity, public};
use ledger::{Effect, Refusal};
use protocol::{Cause, InvitationKind, Right, Time};

#[test]
fn a_contradiction_of_each_kind_is_a_finding_and_a_sanction_at_once() {
    let kinds = {
        let polity = Polity::new();
        polity.contradictions(104, &polity.order(2, 3)).len()
    };
    for kind in 0..kinds {
        let mut polity = Polity::new();
        let order = polity.order(2, 3);
        let (contradiction, cause) = polity.contradictions(104, &order).remove(kind);
        let tx = polity.accuse(102, 104, contradiction);
        let effects = polity.block(vec![tx.clone()]);
        let [Effect::Found(finding), Effect::Sanctioned(sanction), Effect::RosterChanged { .. }] =
            &effects[..]
        else {
            panic!("{effects:?}")
        };
        assert_eq!((finding.node, finding.owner), (public(104), public(4)));
        assert_eq!((&finding.cause, finding.tx), (&cause, tx.digest()));
        assert_eq!((sanction.right, sanction.owner), (Right::Execute, public(4)));
        assert!(polity.ledger.is_barred(&public(4)));
        assert_eq!(polity.refusal(tx), Some(Refusal::NothingNew));
    }
}

#[test]
fn one_contradiction_counts_once_whoever_tells_it_and_however() {
    let mut polity = Polity::new();
    polity.block(vec![polity.accuse(102, 104, polity.votes(104, 300, [1, 2]))]);
    for (by, payloads) in [(103, [1, 2]), (102, [2, 1]), (105, [2, 3])] {
        let again = polity.accuse_at(Time(1_001), by, 104, polity.votes(104, 300, payloads));
        assert_eq!(polity.refusal(again), Some(Refusal::NothingNew), "{by} {payloads:?}");
    }
    let other = polity.accuse(102, 104, polity.votes(104, 301, [1, 2]));
    let effects = polity.block(vec![other]);
    assert!(matches!(&effects[..], [Effect::Found(_)]), "another view is another finding");
    assert_eq!(polity.ledger.sanctions().len(), 1);
}

#[test]
fn a_validator_that_votes_twice_without_end_does_not_fill_the_record() {
    let mut polity = Polity::new();
    for view in 0..16 {
        polity.block(vec![polity.accuse(102, 104, polity.votes(104, 300 + view, [1, 2]))]);
    }
    let further = polity.accuse(102, 104, polity.votes(104, 400, [1, 2]));
    assert_eq!(polity.refusal(further), Some(Refusal::NothingNew));
    let of_another = polity.accuse(102, 103, polity.votes(103, 400, [1, 2]));
    assert_eq!(polity.refusal(of_another), None);
    assert_eq!(polity.ledger.findings().len(), 16);
}

#[test]
fn what_proves_nothing_is_recorded_against_the_author() {
    let mut polity = Polity::new();
    let order = polity.order(2, 3);
    let slander = polity.slander(102, 104, &order, 0);
    let effects = polity.block(vec![slander.clone()]);
    let (by, against, height) = (public(102), public(104), polity.height());
    assert_eq!(effects, [Effect::Unfounded { by, against, height }]);
    assert_eq!(polity.ledger.failures(&public(2)), 1);
    assert!(!polity.ledger.is_barred(&public(4)));
    assert_eq!(polity.refusal(slander), Some(Refusal::NothingNew), "nor can it be replayed");
    let same = polity.accuse(102, 102, polity.commits(104, &order, 0));
    assert_eq!(polity.refusal(same), None, "another accusation is");
}

#[test]
fn three_that_do_not_hold_cost_the_right_to_accuse() {
    let mut polity = Polity::new();
    let order = polity.order(2, 3);
    for task in 0..3 {
        let slander = polity.slander(102, 104, &order, task);
        let effects = polity.block(vec![slander]);
        assert!(matches!(effects[0], Effect::Unfounded { .. }));
        assert_eq!(effects.len(), if task == 2 { 3 } else { 1 }, "{effects:?}");
    }
    assert!(!polity.ledger.may_dispute(&public(2)) && !polity.ledger.is_barred(&public(2)));
    let [sanction] = polity.ledger.sanctions() else { panic!("one") };
    assert_eq!(sanction.finding.cause, Cause::Unfounded { failed: 3 });
    let (owner, until) = (public(2), sanction.until);
    let right = polity.accuse(102, 104, polity.commits(104, &order, 0));
    assert_eq!(polity.refusal(right), Some(Refusal::Barred { owner, until }));
    let by_another = polity.accuse(103, 104, polity.commits(104, &order, 0));
    assert_eq!(polity.refusal(by_another), None);
    let effects = polity.block_at(until, vec![]);
    let height = polity.height();
    assert_eq!(effects, [Effect::Released { owner, right: Right::Dispute, height }]);
    assert_eq!(polity.ledger.failures(&owner), 0);
}

#[test]
fn failed_disputes_and_accusations_count_together_and_a_right_one_resets_them() {
    let mut polity = Polity::new();
    let order = polity.order(2, 3);
    polity.block(vec![polity.slander(101, 104, &order, 0)]);
    polity.block(vec![polity.dispute(
        &order,
        0,
        &[(103, crate::fixture::fair(0)), (104, crate::fixture::lie(0))],
    )]);
    polity.hang(&order, 0);
    assert_eq!(polity.ledger.failures(&public(1)), 2);
    polity.block(vec![polity.accuse(101, 105, polity.commits(105, &order, 1))]);
    assert_eq!(polity.ledger.failures(&public(1)), 0);
}

#[test]
fn machines_of_one_owner_fail_together() {
    let mut polity = Polity::new();
    let order = polity.order(2, 3);
    polity.block(vec![polity.admission(InvitationKind::Machine, 2, 2, 106)]);
    let txs = vec![
        polity.slander(102, 104, &order, 0),
        polity.slander(106, 104, &order, 0),
        polity.slander(106, 104, &order, 1),
    ];
    polity.block(txs);
    assert!(!polity.ledger.may_dispute(&public(2)));
}

#[test]
fn strangers_neither_accuse_nor_are_accused() {
    let polity = Polity::new();
    let order = polity.order(2, 3);
    let by = polity.accuse(110, 104, polity.commits(104, &order, 0));
    assert_eq!(polity.refusal(by), Some(Refusal::NotANode(public(110))));
    let against = polity.accuse(102, 110, polity.commits(110, &order, 0));
    assert_eq!(polity.refusal(against), Some(Refusal::NotANode(public(110))));
}

#[test]
fn a_node_may_give_itself_up() {
    let mut polity = Polity::new();
    let order = polity.order(2, 3);
    polity.block(vec![polity.accuse(104, 104, polity.commits(104, &order, 0))]);
    assert!(polity.ledger.is_barred(&public(4)));
}

#[test]
fn an_accusation_is_of_now() {
    let mut polity = Polity::with(|params| params.job_lifetime_ms = 20_000);
    let order = polity.order(2, 3);
    polity.block_at(Time(50_000), vec![]);
    // Checked for a block of 50,001.
    let at = |issued| {
        let proof = polity.commits(104, &order, 0);
        polity.refusal(polity.accuse_at(Time(issued), 102, 104, proof))
    };
    assert_eq!(at(30_001), None);
    assert!(matches!(at(30_000), Some(Refusal::Expired { .. })));
    assert_eq!(at(60_001), None);
    assert!(matches!(at(60_002), Some(Refusal::Early { .. })));
}

#[test]
fn an_accusation_in_a_quiet_network_waits_for_the_next_block() {
    let mut polity = Polity::new();
    let order = polity.order(2, 3);
    let now = polity.time().after_ms(polity.ledger.params().heartbeat_ms - 1);
    let tx = polity.accuse_at(now, 102, 104, polity.commits(104, &order, 0));
    let refused = polity.refusal(tx.clone()).unwrap();
    assert!(matches!(refused, Refusal::Early { .. }) && refused.is_passing(), "{refused}");
    polity.block_at(now, vec![tx]);
    assert!(polity.ledger.is_barred(&public(4)));
}

#[test]
fn a_failed_accusation_is_remembered_as_long_as_it_could_come_again() {
    let mut polity = Polity::with(|params| params.job_lifetime_ms = 20_000);
    let order = polity.order_with(|job| job.expires = Time(15_000));
    let slander = polity.slander(102, 104, &order, 0);
    polity.block(vec![slander.clone()]);
    polity.block_at(Time(20_999), vec![]);
    assert_eq!(polity.refusal(slander.clone()), Some(Refusal::NothingNew));
    polity.block_at(Time(21_000), vec![]);
    assert!(matches!(polity.refusal(slander), Some(Refusal::Expired { .. })));
}

#[test]
fn only_a_validator_can_vote_or_rule_twice() {
    let mut polity = Polity::new();
    let order = polity.order(2, 3);
    for (n, (contradiction, cause)) in polity.contradictions(105, &order).into_iter().enumerate() {
        let of_validators = matches!(cause, Cause::Votes { .. } | Cause::Verdicts { .. });
        let effects = polity.block(vec![polity.accuse(102, 105, contradiction)]);
        let unfounded = matches!(effects[0], Effect::Unfounded { .. });
        assert_eq!(unfounded, of_validators, "{n}: {cause:?}");
    }
    assert_eq!(polity.ledger.findings().len(), 3);
    assert_eq!(polity.ledger.failures(&public(2)), 2);
}

#[test]
fn a_validator_that_lost_its_draw_still_votes() {
    let mut polity = Polity::new();
    polity.block(vec![polity.accuse(102, 104, polity.votes(104, 300, [1, 2]))]);
    assert!(polity.ledger.validators().contains(&public(104)));
    let order = polity.order(2, 3);
    polity.block(vec![polity.dispute(
        &order,
        0,
        &[(103, crate::fixture::fair(0)), (105, crate::fixture::lie(0))],
    )]);
    let ruling = polity.verdict(104, &order, &[(0, Some(crate::fixture::fair(0)))]);
    assert_eq!(polity.refusal(ruling), None);
}
