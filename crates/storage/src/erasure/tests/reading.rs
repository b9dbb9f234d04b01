//! What is protected stays readable.

use super::*;
use crate::exchange::PROTOCOL as BLOBS;
use futures::StreamExt;
use proptest::prelude::*;
use protocol::port::{
    Events, Incoming, Offence, PeerEvent, Protocol, Stream, StreamError, Streams, read_frame,
};

#[tokio::test]
async fn with_two_of_six_killed_everything_is_readable() {
    let world = World::new();
    let nodes = world.nodes(1..=8).await;
    let (maker, reader) = (&nodes[6], &nodes[7]);
    let (root, blocks) = object(30);
    let (made, spread) = spread(maker, &blocks, "4+2", 1..=6).await;
    assert_eq!((made.blocks, spread.failed.len()), (31, 0));
    assert_eq!(spread.tolerance.to_string(), "any 2 nodes or 2 owners may be lost");
    for dead in [2, 5, 7] {
        world.kill(dead);
    }
    let found = find(reader, root, 3).await;
    let done = reader.keeper.recover(found.manifest, Wanted::All, &[]).await.expect("enough");
    assert!(has_all(reader, &blocks).await);
    assert!(done.decoded > 0 && done.fetched + done.decoded == 31, "{done:?}");
    let again = reader.keeper.recover(found.manifest, Wanted::All, &[]).await;
    assert_eq!(again, Ok(Recovered::default()), "all is here");
}

/// The streams of a node, and to whom it opened some although there was no connection: on a real
/// network each of these is a wait.
struct Dialled(Arc<dyn Streams>, Mutex<Vec<PublicKey>>);

impl Streams for Dialled {
    fn me(&self) -> PublicKey {
        self.0.me()
    }

    fn open(
        &self,
        peer: PublicKey,
        protocol: Protocol,
    ) -> Answer<'static, Result<Stream, StreamError>> {
        if !self.peers().contains(&peer) {
            self.1.lock().expect("no test panics with it").push(peer);
        }
        self.0.open(peer, protocol)
    }

    fn accept(&self, protocol: Protocol) -> Result<Events<Incoming>, StreamError> {
        self.0.accept(protocol)
    }

    fn peers(&self) -> Vec<PublicKey> {
        self.0.peers()
    }

    fn events(&self) -> Events<PeerEvent> {
        self.0.events()
    }

    fn know(&self, peer: PublicKey, addresses: Vec<String>) {
        self.0.know(peer, addresses);
    }

    fn penalise(&self, peer: PublicKey, offence: Offence) {
        self.0.penalise(peer, offence);
    }
}

#[tokio::test]
async fn who_is_away_is_not_waited_for_as_long_as_others_are_enough() {
    let world = World::new();
    let nodes = world.nodes(1..=7).await;
    let (root, blocks) = object(12);
    spread(&nodes[6], &blocks, "4+2", 1..=6).await;
    let (blobs, keep) = (MemoryBlobs::new(), MemoryKeep::default());
    let mut parts = world.parts(8, &blobs, &keep, Config::default());
    let streams = Arc::new(Dialled(parts.streams.clone(), Mutex::default()));
    let (clock, own) = (parts.clock.clone(), exchange::Config::default());
    parts.fetcher = Fetcher::new(Arc::new(blobs.clone()), streams.clone(), clock, own);
    parts.streams = streams.clone();
    let keeper = Keeper::open(parts).await.expect("nothing is kept yet");
    let found = keeper.find(root, &[key(4)]).await.expect("the store works").remove(0);
    for dead in [2, 5, 7] {
        world.kill(dead);
    }
    for block in &blocks {
        keeper.recover(found.manifest, Wanted::Block(block.cid), &[]).await.expect("enough");
    }
    assert_eq!(*streams.1.lock().expect("no test panics with it"), []);
}

#[tokio::test]
async fn one_block_is_read_without_the_others() {
    let world = World::new();
    let nodes = world.nodes(1..=5).await;
    let (root, blocks) = object(20);
    spread(&nodes[3], &blocks, "2+1", 1..=3).await;
    world.kill(4);
    world.kill(1);
    let found = find(&nodes[4], root, 2).await;
    let before = nodes[4].blobs.count();
    for block in &blocks[..3] {
        let one = Wanted::Block(block.cid);
        nodes[4].keeper.recover(found.manifest, one, &[]).await.expect("enough");
        assert_eq!(bytes_of(&nodes[4], block.cid).await, Some(block.bytes.clone()));
    }
    assert_eq!(nodes[4].blobs.count(), before + 3);
    let foreign = Cid::of(Codec::Raw, b"of another object");
    let unknown = nodes[4].keeper.recover(found.manifest, Wanted::Block(foreign), &[]).await;
    assert_eq!(unknown, Err(Error::Unknown(found.manifest)));
}

#[tokio::test]
async fn copies_are_the_case_of_one_data_shard() {
    let world = World::new();
    let nodes = world.nodes(1..=5).await;
    let (root, blocks) = object(5);
    let (made, _) = spread(&nodes[3], &blocks, "x3", 1..=3).await;
    assert_eq!(made.kept_bytes, 3 * made.bytes);
    for holder in &nodes[..3] {
        assert!(has_all(holder, &blocks).await, "every copy is whole");
    }
    for dead in [1, 3, 4] {
        world.kill(dead);
    }
    let found = find(&nodes[4], root, 2).await;
    nodes[4].keeper.recover(found.manifest, Wanted::All, &[]).await.expect("one copy is left");
    assert!(has_all(&nodes[4], &blocks).await);
}

#[tokio::test]
async fn with_too_few_left_it_says_who_is_missing_and_what_would_help() {
    let world = World::new();
    let nodes = world.nodes(1..=8).await;
    let (root, blocks) = object(11);
    spread(&nodes[6], &blocks, "4+2", 1..=6).await;
    let found = find(&nodes[7], root, 4).await;
    for dead in [1, 2, 3, 7] {
        world.kill(dead);
    }
    let failed = nodes[7].keeper.recover(found.manifest, Wanted::All, &[]).await;
    let Err(error @ Error::TooFew { have: 3, need: 4, .. }) = failed else {
        panic!("{failed:?}");
    };
    let Error::TooFew { away, .. } = &error else { panic!("as above") };
    let mut missing: Vec<PublicKey> = away.iter().map(|(node, _)| *node).collect();
    missing.sort_unstable();
    let mut dead = [1, 2, 3].map(key);
    dead.sort_unstable();
    assert_eq!(missing, dead);
    let text = error.to_string();
    assert!(text.contains("1 more would do") && text.contains(&key(2).short()), "{text}");
    // One of them again is enough.
    world.revive(2);
    nodes[7].keeper.recover(found.manifest, Wanted::All, &[]).await.expect("enough");
    assert!(has_all(&nodes[7], &blocks).await);
}

/// Answers every request for blobs with other bytes.
fn sender_of_wrong_bytes(world: &World, seed: u8) -> tokio::task::JoinHandle<()> {
    let mut streams = world.mesh.node(key(seed)).accept(BLOBS).expect("the protocol is free");
    tokio::spawn(async move {
        while let Some(incoming) = streams.next().await {
            let mut stream: Stream = incoming.stream;
            if let Ok(Some(frame)) = read_frame(&mut stream, 1 << 20).await {
                for _ in frame.chunks(36) {
                    // Whoever found out has closed it.
                    drop(protocol::port::write_frame(&mut stream, b"\x01wrong").await);
                }
            }
        }
    })
}

#[tokio::test]
async fn a_holder_that_sends_wrong_bytes_is_passed_over() {
    let world = World::new();
    let mut nodes = world.nodes(1..=8).await;
    let (root, blocks) = object(23);
    spread(&nodes[6], &blocks, "4+2", 1..=6).await;
    let found = find(&nodes[7], root, 4).await;
    world.kill(7);
    let Node { _exchange, _server, .. } = nodes.remove(0);
    _exchange.stop().await;
    let liar = sender_of_wrong_bytes(&world, 1);
    let reader = &nodes[6];
    reader.keeper.recover(found.manifest, Wanted::All, &[]).await.expect("enough");
    assert!(has_all(reader, &blocks).await);
    assert!(world.mesh.offences().contains(&(key(8), key(1), Offence::BadContent)));
    liar.abort();
}

#[tokio::test]
async fn a_manifest_with_the_parity_of_other_data_is_found_out() {
    let world = World::new();
    let nodes = world.nodes(1..=5).await;
    let (_, blocks) = object(3);
    store(&nodes[3], &blocks).await;
    let root = blocks[3].cid;
    let made = nodes[3].keeper.protect(root, level("2+1"), LIMITS).await.expect("all here");
    let (_, signed) = nodes[3].keeper.manifests().remove(0);
    // The same page, with raw blocks that are no parity.
    let page = bytes_of(&nodes[3], signed.payload.pages[0]).await.expect("a page");
    let mut page = protocol::Groups::decode(&page, &signed.payload, 0).expect("a page");
    for group in &mut page.groups {
        let length = group.parity[0].bytes as usize;
        let fake = Block::of(Codec::Raw, vec![length as u8; length]);
        group.parity[0] = protocol::durability::Shard::of(&fake);
        store(&nodes[3], &[fake]).await;
    }
    let page = Block::of(Codec::DagCbor, identity::canonical::encode(&page));
    let pages = vec![page.cid];
    let manifest = protocol::Manifest { pages, ..signed.payload.clone() };
    let signed = identity::Signed::new(manifest, NETWORK, &secret(4));
    let block = Block::of(Codec::DagCbor, identity::canonical::encode(&signed));
    store(&nodes[3], &[page, block.clone()]).await;
    assert_ne!(block.cid, made.manifest);
    let record = book::Record { manifest: Arc::new(signed), placement: None, held_bytes: 0 };
    nodes[3].keeper.inner.write(block.cid, record).await.expect("written");
    nodes[3].keeper.distribute(block.cid, &candidates(1..=3)).await.expect("they cannot know");
    let found = nodes[4].keeper.find(block.cid, &[key(1)]).await.expect("the store works");
    assert_eq!(found.len(), 1);
    world.kill(4);
    world.kill(2);
    let failed = nodes[4].keeper.recover(block.cid, Wanted::All, &[]).await;
    assert!(matches!(failed, Err(Error::Inconsistent { .. })), "{failed:?}");
}

#[test]
fn any_damage_within_the_parity_of_every_group_is_undone() {
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    let mut runner = proptest::test_runner::TestRunner::new(ProptestConfig {
        cases: 24,
        failure_persistence: None,
        ..ProptestConfig::default()
    });
    let strategy = (1..6_usize, 1..4_usize, 0..25_usize, any::<u64>());
    let result = runner.run(&strategy, |(data, parity, files, seed)| {
        runtime.block_on(damaged(data, parity, files, seed));
        Ok(())
    });
    result.expect("every damage is undone");
}

/// An object whose holders lose, of every group, as many shards as they may.
async fn damaged(data: usize, parity: usize, files: usize, seed: u64) {
    let world = World::new();
    let holders = u8::try_from(data + parity).expect("few");
    let nodes = world.nodes(1..=holders + 2).await;
    let (maker, reader) = (&nodes[usize::from(holders)], &nodes[usize::from(holders) + 1]);
    let (root, blocks) = object(files);
    let text = Durability::new(data, data + parity).expect("in range").to_string();
    let (made, given) = spread(maker, &blocks, &text, 1..=holders).await;
    let found = find(reader, root, 1).await;
    assert_eq!(found.manifest, made.manifest);
    world.kill(holders + 1);
    let look = Look { challenge: Digest([1; 32]), sample: 0, list: 10_000, owner_of: &own_owner };
    let seen = reader.keeper.whereabouts(made.manifest, look).await.expect("all answer");
    assert_eq!(seen.tolerance, Some(given.tolerance));
    let mut state = seed | 1;
    let mut lost: BTreeMap<u64, usize> = BTreeMap::new();
    for shard in &seen.shards {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        let lost = lost.entry(shard.group).or_default();
        if *lost < parity && state.is_multiple_of(2) {
            *lost += 1;
            let at = (1..=holders).find(|seed| key(*seed) == shard.holder).expect("a holder");
            nodes[usize::from(at) - 1].blobs.damage(shard.cid);
        }
    }
    reader.keeper.recover(made.manifest, Wanted::All, &[]).await.expect("enough is left");
    assert!(has_all(reader, &blocks).await);
}
