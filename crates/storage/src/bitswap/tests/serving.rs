//! The side that gives.

use super::{super::message::Presence, *};
use futures::AsyncWriteExt;
use protocol::port::Offence;
use std::collections::HashSet;

fn presence(cid: &Cid, here: bool) -> Presence {
    Presence { name: Name::of(cid), here }
}

#[tokio::test]
async fn blocks_and_presences_are_answered_over_a_stream_of_our_own() {
    let mesh = Mesh::new();
    let node = node(&mesh, 1, Config::default());
    let mut peer = Peer::new(&mesh, 2);
    node.keep(&[blob(0), blob(1)]).await;
    let list = wants([
        want(&blob(0).0, Kind::Block),
        want(&blob(1).0, Kind::Have),
        want(&blob(2).0, Kind::Block),
        Entry { send_dont_have: false, ..want(&blob(3).0, Kind::Have) },
    ]);
    peer.say(1, &list).await;
    let answer = peer.hear().await;
    assert_eq!(answer.blocks, [payload(&blob(0))]);
    let presences: HashSet<_> =
        answer.presences.into_iter().map(|one| (one.name, one.here)).collect();
    let expected = [(Name::of(&blob(1).0), true), (Name::of(&blob(2).0), false)];
    assert_eq!(presences, HashSet::from(expected));
    // The next answer takes the same stream.
    peer.say(1, &wants([want(&blob(1).0, Kind::Block)])).await;
    assert_eq!(peer.hear().await.blocks, [payload(&blob(1))]);
    assert_eq!(mesh.opened(key(1)), 1);
}

#[tokio::test]
async fn a_stream_that_nobody_uses_is_closed_and_opened_again_when_needed() {
    let mesh = Mesh::new();
    let node = node(&mesh, 1, Config::default());
    let mut peer = Peer::new(&mesh, 2);
    node.keep(&[blob(0)]).await;
    peer.say(1, &wants([want(&blob(0).0, Kind::Have)])).await;
    peer.hear().await;
    let mut stream = peer.stream.take().expect("it was heard on");
    node.clock.advance(Config::default().idle_ms);
    assert_eq!(read_length(&mut stream).await.expect("a clean end"), None);
    peer.say(1, &wants([want(&blob(0).0, Kind::Have)])).await;
    assert_eq!(peer.hear().await.presences, [presence(&blob(0).0, true)]);
    assert_eq!(mesh.opened(key(1)), 2);
}

#[tokio::test]
async fn a_want_is_remembered_until_the_block_comes_or_it_is_cancelled() {
    let mesh = Mesh::new();
    let node = node(&mesh, 1, Config::default());
    let mut peer = Peer::new(&mesh, 2);
    let all = [0, 1, 2, 3].map(blob);
    let mut list: Vec<_> = all.iter().map(|(cid, _)| want(cid, Kind::Block)).collect();
    list[3].kind = Kind::Have;
    peer.say(1, &wants(list.clone())).await;
    assert_eq!(peer.hear().await.presences.len(), 4, "all are missing, and that is said at once");
    list[1].cancel = true;
    list.truncate(2);
    peer.say(1, &wants([list.remove(1), want(&blob(9).0, Kind::Have)])).await;
    peer.hear().await;
    node.keep(&all).await;
    // One is told, the others are looked for.
    node.bitswap.came(&[all[0].0]).await;
    assert_eq!(peer.hear().await.blocks, [payload(&all[0])]);
    node.clock.advance(Config::default().look_ms);
    let answer = peer.hear().await;
    assert_eq!(answer.blocks, [payload(&all[2])]);
    assert_eq!(answer.presences, [presence(&all[3].0, true)]);
}

#[tokio::test]
async fn a_full_list_replaces_what_was_wanted_before() {
    let mesh = Mesh::new();
    let node = node(&mesh, 1, Config::default());
    let mut peer = Peer::new(&mesh, 2);
    peer.say(1, &wants([want(&blob(0).0, Kind::Block)])).await;
    peer.hear().await;
    let full = Message { full: true, ..wants([want(&blob(1).0, Kind::Block)]) };
    peer.say(1, &full).await;
    peer.hear().await;
    node.keep(&[blob(0), blob(1)]).await;
    node.bitswap.came(&[blob(0).0, blob(1).0]).await;
    assert_eq!(peer.hear().await.blocks, [payload(&blob(1))]);
}

#[tokio::test]
async fn what_is_withheld_is_not_there_until_it_is_let_go() {
    let mesh = Mesh::new();
    let node = node(&mesh, 1, Config::default());
    let mut peer = Peer::new(&mesh, 2);
    node.keep(&[blob(0), blob(1)]).await;
    lock(&node.gate.0).push(blob(0).0);
    for kind in [Kind::Have, Kind::Block] {
        peer.say(1, &wants([want(&blob(0).0, kind)])).await;
        let answer = peer.hear().await;
        assert_eq!((answer.presences, answer.blocks), (vec![presence(&blob(0).0, false)], vec![]));
    }
    lock(&node.gate.0).clear();
    node.clock.advance(Config::default().look_ms);
    assert_eq!(peer.hear().await.blocks, [payload(&blob(0))]);
}

#[tokio::test]
async fn a_block_beyond_the_bound_is_not_there() {
    let mesh = Mesh::new();
    let config = Config { block_bytes: 100, ..Config::default() };
    let node = node(&mesh, 1, config);
    let mut peer = Peer::new(&mesh, 2);
    node.keep(&[blob(1), blob(9)]).await;
    peer.say(1, &wants([want(&blob(9).0, Kind::Block), want(&blob(1).0, Kind::Block)])).await;
    assert_eq!(peer.hear().await.blocks, [payload(&blob(1))]);
    assert_eq!(peer.hear().await.presences, [presence(&blob(9).0, false)]);
}

#[tokio::test]
async fn many_blocks_come_in_messages_below_the_bound() {
    let mesh = Mesh::new();
    let node = node(&mesh, 1, Config::default());
    let mut peer = Peer::new(&mesh, 2);
    let blocks: Vec<_> = (0..12_u8)
        .map(|n| {
            let block = Block::of(Codec::Raw, vec![n; 900 << 10]);
            (block.cid, block.bytes)
        })
        .collect();
    node.keep(&blocks).await;
    peer.say(1, &wants(blocks.iter().map(|(cid, _)| want(cid, Kind::Block)))).await;
    let mut got = 0;
    while got < blocks.len() {
        let answer = peer.hear().await;
        assert!(answer.blocks.iter().map(|block| block.data.len()).sum::<usize>() <= 2 << 20);
        got += answer.blocks.len();
    }
}

#[tokio::test]
async fn old_names_are_answered_as_they_were_asked() {
    let mesh = Mesh::new();
    let node = node(&mesh, 1, Config::default());
    let mut peer = Peer::new(&mesh, 2);
    let block = Block::of(Codec::DagPb, &b"node"[..]);
    node.keep(&[(block.cid, block.bytes.clone())]).await;
    let old = [&[0x12, 0x20][..], block.cid.digest().as_bytes()].concat();
    let name = Name::parse(&old).expect("version 0");
    let unknown = Name::parse(&[1, 0x78, 0x12, 1, 7]).expect("another codec");
    let list = [
        Entry { name, ..want(&block.cid, Kind::Block) },
        Entry { name: unknown.clone(), ..want(&block.cid, Kind::Block) },
    ];
    peer.say(1, &wants(list)).await;
    let answer = peer.hear().await;
    assert_eq!(answer.blocks[0].prefix, [0, 0x70, 0x12, 0x20][..]);
    assert_eq!(answer.presences, [Presence { name: unknown, here: false }]);
}

#[tokio::test]
async fn a_peer_that_knows_only_the_older_version_is_answered_in_it() {
    let mesh = Mesh::new();
    let node = node(&mesh, 1, Config::default());
    let mut peer = Peer::speaking(&mesh, 2, OLDER[0]);
    node.keep(&[blob(0)]).await;
    peer.say(1, &wants([want(&blob(0).0, Kind::Block)])).await;
    assert_eq!(peer.hear().await.blocks, [payload(&blob(0))]);
}

#[tokio::test]
async fn gluttons_and_babblers_are_penalised() {
    let mesh = Mesh::new();
    let config = Config { wants_per_peer: 2, streams_per_peer: 1, ..Config::default() };
    let _node = node(&mesh, 1, config);
    let peer = Peer::new(&mesh, 2);
    peer.say(1, &wants([0, 1, 2].map(|n| want(&blob(n).0, Kind::Have)))).await;
    mesh.offended(1).await;
    let bad = |n: u8| mesh.node(key(n));
    bad(3)
        .open(key(1), PROTOCOL)
        .await
        .expect("open")
        .write_all(&[2, 0x0a, 9])
        .await
        .expect("sent");
    mesh.offended(2).await;
    let long = [0xff, 0xff, 0xff, 0xff, 0x0f];
    bad(4).open(key(1), PROTOCOL).await.expect("open").write_all(&long).await.expect("sent");
    mesh.offended(3).await;
    let open = [bad(5).open(key(1), PROTOCOL).await, bad(5).open(key(1), PROTOCOL).await];
    mesh.offended(4).await;
    assert!(open.iter().all(Result::is_ok));
    let offences: Vec<_> = mesh.offences().into_iter().map(|(_, by, what)| (by, what)).collect();
    let expected = [
        (key(2), Offence::Flooding),
        (key(3), Offence::Malformed),
        (key(4), Offence::Oversized),
        (key(5), Offence::Flooding),
    ];
    assert_eq!(offences, expected);
}

#[tokio::test]
async fn a_peer_that_does_not_read_holds_nobody_up() {
    let mesh = Mesh::new();
    // Room for the messages of two.
    let config = Config { memory_bytes: 4 << 20, ..Config::default() };
    let node = node(&mesh, 1, config);
    let block = Block::of(Codec::Raw, vec![7; 1 << 20]);
    node.keep(&[(block.cid, block.bytes)]).await;
    let idle = Peer::new(&mesh, 2);
    let mut reads = Peer::new(&mesh, 3);
    let list = wants([want(&block.cid, Kind::Block)]);
    idle.say(1, &list).await;
    for _ in 0..5 {
        reads.say(1, &list).await;
        assert_eq!(reads.hear().await.blocks.len(), 1);
    }
}
