//! An executor notices that something else became final than what it committed to.

use super::fixture::{TASK, World, key, lie};
use crate::quotes::claims_in;
use protocol::{
    Dispute, Tx,
    draw::{Skip, SkipReason},
};

#[tokio::test]
async fn what_became_final_against_a_sworn_outcome_is_disputed() {
    let world = World::new().await;
    world.store_inputs().await;
    let order = world.order();
    let honest = world.honest(&order).await;
    let candidates = world.candidates(&order);
    let executor = candidates[2];
    let place = (order.payload.id(), TASK);
    world.sworn.committed(place, world.oath(&order, executor, honest));
    let mut rerun = world.rerun(executor);
    world.block(vec![Tx::Agree(Box::new(world.agreed(&order, lie())))]).await;
    rerun.turn().await.unwrap();
    let sent = world.sent();
    let [Tx::Dispute(dispute)] = &sent[..] else { panic!("a dispute was expected: {sent:?}") };
    let claimed = Dispute::check(dispute, world.chain.network()).unwrap();
    let mut expected = vec![(key(executor).public(), honest)];
    expected.extend(candidates[..2].iter().map(|node| (key(*node).public(), lie())));
    expected.sort();
    assert_eq!(claimed.executors.into_iter().collect::<Vec<_>>(), expected);
    world.block(sent).await;
    let record = world.chain.ledger().dispute(&order.payload.id(), TASK).unwrap().clone();
    assert!(record.after_final && record.filed_by == key(executor).public());
    assert!(world.sworn.take(&place).is_none(), "it is said once");
}

#[tokio::test]
async fn what_became_final_as_sworn_is_forgotten() {
    let world = World::new().await;
    let order = world.order();
    let executor = world.candidates(&order)[2];
    let place = (order.payload.id(), TASK);
    world.sworn.committed(place, world.oath(&order, executor, lie()));
    let mut rerun = world.rerun(executor);
    world.block(vec![Tx::Agree(Box::new(world.agreed(&order, lie())))]).await;
    rerun.turn().await.unwrap();
    assert_eq!(world.sent(), []);
    assert!(world.sworn.take(&place).is_none());
}

#[tokio::test]
async fn who_was_passed_over_is_not_quoted() {
    let world = World::new().await;
    let order = world.order();
    let mut agreements = world.agreed(&order, lie());
    let executors: Vec<_> =
        claims_in(&agreements, TASK).iter().map(protocol::Claim::node).collect();
    assert_eq!(executors.len(), 2);
    let skip = Skip { node: executors[0], reason: SkipReason::Refuted };
    agreements.tasks[0].skipped.push(skip);
    let left: Vec<_> = claims_in(&agreements, TASK).iter().map(protocol::Claim::node).collect();
    assert_eq!(left, executors[1..]);
}
