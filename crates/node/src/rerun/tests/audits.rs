//! Auditors run again what the beacon names them for.

use super::fixture::{TASK, World, lie};
use protocol::{Dispute, Tx};

#[tokio::test]
async fn an_auditor_that_finds_the_same_says_so_once() {
    let world = World::new().await;
    world.store_inputs().await;
    let order = world.order();
    let honest = world.honest(&order).await;
    let auditor = world.audited(&order, honest).await;
    let mut rerun = world.rerun(auditor);
    assert!(rerun.turn().await.unwrap());
    assert!(!rerun.turn().await.unwrap());
    let sent = world.sent();
    let [Tx::Audit(audit)] = &sent[..] else { panic!("one audit was expected: {sent:?}") };
    assert_eq!((audit.payload.task, audit.payload.outcome), (TASK, honest));
    world.block(sent).await;
    assert_eq!(world.chain.ledger().audited(&order.payload.id()).audited, 1);
    assert!(!world.rerun(auditor).turn().await.unwrap(), "the ledger has its answer");
}

#[tokio::test]
async fn an_auditor_that_finds_something_else_disputes_what_the_executors_said() {
    let world = World::new().await;
    world.store_inputs().await;
    let order = world.order();
    let executors = world.candidates(&order);
    let auditor = world.audited(&order, lie()).await;
    assert!(!executors[..2].contains(&auditor));
    let mut rerun = world.rerun(auditor);
    while rerun.turn().await.unwrap() {}
    let sent = world.sent();
    let [Tx::Dispute(dispute)] = &sent[..] else { panic!("a dispute was expected: {sent:?}") };
    let claimed = Dispute::check(dispute, world.chain.network()).unwrap();
    assert_eq!(claimed.executors.len(), 2);
    assert!(claimed.executors.values().all(|outcome| *outcome == lie()));
    let honest = world.honest(&order).await;
    assert_eq!(claimed.auditors.into_values().collect::<Vec<_>>(), [honest]);
    world.block(sent).await;
    assert!(world.chain.ledger().dispute(&order.payload.id(), TASK).unwrap().after_final);
}

#[tokio::test]
async fn who_is_not_named_audits_nothing() {
    let world = World::new().await;
    world.store_inputs().await;
    let order = world.order();
    let auditor = world.audited(&order, lie()).await;
    for node in (101..=105).filter(|node| *node != auditor) {
        assert!(!world.rerun(node).turn().await.unwrap(), "{node}");
    }
    assert_eq!(world.sent(), []);
}

#[tokio::test]
async fn a_task_that_cannot_be_run_is_left_after_a_few_times() {
    let world = World::new().await;
    let order = world.order();
    let auditor = world.audited(&order, lie()).await;
    let mut rerun = world.rerun(auditor);
    let mut tried = 0;
    while rerun.turn().await.unwrap() {
        tried += 1;
        let Some(wake) = rerun.next_wake() else { break };
        world.clock.set(wake);
    }
    assert_eq!((tried, world.sent()), (3, Vec::new()));
}

#[tokio::test]
async fn a_verdict_goes_before_an_audit() {
    let world = World::new().await;
    world.store_inputs().await;
    let order = world.order();
    let auditor = world.audited(&order, lie()).await;
    assert_ne!(auditor, 105, "the auditor of this test votes");
    let mut filer = world.rerun(auditor);
    while filer.turn().await.unwrap() {}
    let dispute = world.sent();
    world.block(dispute).await;
    // After a restart it has both to do again.
    let mut rerun = world.rerun(auditor);
    assert!(rerun.turn().await.unwrap());
    assert!(rerun.ruled.len() == 1 && rerun.audited.is_empty());
    while rerun.turn().await.unwrap() {}
    assert_eq!(rerun.audited.len(), 1);
    let sent = world.sent();
    assert!(matches!(&sent[..], [Tx::Verdict(_)]), "the ledger has its dispute: {sent:?}");
}
