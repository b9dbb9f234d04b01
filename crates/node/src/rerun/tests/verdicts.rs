//! Validators rule on what is disputed.

use super::fixture::{World, lie, other_lie};
use crate::{chain::Submit, rerun};
use identity::Digest;
use protocol::{OutcomeDigest, Tx, port::Clock};
use std::sync::Arc;
use tokio::sync::mpsc;

/// The only outcome in the only verdict among these.
fn found(sent: &[Tx]) -> Option<OutcomeDigest> {
    let [Tx::Verdict(verdicts)] = sent else { panic!("one verdict was expected: {sent:?}") };
    assert_eq!(verdicts.payload.rulings.len(), 1);
    verdicts.payload.rulings[0].outcome
}

/// Node 102 says what is right, node 103 lies, and the home disputes.
async fn disputed() -> (World, OutcomeDigest) {
    let world = World::new().await;
    world.store_inputs().await;
    let order = world.order();
    let honest = world.honest(&order).await;
    world.block(vec![world.dispute(&order, &[(102, honest), (103, lie())])]).await;
    (world, honest)
}

#[tokio::test]
async fn a_validator_signs_what_it_found_and_says_the_same_after_a_restart() {
    let (world, honest) = disputed().await;
    let mut rerun = world.rerun(104);
    assert!(rerun.turn().await.unwrap());
    assert!(!rerun.turn().await.unwrap(), "it rules once");
    let sent = world.sent();
    assert_eq!(found(&sent), Some(honest));
    let mut restarted = world.rerun(104);
    while restarted.turn().await.unwrap() {}
    assert_eq!(world.sent(), sent, "the same bytes");
    world.block(sent).await;
    let mut restarted = world.rerun(104);
    assert!(!restarted.turn().await.unwrap(), "the ledger has its ruling");
    assert_eq!(world.sent(), []);
}

#[tokio::test]
async fn a_verdict_is_offered_again_until_the_ledger_has_it() {
    let (world, _) = disputed().await;
    let mut rerun = world.rerun(104);
    while rerun.turn().await.unwrap() {}
    let sent = world.sent();
    rerun.turn().await.unwrap();
    assert_eq!(world.sent(), [], "not at once");
    let wake = rerun.next_wake().expect("it is offered again without a block");
    world.clock.set(wake);
    rerun.turn().await.unwrap();
    assert_eq!(world.sent(), sent);
    world.block(sent).await;
    world.clock.set(wake.after_ms(60_000));
    rerun.turn().await.unwrap();
    assert_eq!((world.sent(), rerun.next_wake()), (Vec::new(), None));
}

#[tokio::test]
async fn who_does_not_vote_does_not_rule() {
    let (world, _) = disputed().await;
    assert!(!world.rerun(105).turn().await.unwrap());
    assert_eq!(world.sent(), []);
}

#[tokio::test]
async fn missing_inputs_are_asked_for_until_a_third_of_the_time_is_left() {
    let world = World::new().await;
    let order = world.order();
    world.block(vec![world.dispute(&order, &[(102, lie()), (103, other_lie())])]).await;
    let deadline = world.chain.ledger().disputes().next().unwrap().deadline;
    let mut rerun = world.rerun(104);
    let mut tried = 0;
    while world.chain.ledger().params().verdict_ms / 3 <= deadline.since_ms(world.clock.now()) {
        while rerun.turn().await.unwrap() {
            tried += 1;
        }
        assert_eq!(world.sent(), [], "nothing is said yet");
        world.clock.set(rerun.next_wake().expect("it is tried again"));
    }
    assert!(tried > 1, "{tried}");
    while rerun.turn().await.unwrap() {}
    assert_eq!(found(&world.sent()), None);
}

#[tokio::test]
async fn inputs_that_come_later_are_enough() {
    let world = World::new().await;
    let order = world.order();
    world.block(vec![world.dispute(&order, &[(102, lie()), (103, other_lie())])]).await;
    let mut rerun = world.rerun(104);
    while rerun.turn().await.unwrap() {}
    world.store_inputs().await;
    world.clock.set(rerun.next_wake().expect("it is tried again"));
    while rerun.turn().await.unwrap() {}
    assert_eq!(found(&world.sent()), Some(world.honest(&order).await));
}

#[tokio::test]
async fn who_has_another_engine_says_so_at_once() {
    let world = World::new().await;
    let order = world.order_for(Digest([3; 32]));
    world.block(vec![world.dispute(&order, &[(102, lie()), (103, other_lie())])]).await;
    let mut rerun = world.rerun(104);
    while rerun.turn().await.unwrap() {}
    assert_eq!(found(&world.sent()), None);
}

#[tokio::test]
async fn what_is_disputed_while_a_validator_runs_is_ruled_on() {
    let world = World::new().await;
    world.store_inputs().await;
    let order = world.order();
    let honest = world.honest(&order).await;
    let (sender, mut submitted) = mpsc::channel(8);
    let submit: Submit = Arc::new(move |tx| {
        let sender = sender.clone();
        Box::pin(async move { sender.send(tx).await.map_err(|error| error.to_string()) })
    });
    let disputing = async {
        world.block(vec![world.dispute(&order, &[(102, honest), (103, lie())])]).await;
        submitted.recv().await.expect("the role runs")
    };
    tokio::select! {
        biased;
        ended = rerun::run(world.parts_with(104, submit)) => panic!("it runs on: {ended:?}"),
        tx = disputing => assert_eq!(found(&[tx]), Some(honest)),
    }
}
