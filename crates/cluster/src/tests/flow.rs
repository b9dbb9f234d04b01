//! Inputs in, effects out.

use super::{
    Node, alone,
    clock::Hands,
    key,
    probe::Probe,
    tally::{Tally, Told, Wish},
};
use crate::{Config, Error, start};
use identity::{Digest, NetworkId};
use protocol::Time;
use std::{collections::BTreeSet, sync::Arc};
use tokio::task::JoinSet;
use work::Work;

#[tokio::test]
async fn an_input_is_applied_when_propose_returns() {
    let node = Node::start(&Config::default(), &Probe::new()).await;
    for number in 0..5 {
        node.tell(Told::Add(number)).await;
        assert_eq!(node.tally().await.added.last(), Some(&number));
    }
    node.cluster.shutdown().await.unwrap();
}

#[tokio::test]
async fn effects_come_in_the_order_of_the_log_after_those_of_a_new_leader() {
    let mut node = Node::start(&Config::default(), &Probe::new()).await;
    for number in 0..100 {
        node.tell(Told::Add(number)).await;
    }
    assert_eq!(node.wishes().await, [Wish::Led { added: 0 }]);
    for number in 0..100 {
        assert_eq!(node.wishes().await, [Wish::Added { number, at: Time(1_000) }]);
    }
}

#[tokio::test]
async fn a_thousand_callers_at_once_are_each_heard_once_in_few_writes() {
    let log = Probe::new();
    let node = Node::start(&Config::default(), &log).await;
    let before = log.asked();
    log.hold(true);
    let mut callers = JoinSet::new();
    callers.spawn(add(&node, 0));
    log.asked_after(before).await;
    for number in 1..1_000 {
        callers.spawn(add(&node, number));
    }
    // A read stands in the engine's queue behind them all.
    assert!(node.tally().await.added.is_empty());
    log.hold(false);
    callers.join_all().await;
    let added = node.tally().await.added;
    assert_eq!(added.len(), 1_000);
    assert_eq!(added.into_iter().collect::<BTreeSet<_>>(), (0..1_000).collect());
    let writes = log.asked() - before;
    assert!(writes < 10, "{writes} writes");
}

fn add(node: &Node, number: u64) -> impl Future<Output = ()> + use<> {
    let cluster = node.cluster.clone();
    async move { cluster.propose(Told::Add(number)).await.unwrap() }
}

#[tokio::test]
async fn nothing_is_acknowledged_before_it_is_durable() {
    let log = Probe::new();
    let mut node = Node::start(&Config::default(), &log).await;
    assert_eq!(node.wishes().await, [Wish::Led { added: 0 }]);
    let before = log.asked();
    log.hold(true);
    let mut callers = JoinSet::new();
    callers.spawn(add(&node, 7));
    log.asked_after(before).await;
    // A read goes through everything that the engine has to do, so the input had its chance.
    assert!(node.tally().await.added.is_empty());
    assert!(callers.try_join_next().is_none());
    assert!(node.effects.try_recv().is_err());
    log.hold(false);
    callers.join_all().await;
    assert_eq!(node.tally().await.added, [7]);
}

#[tokio::test]
async fn a_slow_receiver_slows_the_mind_and_misses_nothing() {
    let config = Config { effect_queue: 1, ..Config::default() };
    let mut node = Node::start(&config, &Probe::new()).await;
    let mut callers = JoinSet::new();
    for number in 0..50 {
        callers.spawn(add(&node, number));
    }
    let mut numbers = BTreeSet::new();
    assert_eq!(node.wishes().await, [Wish::Led { added: 0 }]);
    while numbers.len() < 50 {
        for wish in node.wishes().await {
            let Wish::Added { number, .. } = wish else { panic!("{wish:?}") };
            assert!(numbers.insert(number), "{number} came twice");
        }
    }
    callers.join_all().await;
    assert_eq!(node.tally().await.added.len(), 50);
}

#[tokio::test]
async fn more_than_the_queue_holds_waits_and_is_taken_in_the_end() {
    let config = Config { input_bytes: 4_096, queue_bytes: 8_192, ..Config::default() };
    let node = Node::start(&config, &Probe::new()).await;
    let mut callers = JoinSet::new();
    for _ in 0..20 {
        let cluster = node.cluster.clone();
        callers.spawn(async move { cluster.propose(Told::Text("x".repeat(4_000))).await });
    }
    while let Some(answer) = callers.join_next().await {
        assert_eq!(answer.unwrap(), Ok(()));
    }
}

#[tokio::test]
async fn an_input_that_is_too_large_is_refused() {
    let config = Config { input_bytes: 1_000, ..Config::default() };
    let node = Node::start(&config, &Probe::new()).await;
    let told = node.cluster.propose(Told::Text("x".repeat(1_000))).await;
    assert_eq!(told, Err(Error::TooLarge { size_bytes: 1_009, limit_bytes: 1_000 }));
    node.tell(Told::Add(1)).await;
}

#[tokio::test]
async fn after_a_shutdown_every_call_says_so() {
    let node = Node::start(&Config::default(), &Probe::new()).await;
    node.tell(Told::Add(1)).await;
    let other = node.cluster.clone();
    let failed = other.failed();
    node.cluster.shutdown().await.unwrap();
    assert_eq!(other.propose(Told::Add(2)).await, Err(Error::Stopped));
    assert_eq!(other.read(Tally::clone).await, Err(Error::Stopped));
    assert_eq!(*failed.borrow(), None);
    other.shutdown().await.unwrap();
}

#[tokio::test]
async fn a_shutdown_does_not_wait_for_effects_that_nobody_receives() {
    let config = Config { effect_queue: 1, ..Config::default() };
    let log = Probe::new();
    let node = Node::start(&config, &log).await;
    let before = log.asked();
    let mut callers = JoinSet::new();
    for number in 0..5 {
        let cluster = node.cluster.clone();
        callers.spawn(async move { cluster.propose(Told::Add(number)).await });
    }
    log.asked_after(before).await;
    node.cluster.shutdown().await.unwrap();
    callers.join_all().await;
}

#[tokio::test]
async fn the_work_of_a_home_is_replicated() {
    let log = Probe::new();
    let network = NetworkId(Digest::of("test", &[]));
    for start_number in 0..2 {
        let initial = Work::new(work::Config::default(), key(1), network);
        let clock = Arc::new(Hands::at(1_000));
        let (cluster, _effects) =
            start(alone(&Config::default(), initial, log.clone(), clock)).await.unwrap();
        cluster.propose(work::Input::Connected(key(2))).await.unwrap();
        let seen = cluster.read(|work| work.network()).await.unwrap();
        assert_eq!(seen, network, "start {start_number}");
        cluster.shutdown().await.unwrap();
    }
}

#[test]
fn the_defaults_make_sense_and_unknown_settings_are_refused() {
    let config: Config = serde_json::from_str("{}").unwrap();
    assert_eq!(config, Config::default());
    assert_eq!(config.check(), Ok(()));
    assert!(config.engine().is_ok());
    assert!(serde_json::from_str::<Config>(r#"{"snapshots": 1}"#).is_err());
}

#[test]
fn settings_that_make_no_sense_are_named() {
    let good = Config::default;
    let wrong = [
        ("snapshot_entries", Config { snapshot_entries: 0, ..good() }),
        ("input_bytes", Config { input_bytes: 1 << 30, ..good() }),
        ("queue_bytes", Config { queue_bytes: 1, ..good() }),
        ("election_ms", Config { election_ms: 100, ..good() }),
    ];
    for (field, config) in wrong {
        let error = config.check().unwrap_err().to_string();
        assert!(error.contains(field), "{error}");
    }
}
