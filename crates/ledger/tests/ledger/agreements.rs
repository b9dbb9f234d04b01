//! Tasks become final once, by the executors that the draw gives.

use crate::fixture::{Polity, agree, key};
use identity::Signed;
use ledger::{Effect, Refusal};
use protocol::{Height, InvitationKind, Params, TaskIndex, Time};

#[test]
fn agreed_tasks_are_final_once() {
    let mut polity = Polity::new();
    let order = polity.order(2, 3);
    let tx = agree(polity.agreed(&order, &[0, 3]));
    let effects = polity.block(vec![tx.clone()]);
    let [Effect::Settled { tasks, height, home, .. }] = &effects[..] else { panic!("{effects:?}") };
    assert_eq!((tasks.len(), *height, *home), (2, Height(1), key(101).public()));
    assert!(polity.ledger.is_final(&order.payload.id(), TaskIndex(3)));
    assert!(!polity.ledger.is_final(&order.payload.id(), TaskIndex(1)));
    assert!(matches!(polity.refusal(tx), Some(Refusal::Final { .. })));
    let overlapping = agree(polity.agreed(&order, &[1, 3]));
    assert!(matches!(polity.refusal(overlapping), Some(Refusal::Final { .. })));
}

#[test]
fn executors_that_were_not_drawn_are_refused() {
    let polity = Polity::new();
    let order = polity.order(2, 3);
    let drawn = polity.agreed(&order, &[0]);
    let by = |nodes: [u8; 2]| {
        agree(polity.agreed_by(&order, &[0], |_| nodes.map(|n| key(n).public()).to_vec()))
    };
    let fair: Vec<_> = drawn.commits.iter().map(|batch| batch.statement.by).collect();
    for nodes in [[101, 102], [101, 103], [104, 105], [102, 105]] {
        let same = nodes.iter().all(|n| fair.contains(&key(*n).public()));
        let refused = polity.refusal(by(nodes));
        assert_eq!(refused.is_none(), same, "{nodes:?}: {refused:?}");
    }
}

#[test]
fn an_expired_order_and_a_stranger_are_refused() {
    let mut polity = Polity::new();
    let mut order = polity.order(1, 1).payload;
    order.expires = Time(1_050);
    let order = Signed::new(order, polity.network(), &key(1));
    let tx = agree(polity.agreed(&order, &[0]));
    assert_eq!(polity.refusal(tx.clone()), None);
    polity.block(Vec::new());
    assert!(matches!(polity.refusal(tx), Some(Refusal::Expired { .. })));
    let order = Signed::new(polity.order(1, 1).payload, polity.network(), &key(77));
    let tx = agree(polity.agreed(&order, &[0]));
    assert_eq!(polity.refusal(tx), Some(Refusal::NotAnOwner(key(77).public())));
}

#[test]
fn an_order_that_lives_too_long_is_refused() {
    let polity = Polity::new();
    let mut order = polity.order(1, 1).payload;
    order.expires = order.issued.after_ms(Params::default().job_lifetime_ms + 1);
    let order = Signed::new(order, polity.network(), &key(1));
    let tx = agree(polity.agreed(&order, &[0]));
    assert!(matches!(polity.refusal(tx), Some(Refusal::Lifetime { .. })));
}

#[test]
fn an_order_of_the_future_waits_until_it_is_signed() {
    let mut polity = Polity::new();
    let order = polity.order_with(|job| {
        job.issued = Time(90_000);
        job.expires = Time(100_000);
    });
    let tx = agree(polity.agreed(&order, &[0]));
    let refused = polity.refusal(tx.clone()).unwrap();
    assert!(matches!(refused, Refusal::Early { .. }) && refused.is_passing(), "{refused}");
    polity.block_at(Time(80_000), vec![tx]);
}

#[test]
fn a_beacon_of_the_future_cannot_draw() {
    let polity = Polity::new();
    let order = polity.order(1, 1);
    let mut agreements = polity.agreed(&order, &[0]);
    agreements.drawn = Height(1);
    assert_eq!(polity.refusal(agree(agreements)), Some(Refusal::Drawn(Height(1))));
}

#[test]
fn a_draw_uses_the_roster_of_its_block() {
    let mut polity = Polity::new();
    let order = polity.order(2, 3);
    let tx = agree(polity.agreed(&order, &[0, 1, 2, 3, 4, 5, 6, 7]));
    polity.block(vec![polity.admission(InvitationKind::Machine, 1, 1, 106)]);
    polity.block(vec![polity.admission(InvitationKind::Machine, 2, 2, 107)]);
    assert_eq!(polity.refusal(tx), None);
}
