//! Time as the mind sees it.

use super::{
    Node,
    clock::Hands,
    probe::Probe,
    tally::{Told, Wish},
};
use crate::Config;
use protocol::Time;
use std::sync::Arc;

#[tokio::test]
async fn a_tick_comes_when_the_deadline_has_come_and_not_before() {
    let mut node = Node::start(&Config::default(), &Probe::new()).await;
    assert_eq!(node.wishes().await, [Wish::Led { added: 0 }]);
    node.tell(Told::Alarm(Time(5_000))).await;
    node.clock.set(4_999);
    node.tell(Told::Add(1)).await;
    assert_eq!(node.wishes().await, [Wish::Added { number: 1, at: Time(4_999) }]);
    node.clock.set(5_000);
    assert_eq!(node.wishes().await, [Wish::Rang { at: Time(5_000) }]);
    assert_eq!(node.tally().await.ticks, 1);
}

#[tokio::test]
async fn an_earlier_deadline_replaces_a_later_one() {
    let mut node = Node::start(&Config::default(), &Probe::new()).await;
    assert_eq!(node.wishes().await, [Wish::Led { added: 0 }]);
    node.tell(Told::Alarm(Time(9_000))).await;
    node.tell(Told::Alarm(Time(2_000))).await;
    node.clock.set(2_500);
    assert_eq!(node.wishes().await, [Wish::Rang { at: Time(2_500) }]);
}

#[tokio::test]
async fn a_deadline_that_passed_while_the_node_was_down_ticks_at_once() {
    let log = Probe::new();
    let node = Node::start(&Config::default(), &log).await;
    node.tell(Told::Alarm(Time(5_000))).await;
    node.cluster.shutdown().await.unwrap();
    let clock = Arc::new(Hands::at(7_000));
    let mut node = Node::with(&Config::default(), &log, &clock).await;
    assert_eq!(node.wishes().await, [Wish::Led { added: 0 }]);
    assert_eq!(node.wishes().await, [Wish::Rang { at: Time(7_000) }]);
}

#[tokio::test]
async fn a_mind_that_does_not_move_its_deadline_is_not_ticked_without_end() {
    let config = Config { tick_ms: 10, ..Config::default() };
    let mut node = Node::start(&config, &Probe::new()).await;
    assert_eq!(node.wishes().await, [Wish::Led { added: 0 }]);
    node.tell(Told::Stick).await;
    for tick in 0..3 {
        let at = Time(1_000 + tick * 10);
        assert_eq!(node.wishes().await, [Wish::Rang { at }]);
        node.tell(Told::Add(tick)).await;
        assert_eq!(node.wishes().await, [Wish::Added { number: tick, at }]);
        node.clock.set(at.0 + 10);
    }
}

#[tokio::test]
async fn the_minds_time_never_goes_backwards() {
    let log = Probe::new();
    let mut node = Node::start(&Config::default(), &log).await;
    node.clock.set(5_000);
    node.tell(Told::Add(1)).await;
    node.clock.set(3_000);
    node.tell(Told::Add(2)).await;
    assert_eq!(node.wishes().await, [Wish::Led { added: 0 }]);
    assert_eq!(node.wishes().await, [Wish::Added { number: 1, at: Time(5_000) }]);
    assert_eq!(node.wishes().await, [Wish::Added { number: 2, at: Time(5_000) }]);
    node.cluster.shutdown().await.unwrap();

    let node = Node::with(&Config::default(), &log, &Arc::new(Hands::at(0))).await;
    node.tell(Told::Add(3)).await;
    assert_eq!(node.tally().await.now, Time(5_000));
}
