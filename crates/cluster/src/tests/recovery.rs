//! What is left after a restart, a crash, or a snapshot.

use super::{
    Node, alone,
    clock::Hands,
    key,
    probe::Probe,
    tally::{Tally, Told, Wish},
};
use crate::{
    Config, Error, Parts,
    engine::{LeaderId, LogId, Member},
    record, start,
    store::JOINED,
};
use protocol::{Time, port::Log};
use std::{sync::Arc, time::Duration};
use tokio::task::JoinSet;

/// Snapshots often, and keeps nothing behind them.
fn frugal() -> Config {
    Config { snapshot_entries: 20, keep_entries: 0, ..Config::default() }
}

async fn add(node: &Node, numbers: std::ops::Range<u64>) {
    for number in numbers {
        node.tell(Told::Add(number)).await;
    }
}

#[tokio::test]
async fn a_restart_keeps_the_state_and_asks_for_effects_anew() {
    let log = Probe::new();
    for start_number in 0..4 {
        let mut node = Node::start(&Config::default(), &log).await;
        let known = usize::try_from(start_number * 10).unwrap();
        assert_eq!(node.wishes().await, [Wish::Led { added: known }]);
        assert_eq!(node.tally().await.added, (0..start_number * 10).collect::<Vec<_>>());
        add(&node, start_number * 10..start_number * 10 + 10).await;
        for number in start_number * 10..start_number * 10 + 10 {
            assert_eq!(node.wishes().await, [Wish::Added { number, at: Time(1_000) }]);
        }
        node.cluster.shutdown().await.unwrap();
    }
}

#[tokio::test]
async fn a_snapshot_replaces_the_entries_before_it() {
    let log = Probe::new();
    let node = Node::start(&frugal(), &log).await;
    add(&node, 0..100).await;
    log.begins_after(20).await;
    let state = node.tally().await;
    node.cluster.shutdown().await.unwrap();

    let mut node = Node::start(&frugal(), &log).await;
    assert_eq!(node.tally().await, state);
    assert_eq!(node.wishes().await, [Wish::Led { added: 100 }]);
    let before = log.range().start;
    add(&node, 100..200).await;
    log.begins_after(before + 20).await;
    assert_eq!(node.tally().await.added, (0..200).collect::<Vec<_>>());
    node.cluster.shutdown().await.unwrap();
    assert!(log.range().end - log.range().start < 100, "{:?}", log.range());
}

#[tokio::test]
async fn a_crash_loses_nothing_that_was_acknowledged() {
    for lives in [1, 7, 40, 150, 199] {
        let log = Probe::new();
        let node = Node::start(&frugal(), &log).await;
        let mut callers = JoinSet::new();
        for number in 0..200 {
            let cluster = node.cluster.clone();
            callers.spawn(async move { cluster.propose(Told::Add(number)).await.map(|()| number) });
        }
        let mut acknowledged = Vec::new();
        while acknowledged.len() < lives {
            acknowledged.push(callers.join_next().await.unwrap().unwrap().unwrap());
        }
        let crashed = log.fork();
        drop((callers, node));

        let node = Node::start(&frugal(), &crashed).await;
        let mut added = node.tally().await.added;
        for number in acknowledged {
            assert!(added.contains(&number), "{number} is lost");
        }
        let count = added.len();
        added.sort_unstable();
        added.dedup();
        assert_eq!(added.len(), count, "applied twice");
        node.tell(Told::Add(1_000)).await;
    }
}

#[tokio::test]
async fn a_cluster_that_is_dropped_can_be_started_again() {
    let log = Probe::new();
    for start_number in 0..3 {
        let node = Node::start(&Config::default(), &log).await;
        assert_eq!(node.tally().await.added.len(), start_number);
        node.tell(Told::Add(1)).await;
        drop(node);
    }
}

#[tokio::test]
async fn a_cluster_that_crashed_while_it_was_founded_is_founded_then() {
    let log = Probe::new();
    log.hold(true);
    let clock = Arc::new(Hands::at(0));
    let mut founding = JoinSet::new();
    let (held, time) = (log.clone(), clock.clone());
    founding.spawn(async move {
        start(alone(&Config::default(), Tally::default(), held, time)).await.map(|_| ())
    });
    log.asked_after(0).await;
    let crashed = log.fork();
    assert!(crashed.has("origin"));
    founding.shutdown().await;
    let node = Node::start(&Config::default(), &crashed).await;
    node.tell(Told::Add(1)).await;
}

#[tokio::test]
async fn the_first_state_is_that_of_the_founding() {
    let log = Probe::new();
    let clock = Arc::new(Hands::at(0));
    for first in [5, 6] {
        let initial = Tally { added: vec![first], ..Tally::default() };
        let (cluster, _effects) =
            start(alone(&Config::default(), initial, log.clone(), clock.clone())).await.unwrap();
        assert_eq!(cluster.read(|tally| tally.added.clone()).await.unwrap(), [5]);
        cluster.shutdown().await.unwrap();
    }
}

#[tokio::test]
async fn the_log_of_another_node_is_refused() {
    let log = Probe::new();
    Node::start(&Config::default(), &log).await.cluster.shutdown().await.unwrap();
    let clock = Arc::new(Hands::at(0));
    let parts = alone(&Config::default(), Tally::default(), log, clock);
    let started = start(Parts { me: key(2), ..parts }).await;
    assert_eq!(started.err(), Some(Error::Foreign { owner: key(1), me: key(2) }));
}

#[tokio::test]
async fn a_log_that_was_altered_is_refused() {
    let log = Probe::new();
    let node = Node::start(&Config::default(), &log).await;
    add(&node, 0..5).await;
    node.cluster.shutdown().await.unwrap();
    let end = log.range().end;
    log.append(end, vec![bytes::Bytes::from_static(b"\x01nonsense")]).await.unwrap();
    let clock = Arc::new(Hands::at(0));
    let started = start(alone(&Config::default(), Tally::default(), log, clock)).await;
    assert!(matches!(started.err(), Some(Error::Unreadable { .. })));
}

/// Once it was all there is of its cluster; then it was removed, came back with an empty disk, and
/// has been told the beginning of the log so far.
#[tokio::test(start_paused = true)]
async fn who_was_let_in_again_does_not_lead_by_what_it_was_before() {
    let log = Probe::new();
    let node = Node::start(&Config::default(), &log).await;
    node.tell(Told::Add(1)).await;
    node.cluster.shutdown().await.unwrap();
    let leader_id = LeaderId { term: 9, node_id: Member(key(2)) };
    let joined = LogId { leader_id, index: 100 };
    log.set(JOINED, record::position_bytes(joined)).await.unwrap();
    let node = Node::start(&Config::default(), &log).await;
    // Time is simulated: this is as long as a hundred elections take.
    tokio::time::sleep(Duration::from_secs(60)).await;
    assert_eq!((node.cluster.leader(), node.cluster.status().term), (None, 1));
    node.cluster.shutdown().await.unwrap();
}
