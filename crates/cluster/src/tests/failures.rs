//! What happens when something breaks.

use super::{
    Node, alone,
    clock::Hands,
    probe::Probe,
    tally::{Tally, Told},
};
use crate::{Config, Error, start};
use std::sync::Arc;
use tokio::task::JoinSet;

async fn reason(node: &Node) -> String {
    let mut failed = node.cluster.failed();
    let reason = failed.wait_for(Option::is_some).await.unwrap().clone();
    reason.unwrap()
}

fn assert_failed<T: std::fmt::Debug>(answer: Result<T, Error>, reason: &str) {
    match answer {
        Err(Error::Failed(text)) => assert!(text.contains(reason), "{text}"),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_write_that_fails_stops_the_cluster_and_says_why() {
    let log = Probe::new();
    let node = Node::start(&Config::default(), &log).await;
    node.tell(Told::Add(1)).await;
    log.break_down();
    assert_failed(node.cluster.propose(Told::Add(2)).await, "the disk is on fire");
    assert!(reason(&node).await.contains("the disk is on fire"));
    assert_failed(node.cluster.propose(Told::Add(3)).await, "the disk is on fire");
    assert_failed(node.cluster.read(Tally::clone).await, "the disk is on fire");
    assert_failed(node.cluster.clone().shutdown().await, "the disk is on fire");
    // What was acknowledged is there; what failed is not.
    let node = Node::start(&Config::default(), &log.fork()).await;
    assert_eq!(node.tally().await.added, [1]);
}

#[tokio::test]
async fn all_who_wait_are_told_when_the_log_fails() {
    let log = Probe::new();
    let node = Node::start(&Config::default(), &log).await;
    let before = log.asked();
    log.hold(true);
    let mut callers = JoinSet::new();
    for number in 0..100 {
        let cluster = node.cluster.clone();
        callers.spawn(async move { cluster.propose(Told::Add(number)).await });
    }
    log.asked_after(before).await;
    log.break_down();
    log.hold(false);
    while let Some(answer) = callers.join_next().await {
        assert_failed(answer.unwrap(), "the disk is on fire");
    }
}

#[tokio::test]
async fn a_snapshot_that_cannot_be_kept_stops_the_cluster() {
    let log = Probe::new();
    let config = Config { snapshot_entries: 10, ..Config::default() };
    let node = Node::start(&config, &log).await;
    log.refuse("snapshot");
    for number in 0..20 {
        // The snapshot is taken beside the inputs: any of these may be the first to fail.
        if node.cluster.propose(Told::Add(number)).await.is_err() {
            break;
        }
    }
    assert!(reason(&node).await.contains("the disk is on fire"));
}

#[tokio::test]
async fn a_log_that_cannot_be_written_is_told_at_the_start() {
    let log = Probe::new();
    log.break_down();
    let clock = Arc::new(Hands::at(0));
    let started = start(alone(&Config::default(), Tally::default(), log, clock)).await;
    let error = started.err().unwrap().to_string();
    assert!(error.contains("the disk is on fire"), "{error}");
}

#[tokio::test]
async fn a_mind_that_panics_stops_the_cluster_with_its_reason() {
    let node = Node::start(&Config::default(), &Probe::new()).await;
    assert_failed(node.cluster.propose(Told::Break).await, "told to break");
    assert!(reason(&node).await.contains("told to break"));
    assert_failed(node.cluster.propose(Told::Add(1)).await, "told to break");
}

#[tokio::test]
async fn a_cluster_whose_effects_nobody_takes_stops() {
    let mut node = Node::start(&Config::default(), &Probe::new()).await;
    node.effects.close();
    // It is applied and acknowledged before its effects find nobody.
    node.tell(Told::Add(1)).await;
    assert!(reason(&node).await.contains("nobody carries its effects out"));
}
