//! What the mind of repair decides.

use super::*;
use identity::PublicKey;
use objects::{Cid, Codec};
use protocol::{
    Time,
    durability::{Candidate, Placement},
};

const POLICY: Policy = Policy { grace_ms: 100, pace_bytes: 1_000, retry_ms: 50, audit_ms: 0 };

fn key(seed: u8) -> PublicKey {
    PublicKey([seed; 32])
}

fn placement(name: &[u8], sequence: u64, slots: &[u8]) -> Placement {
    let slots = slots.iter().map(|seed| key(*seed)).collect();
    Placement { manifest: Cid::of(Codec::DagCbor, name), sequence, slots }
}

fn watch(placement: Placement) -> Input {
    let slot_bytes = vec![500; placement.slots.len()];
    Input::Watch { placement, maker: key(99), slot_bytes, data: 2 }
}

/// The mind of a node in a polity of the nodes 1 to 6, which are all connected.
fn mind(me: u8) -> Repair {
    let mut mind = Repair::new(key(me), POLICY);
    for node in (1..=6).filter(|node| *node != me) {
        mind.step(Time(0), Input::Up(key(node)));
    }
    let candidate = |node| Candidate {
        node: key(node),
        owner: key(100 + node),
        free_bytes: 1_000_000,
        is_connected: true,
    };
    mind.step(Time(0), Input::Candidates((4..=6).map(candidate).collect()));
    mind
}

fn moves(actions: &[Action]) -> Vec<(&Placement, PublicKey)> {
    let one = |action| match action {
        &Action::Move { ref placement, node, .. } => Some((placement, node)),
        _ => None,
    };
    actions.iter().filter_map(one).collect()
}

#[test]
fn the_first_live_holder_replaces_one_that_left_after_the_grace_time() {
    let mut first = mind(1);
    assert_eq!(first.step(Time(10), watch(placement(b"a", 3, &[1, 2, 3]))), []);
    assert_eq!(first.step(Time(20), Input::Down(key(2))), []);
    assert_eq!(first.wake(), Some(Time(120)));
    assert_eq!(first.step(Time(119), Input::Tick), []);
    let actions = first.step(Time(120), Input::Tick);
    let [Action::Move { placement, node, from, pace }] = &actions[..] else {
        panic!("{actions:?}")
    };
    assert_eq!((placement.sequence, placement.slots[1]), (4, *node));
    assert!((4..=6).map(key).any(|own| own == *node), "it holds nothing of it yet");
    assert_eq!((from.len(), *pace), (0, Some(1_000)), "nobody has it: it has to be made");
    assert_eq!(first.step(Time(130), Input::Tick), [], "one at a time");
}

#[test]
fn others_watch_until_they_are_the_first() {
    let mut second = mind(2);
    second.step(Time(10), watch(placement(b"a", 3, &[1, 2, 3])));
    assert_eq!(second.step(Time(20), Input::Down(key(3))), []);
    assert_eq!(second.step(Time(500), Input::Tick), [], "node 1 does it");
    let actions = second.step(Time(510), Input::Down(key(1)));
    assert_eq!(moves(&actions).len(), 1);
}

#[test]
fn who_comes_back_in_time_is_not_replaced() {
    let mut first = mind(1);
    first.step(Time(10), watch(placement(b"a", 3, &[1, 2, 3])));
    first.step(Time(20), Input::Down(key(2)));
    first.step(Time(119), Input::Up(key(2)));
    assert_eq!(first.step(Time(1_000), Input::Tick), []);
    assert_eq!(first.wake(), None);
}

#[test]
fn the_object_that_lost_most_comes_first_and_the_pace_is_kept() {
    let mut first = mind(1);
    let (a, b) = (placement(b"a", 0, &[1, 2, 4]), placement(b"b", 0, &[1, 2, 3]));
    first.step(Time(0), watch(a));
    first.step(Time(0), watch(b.clone()));
    first.step(Time(0), Input::Down(key(2)));
    first.step(Time(0), Input::Down(key(3)));
    let actions = first.step(Time(100), Input::Tick);
    let [(next, _)] = moves(&actions)[..] else { panic!("{actions:?}") };
    assert_eq!(next.manifest, b.manifest);
    let manifest = b.manifest;
    assert_eq!(first.step(Time(200), watch(next.clone())), []);
    // Two shards of 500 bytes were read for each: a second at this pace.
    assert_eq!(first.step(Time(200), Input::Moved { manifest, is_done: true }), []);
    assert_eq!(first.wake(), Some(Time(1_100)));
    assert_eq!(moves(&first.step(Time(1_100), Input::Tick)).len(), 1);
}

#[test]
fn a_node_that_does_not_take_it_is_not_asked_again_at_once() {
    let mut first = mind(1);
    let placement = placement(b"a", 0, &[1, 2, 3]);
    let manifest = placement.manifest;
    first.step(Time(0), watch(placement));
    first.step(Time(0), Input::Down(key(2)));
    let mut asked = Vec::new();
    let mut actions = first.step(Time(100), Input::Tick);
    while let Some((_, node)) = moves(&actions).first().copied() {
        asked.push(node);
        actions = first.step(Time(101), Input::Moved { manifest, is_done: false });
        assert!(asked.len() < 10);
    }
    asked.sort_unstable();
    assert_eq!(asked, [4, 5, 6].map(key));
    assert_eq!(moves(&first.step(Time(151), Input::Tick)).len(), 1, "later they are");
}

#[test]
fn whoever_has_the_shard_is_copied_from() {
    let mut first = mind(1);
    first.step(Time(0), watch(placement(b"a", 0, &[1, 2, 3])));
    first.step(Time(0), Input::Up(key(99)));
    let actions = first.step(Time(5), Input::Leaving(key(2)));
    let [Action::Move { from, .. }] = &actions[..] else { panic!("{actions:?}") };
    assert_eq!(from[..], [key(2), key(99)], "the one that leaves, then the maker");
}

#[test]
fn a_holder_that_lacks_shards_gets_them_again_and_is_replaced_if_that_fails() {
    let mut first = mind(1);
    let placement = placement(b"a", 7, &[1, 2, 3]);
    let (manifest, node) = (placement.manifest, key(3));
    first.step(Time(0), watch(placement.clone()));
    let actions = first.step(Time(5), Input::Audited { manifest, node, is_whole: false });
    assert_eq!(moves(&actions), [(&placement, node)]);
    let failed = first.step(Time(6), Input::Moved { manifest, is_done: false });
    assert_eq!(failed, [], "not at once");
    let actions = first.step(Time(56), Input::Tick);
    let [(next, other)] = moves(&actions)[..] else { panic!("{actions:?}") };
    assert!(other != node && next.slots[2] == other && next.sequence == 8);
}

#[test]
fn a_former_holder_is_told_when_it_comes_back() {
    let mut first = mind(1);
    first.step(Time(0), watch(placement(b"a", 0, &[1, 2, 3])));
    first.step(Time(0), Input::Down(key(2)));
    let next = placement(b"a", 1, &[1, 5, 3]);
    let manifest = next.manifest;
    first.step(Time(10), watch(next));
    let told = first.step(Time(20), Input::Up(key(2)));
    assert_eq!(told, [Action::Note { manifest, node: key(2) }]);
}

#[test]
fn every_holder_has_its_turn_to_be_audited() {
    let mut first = Repair::new(key(1), Policy { audit_ms: 10, ..POLICY });
    first.step(Time(0), Input::Up(key(2)));
    first.step(Time(0), Input::Up(key(3)));
    first.step(Time(0), watch(placement(b"a", 0, &[1, 2, 3])));
    assert_eq!(first.wake(), Some(Time(10)));
    let mut audited = Vec::new();
    for at in 1..=3 {
        for action in first.step(Time(at * 10), Input::Tick) {
            let Action::Audit { node, .. } = action else { panic!("{action:?}") };
            audited.push(node);
        }
    }
    audited.sort_unstable();
    assert_eq!(audited, [1, 2, 3].map(key));
}

#[test]
fn the_same_inputs_give_the_same_decisions() {
    let run = || {
        let mut first = mind(1);
        let mut trace = first.step(Time(0), watch(placement(b"a", 0, &[1, 2, 3])));
        trace.extend(first.step(Time(1), Input::Down(key(3))));
        trace.extend(first.step(Time(200), Input::Tick));
        trace
    };
    assert_eq!(run(), run());
}
