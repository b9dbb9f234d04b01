//! The side that wants.

use super::{super::message::Presence, *};
use crate::exchange::{DagLimits, FetchError, Refusal};
use futures::{AsyncWriteExt, FutureExt};
use objects::{Entry as DirEntry, directory};
use protocol::port::{Offence, StreamError};

const LIMITS: DagLimits = DagLimits { blocks: 1_000, bytes: 1 << 30 };

fn refusals(failed: FetchError) -> Vec<(PublicKey, Refusal)> {
    match failed {
        FetchError::NotFound { tried, .. } => tried,
        other => panic!("{other}"),
    }
}

#[tokio::test]
async fn a_block_is_fetched_and_then_here() {
    let mesh = Mesh::new();
    let [a, b] = [1, 2].map(|seed| node(&mesh, seed, Config::default()));
    b.keep(&[blob(0)]).await;
    for _ in 0..2 {
        assert_eq!(a.bitswap.fetch(blob(0).0, &[key(2)]).await, Ok(blob(0).1));
    }
    assert!(a.has(blob(0).0).await);
    assert_eq!((mesh.opened(key(1)), mesh.opened(key(2))), (1, 1));
}

#[tokio::test]
async fn who_has_it_is_found_among_many_and_what_nobody_has_fails_at_once() {
    let mesh = Mesh::new();
    let nodes: Vec<_> = (1..=6).map(|seed| node(&mesh, seed, Config::default())).collect();
    nodes[4].keep(&[blob(0)]).await;
    let from: Vec<_> = (1..=6).map(key).collect();
    assert_eq!(nodes[0].bitswap.fetch(blob(0).0, &from).await, Ok(blob(0).1));
    // The clock stands still: nothing was waited for.
    let failed = nodes[0].bitswap.fetch(blob(1).0, &from).await.expect_err("nobody has it");
    let expected: Vec<_> = (2..=6).map(|seed| (key(seed), Refusal::Missing)).collect();
    assert_eq!(refusals(failed), expected);
    let nobody = nodes[0].bitswap.fetch(blob(1).0, &[]).await.expect_err("nobody was asked");
    assert_eq!(refusals(nobody), []);
}

#[tokio::test]
async fn peers_that_cannot_be_reached_or_do_not_speak_it_are_passed_over() {
    let mesh = Mesh::new();
    let [a, b] = [1, 2].map(|seed| node(&mesh, seed, Config::default()));
    let _mute = mesh.node(key(3));
    b.keep(&[blob(0)]).await;
    let from = [key(9), key(3), key(2)];
    assert_eq!(a.bitswap.fetch(blob(0).0, &from).await, Ok(blob(0).1));
    let failed = a.bitswap.fetch(blob(1).0, &from).await.expect_err("nobody has it");
    let unreachable = Refusal::Unreachable(StreamError::Unreachable(key(9)));
    let unsupported = Refusal::Unreachable(StreamError::Unsupported(key(3), OLDER[0]));
    let expected = [(key(9), unreachable), (key(3), unsupported), (key(2), Refusal::Missing)];
    assert_eq!(refusals(failed), expected);
}

#[tokio::test]
async fn a_damaged_block_is_refused_its_sender_penalised_and_another_peer_used() {
    let mesh = Mesh::new();
    let [a, b] = [1, 2].map(|seed| node(&mesh, seed, Config::default()));
    b.keep(&[blob(0)]).await;
    let mut liar = Peer::new(&mesh, 3);
    let from = [key(3), key(2)];
    let fetch = a.bitswap.fetch(blob(0).0, &from);
    let lie = async {
        liar.hear().await;
        let damaged = (blob(0).0, Bytes::from_static(b"damaged"));
        liar.say(1, &Message { blocks: vec![payload(&damaged)], ..Message::default() }).await;
    };
    let (fetched, ()) = tokio::join!(fetch, lie);
    assert_eq!(fetched, Ok(blob(0).1));
    assert_eq!(mesh.offences(), [(key(1), key(3), Offence::BadContent)]);
    assert_eq!(a.blobs.count(), 1);

    let fetch = a.bitswap.fetch(blob(1).0, &from[..1]);
    let lie = async {
        while !liar.hear().await.wants.iter().any(|entry| entry.name == Name::of(&blob(1).0)) {}
        liar.say(1, &Message { blocks: vec![payload(&blob(2))], ..Message::default() }).await;
    };
    let (fetched, ()) = tokio::join!(fetch, lie);
    assert_eq!(refusals(fetched.expect_err("a lie")), [(key(3), Refusal::BadContent)]);
    assert!(!a.has(blob(2).0).await, "nobody asked for it");
}

#[tokio::test]
async fn a_silent_peer_is_asked_again_then_another_one_is() {
    let mesh = Mesh::new();
    let config = Config::default();
    let a = node(&mesh, 1, config.clone());
    let mut silent = Peer::new(&mesh, 3);
    let from = [key(3), key(2)];
    let mut fetch = a.bitswap.fetch(blob(0).0, &from[..1]).boxed();
    for _ in 0..2 {
        let asked = tokio::select! {
            asked = silent.hear() => asked,
            fetched = &mut fetch => panic!("{fetched:?}"),
        };
        assert_eq!(asked.wants, [want(&blob(0).0, Kind::Block)]);
        a.clock.advance(config.fetch_again_ms);
    }
    a.clock.advance(config.fetch_patience_ms);
    let failed = refusals(fetch.await.expect_err("nothing came"));
    assert!(matches!(&failed[..], [(peer, Refusal::Broken(_))] if *peer == key(3)), "{failed:?}");

    let b = node(&mesh, 2, config.clone());
    b.keep(&[blob(1)]).await;
    let mut fetch = a.bitswap.fetch(blob(1).0, &from).boxed();
    let asks =
        async { while !silent.hear().await.wants.contains(&want(&blob(1).0, Kind::Block)) {} };
    // The other one says that it has it, and is asked when the first one has been silent.
    tokio::select! {
        () = asks => {}
        fetched = &mut fetch => assert_eq!(fetched, Ok(blob(1).1)),
    }
    a.clock.advance(config.fetch_again_ms);
    assert_eq!(fetch.await, Ok(blob(1).1));
}

#[tokio::test]
async fn what_comes_slowly_is_waited_for() {
    let mesh = Mesh::new();
    let config = Config::default();
    let a = node(&mesh, 1, config.clone());
    let mut slow = Peer::new(&mesh, 2);
    let block = Block::of(Codec::Raw, vec![7; 300 << 10]);
    let from = [key(2)];
    let fetch = a.bitswap.fetch(block.cid, &from);
    let give = async {
        slow.hear().await;
        let blocks = vec![payload(&(block.cid, block.bytes.clone()))];
        let bytes = Message { blocks, ..Message::default() }.encode().concat();
        let mut stream = slow.node.open(key(1), PROTOCOL).await.expect("a stream");
        // The length, and then what is read at once.
        let (length, body) = bytes.split_at(3);
        AsyncWriteExt::write_all(&mut stream, length).await.expect("open");
        for part in body.chunks(64 << 10) {
            a.clock.advance(config.fetch_again_ms - 1);
            AsyncWriteExt::write_all(&mut stream, part).await.expect("open");
            while a.bitswap.engine.heard(&key(2)) != Some(a.clock.now()) {
                tokio::task::yield_now().await;
            }
        }
    };
    let (fetched, ()) = tokio::join!(fetch, give);
    assert_eq!(fetched, Ok(block.bytes));
}

#[tokio::test]
async fn a_fetch_that_is_dropped_takes_back_what_it_asked() {
    let mesh = Mesh::new();
    let a = node(&mesh, 1, Config::default());
    let mut peer = Peer::new(&mesh, 2);
    let from = [key(2)];
    let mut fetch = a.bitswap.fetch(blob(0).0, &from).boxed();
    tokio::select! {
        _ = peer.hear() => {}
        fetched = &mut fetch => panic!("{fetched:?}"),
    }
    drop(fetch);
    let told = peer.hear().await.wants;
    assert_eq!(told.iter().map(|entry| entry.cancel).collect::<Vec<_>>(), [true]);
    // What was on its way is no offence.
    peer.say(1, &Message { blocks: vec![payload(&blob(0))], ..Message::default() }).await;
    let have = Presence { name: Name::of(&blob(0).0), here: true };
    peer.say(1, &Message { presences: vec![have], ..Message::default() }).await;
    peer.say(1, &wants([want(&blob(0).0, Kind::Have)])).await;
    assert!(!peer.hear().await.presences[0].here);
    assert_eq!(mesh.offences(), []);
}

#[tokio::test]
async fn two_fetches_of_one_block_share_it() {
    let mesh = Mesh::new();
    let a = node(&mesh, 1, Config::default());
    let mut peer = Peer::new(&mesh, 2);
    let from = [key(2)];
    let fetches =
        future::join(a.bitswap.fetch(blob(0).0, &from), a.bitswap.fetch(blob(0).0, &from));
    let give = async {
        peer.hear().await;
        peer.say(1, &Message { blocks: vec![payload(&blob(0))], ..Message::default() }).await;
    };
    let ((one, two), ()) = tokio::join!(fetches, give);
    assert_eq!((one, two), (Ok(blob(0).1), Ok(blob(0).1)));
}

/// A directory with a file of several blocks: its root, and all blocks.
fn tree() -> (Cid, Vec<(Cid, Bytes)>) {
    let content: Vec<u8> = (0..5_000_000_u32).map(|n| (n / 7) as u8 ^ (n >> 13) as u8).collect();
    let (root, mut blocks) = objects::file(&content.into());
    let small = Block::of(Codec::Raw, &b"small"[..]);
    let entries = vec![
        DirEntry { name: "large".into(), cid: root.cid, size_bytes: root.dag_size_bytes },
        DirEntry { name: "small".into(), cid: small.cid, size_bytes: 5 },
    ];
    let dir = directory(&entries).expect("a directory");
    blocks.extend([small, dir.clone()]);
    let blocks = blocks.into_iter().map(|block| (block.cid, block.bytes)).collect();
    (dir.cid, blocks)
}

#[tokio::test]
async fn a_tree_is_fetched_from_several_and_taken_up_where_it_was_left() {
    let mesh = Mesh::new();
    let config = Config { fetch_window: 3, ..Config::default() };
    let nodes = [1, 2, 3].map(|seed| node(&mesh, seed, config.clone()));
    let (root, blocks) = tree();
    let size: u64 = blocks.iter().map(|(_, bytes)| bytes.len() as u64).sum();
    // Each has a part, some of them the same.
    nodes[1].keep(&blocks[..3]).await;
    nodes[2].keep(&blocks[2..]).await;
    let only = nodes[0].bitswap.fetch_dag(root, &[key(3)], LIMITS).await;
    assert!(matches!(only, Err(FetchError::NotFound { .. })));
    assert!(nodes[0].blobs.count() >= 2, "what came before stays");
    let from = [key(2), key(3)];
    assert_eq!(nodes[0].bitswap.fetch_dag(root, &from, LIMITS).await, Ok(size));
    assert_eq!(nodes[0].blobs.count(), blocks.len());
    // Nobody is needed any more.
    assert_eq!(nodes[0].bitswap.fetch_dag(root, &[], LIMITS).await, Ok(size));
    for limits in [DagLimits { blocks: 3, ..LIMITS }, DagLimits { bytes: 1_000_000, ..LIMITS }] {
        let failed = nodes[1].bitswap.fetch_dag(root, &[key(1)], limits).await;
        assert!(matches!(failed, Err(FetchError::TooLarge { .. })), "{failed:?}");
    }
}

#[tokio::test]
async fn as_much_as_was_said_comes_of_several_roots_and_all_of_it_is_told() {
    let mesh = Mesh::new();
    let [a, b] = [1, 2].map(|seed| node(&mesh, seed, Config::default()));
    let leaf = Block::of(Codec::Raw, &b"leaf"[..]);
    let link = [&[0x81, 0xd8, 0x2a, 0x58, 37, 0][..], &leaf.cid.to_bytes()].concat();
    let value = Block::of(Codec::DagCbor, link);
    let other = Block::of(Codec::Raw, &b"other"[..]);
    let all = [&leaf, &value, &other].map(|block| (block.cid, block.bytes.clone()));
    b.keep(&all).await;
    let (roots, from) = ([value.cid, other.cid], [key(2)]);
    for (extent, count) in [(Extent::Alone, 2), (Extent::Below(LIMITS), 3)] {
        let mut told = Vec::new();
        let tell = |blocks, bytes| told.push((blocks, bytes));
        let bytes = a.bitswap.fetch_all(&roots, &from, extent, tell).await.expect("it is there");
        assert_eq!((a.blobs.count(), told.last()), (count, Some(&(count as u64, bytes))));
        assert!(told.is_sorted());
    }
    assert_eq!(a.bitswap.fetch_all(&[], &from, Extent::Alone, |_, _| {}).await, Ok(0));
}

#[tokio::test]
async fn fetches_fail_when_bitswap_ends() {
    let mesh = Mesh::new();
    let a = node(&mesh, 1, Config::default());
    let mut peer = Peer::new(&mesh, 2);
    let from = [key(2)];
    let mut fetch = a.bitswap.fetch(blob(0).0, &from).boxed();
    tokio::select! {
        _ = peer.hear() => {}
        fetched = &mut fetch => panic!("{fetched:?}"),
    }
    a.service.stop().await;
    let closed = Refusal::Unreachable(StreamError::Closed);
    assert_eq!(refusals(fetch.await.expect_err("closed")), [(key(2), closed.clone())]);
    let later = a.bitswap.fetch(blob(0).0, &from).await.expect_err("closed");
    assert_eq!(refusals(later), [(key(2), closed)]);
}
