//! Sanctions begin with the finding, keep the party out of the draw, and end by time, never
//! silently.

use crate::fixture::{Polity, fair, lie, public};
use identity::{Digest, Signed};
use ledger::{Effect, Refusal};
use protocol::{Height, InvitationKind, Job, Right, Seconding, Time, Tx, draw};

fn sanctioned(effects: &[Effect]) -> usize {
    effects.iter().filter(|effect| matches!(effect, Effect::Sanctioned(_))).count()
}

fn released(effects: &[Effect]) -> Vec<&Effect> {
    effects.iter().filter(|effect| matches!(effect, Effect::Released { .. })).collect()
}

fn job(polity: &Polity, n: u8) -> Signed<Job> {
    polity.order_with(|job| {
        job.nonce = Digest([n; 32]);
        job.expires = Time(500_000);
    })
}

#[test]
fn a_sanctioned_party_is_out_of_the_draw_from_that_block_on() {
    let mut polity = Polity::new();
    let order = polity.order(2, 3);
    let before = polity.height();
    let effects = polity.catch(&order, 0, 105);
    let height = polity.height();
    assert!(effects.contains(&Effect::RosterChanged { height }));
    assert_eq!(polity.ledger.roster_since(), height);
    let until = polity.ledger.sanctions()[0].until;
    assert_eq!(polity.ledger.roster().owner(&public(5)).unwrap().barred, Some(until));
    let id = order.payload.id();
    for task in 0..8 {
        assert!(polity.candidates(&id, task, before).contains(&105));
        assert!(!polity.candidates(&id, task, height).contains(&105));
    }
    assert_eq!(polity.ledger.roster().parties(), 4);
    assert!(polity.ledger.is_barred(&public(5)));
    assert!(polity.ledger.may_dispute(&public(5)), "it may still file disputes");
}

#[test]
fn work_that_was_drawn_before_the_sanction_still_counts() {
    let mut polity = Polity::new();
    let order = polity.order(5, 5);
    let all = crate::fixture::agree(polity.agreed(&order, &[1]));
    polity.catch(&order, 0, 105);
    assert_eq!(polity.refusal(all), None);
}

#[test]
fn a_sanction_ends_in_the_first_block_that_is_not_before_its_time() {
    let mut polity = Polity::new();
    polity.catch(&job(&polity, 1), 0, 105);
    let until = polity.ledger.sanctions()[0].until;
    for time in [polity.time().0 + 1, until.0 - 1] {
        assert_eq!(polity.block_at(Time(time), vec![]), []);
        assert!(polity.ledger.is_barred(&public(5)), "{time}");
    }
    let mut later = Polity { genesis: polity.genesis.clone(), ledger: polity.ledger.clone() };
    for (polity, time) in [(&mut polity, until), (&mut later, Time(until.0 + 7_000))] {
        let effects = polity.block_at(time, vec![]);
        let height = polity.height();
        let (owner, right) = (public(5), Right::Execute);
        let expected =
            [Effect::Released { owner, right, height }, Effect::RosterChanged { height }];
        assert_eq!(effects, expected);
        assert!(!polity.ledger.is_barred(&owner));
        assert_eq!(polity.ledger.roster().owner(&owner).unwrap().barred, None);
        assert_eq!(polity.ledger.sanctions()[0].released, Some(height));
        assert_eq!(polity.block(vec![]), [], "once");
        assert_eq!(polity.ledger.sanctions()[0].released, Some(height));
        assert!(polity.ledger.roster_at(height).unwrap().barred_parties().is_empty());
        let before = Height(height.0 - 1);
        assert!(!polity.ledger.roster_at(before).unwrap().barred_parties().is_empty());
    }
}

#[test]
fn each_strike_lasts_longer_and_the_last_length_stays() {
    let mut polity = Polity::new();
    for (n, lasts_ms) in [10_000, 20_000, 40_000, 40_000].into_iter().enumerate() {
        let order = job(&polity, n as u8);
        let effects = polity.catch(&order, 0, 105);
        assert_eq!(sanctioned(&effects), 1);
        let sanction = polity.ledger.sanctions().last().unwrap().clone();
        assert_eq!(sanction.strike as usize, n + 1);
        assert_eq!(sanction.until, polity.time().after_ms(lasts_ms));
        let effects = polity.block_at(sanction.until, vec![]);
        assert_eq!(released(&effects).len(), 1);
    }
    assert_eq!(polity.ledger.sanctions().len(), 4);
    polity.catch(&job(&polity, 9), 0, 103);
    assert_eq!(polity.ledger.sanctions()[4].strike, 1, "each owner counts for itself");
}

#[test]
fn what_comes_to_light_during_a_sanction_belongs_to_it() {
    let mut polity = Polity::new();
    let order = job(&polity, 1);
    let disputes =
        (0..4).map(|task| polity.dispute(&order, task, &[(104, fair(task)), (105, lie(task))]));
    let disputes = disputes.collect();
    polity.block(disputes);
    let mut found = 0;
    for task in 0..4 {
        let effects = polity.rule(&order, task);
        found += effects.iter().filter(|effect| matches!(effect, Effect::Found(_))).count();
        assert_eq!(sanctioned(&effects), usize::from(task == 0));
    }
    assert_eq!((found, polity.ledger.findings().len()), (4, 4));
    let [sanction] = polity.ledger.sanctions() else { panic!("one") };
    assert_eq!(sanction.finding, polity.ledger.findings()[0]);
}

#[test]
fn many_findings_in_one_block_are_one_sanction() {
    let mut polity = Polity::new();
    // Two nodes of one owner lie about three tasks.
    polity.block(vec![polity.admission(InvitationKind::Machine, 5, 5, 106)]);
    let order = job(&polity, 1);
    let said = |task| [(104, fair(task)), (105, lie(task)), (106, lie(task))];
    let disputes = (0..3).map(|task| polity.dispute(&order, task, &said(task))).collect();
    polity.block(disputes);
    let found: Vec<_> = (0..3).map(|task| (task, Some(fair(task)))).collect();
    let verdicts = (101..=103).map(|by| polity.verdict(by, &order, &found)).collect();
    let effects = polity.block(verdicts);
    assert_eq!((sanctioned(&effects), polity.ledger.findings().len()), (1, 6));
    assert_eq!(polity.ledger.sanctions().len(), 1);
    let [a, b] = [105, 106].map(public);
    assert!(polity.ledger.findings().iter().all(|f| f.node == a || f.node == b));
}

#[test]
fn a_sanction_keeps_the_whole_party_out() {
    let mut polity = Polity::new();
    polity.block(vec![polity.admission(InvitationKind::Owner, 5, 6, 106)]);
    let order = job(&polity, 1);
    polity.catch(&order, 0, 106);
    assert!(polity.ledger.is_barred(&public(6)));
    assert!(!polity.ledger.is_barred(&public(5)), "it was not the sponsor itself");
    let nodes = polity.candidates(&order.payload.id(), 0, polity.height());
    assert!(!nodes.contains(&105) && !nodes.contains(&106));
    let effects = polity.block_at(polity.ledger.sanctions()[0].until, vec![]);
    assert_eq!(released(&effects).len(), 1);
    assert_eq!(polity.candidates(&order.payload.id(), 0, polity.height()).len(), 6);
}

#[test]
fn whom_a_sanctioned_owner_lets_in_is_not_drawn_either() {
    let mut polity = Polity::new();
    let order = job(&polity, 1);
    polity.catch(&order, 0, 105);
    polity.block(vec![
        polity.admission(InvitationKind::Owner, 5, 6, 106),
        polity.admission(InvitationKind::Machine, 5, 5, 107),
    ]);
    let nodes = polity.candidates(&order.payload.id(), 0, polity.height());
    assert!(!nodes.contains(&106) && !nodes.contains(&107));
    let owner = public(6);
    let second = |by: u8| {
        let seconding = Seconding { owner };
        Tx::Second(Signed::new(seconding, polity.network(), &crate::fixture::key(by)))
    };
    assert_eq!(polity.refusal(second(2)), None, "another party may vouch for it");
    let until = polity.ledger.sanctions()[0].until;
    assert_eq!(polity.refusal(second(5)), Some(Refusal::Barred { owner: public(5), until }));
}

#[test]
fn a_sanctioned_owner_may_order_and_serve_as_home() {
    let mut polity = Polity::new();
    polity.catch(&job(&polity, 1), 0, 101);
    assert!(polity.ledger.is_barred(&public(1)));
    let order = job(&polity, 2);
    let tx = crate::fixture::agree(polity.agreed(&order, &[0]));
    assert_eq!(polity.refusal(tx), None);
}

#[test]
fn nobody_can_be_drawn_if_every_party_is_sanctioned() {
    let mut polity = Polity::new();
    let order = polity.order(2, 3);
    let said = [101, 102, 103, 104, 105].map(|node| (node, lie(0)));
    let said: Vec<_> =
        said.iter().map(|(n, o)| (*n, if *n == 101 { fair(0) } else { *o })).collect();
    polity.block(vec![polity.dispute(&order, 0, &said)]);
    let rule = |by: u8| polity.verdict(by, &order, &[(0, Some(crate::fixture::third(0)))]);
    let verdicts = (101..=103).map(rule).collect();
    let effects = polity.block(verdicts);
    assert_eq!(sanctioned(&effects), 5);
    assert_eq!(polity.ledger.roster().parties(), 0);
    let beacon = polity.ledger.beacon_at(polity.height()).unwrap();
    let all =
        draw::candidates(beacon, &order.payload.id(), Default::default(), polity.ledger.roster());
    assert_eq!(all, []);
    let effects = polity.block_at(polity.ledger.sanctions()[0].until, vec![]);
    assert_eq!(released(&effects).len(), 5);
}
