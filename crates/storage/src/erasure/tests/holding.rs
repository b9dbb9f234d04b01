//! Nodes keep what they are given, as far as they lend, and say honestly what they have.

use super::*;
use futures::StreamExt;
use identity::{Signed, canonical};
use protocol::{
    durability::{KeepReply, KeepRequest, Placement},
    limits,
    port::{Offence, Stream, Streams, read_frame, write_frame},
};

#[tokio::test]
async fn holders_keep_their_slots_and_the_maker_gives_its_parity_free() {
    let world = World::new();
    let nodes = world.nodes(1..=4).await;
    let (root, blocks) = object(9);
    store(&nodes[3], &blocks).await;
    let made = nodes[3].keeper.protect(root, level("2+1"), LIMITS).await.expect("all here");
    let waiting = |keep: &MemoryKeep| keep.all().keys().any(|at| at.starts_with("durable/parity/"));
    assert!(waiting(&nodes[3].keep), "parity is kept until it is placed");
    let given = nodes[3].keeper.distribute(made.manifest, &candidates(1..=3)).await;
    let given = given.expect("three are enough");
    assert!(!waiting(&nodes[3].keep));
    let look = Look { challenge: Digest([1; 32]), sample: 0, list: 100, owner_of: &own_owner };
    let seen = nodes[3].keeper.whereabouts(made.manifest, look).await.expect("all answer");
    assert_eq!(seen.shards.len(), 15);
    for shard in &seen.shards {
        let holder = (1..=3).find(|seed| key(*seed) == shard.holder).expect("a holder");
        let holder = &nodes[usize::from(holder) - 1];
        assert!(holder.keep.holds(shard.cid), "{shard:?}");
        assert_eq!(shard.presence, Presence::Shown, "its bytes are here, or it was asked for them");
    }
    let lent: u64 = nodes[..3].iter().map(|node| node.keeper.lent_bytes()).sum();
    assert_eq!(lent, made.kept_bytes);
    // The same again is the same.
    let again = nodes[3].keeper.protect(root, level("2+1"), LIMITS).await;
    assert_eq!(again, Ok(made));
    let placed = nodes[3].keeper.distribute(made.manifest, &candidates(1..=3)).await;
    assert_eq!(
        placed.expect("all are there").placement.payload.slots,
        given.placement.payload.slots
    );
}

#[tokio::test]
async fn what_is_kept_is_known_again_after_a_restart() {
    let world = World::new();
    let nodes = world.nodes(1..=4).await;
    let (root, blocks) = object(9);
    let (_, given) = spread(&nodes[3], &blocks, "2+1", 1..=3).await;
    let Node { blobs, keep, keeper, .. } = &nodes[0];
    let parts = world.parts(1, blobs, keep, Config::default());
    let again = Keeper::open(parts).await.expect("it was written down");
    assert_eq!(again.known(&root), keeper.known(&root));
    assert_eq!(again.known(&root)[0].placement, given.placement);
    assert_eq!((again.lent_bytes(), again.lent_bytes() > 0), (keeper.lent_bytes(), true));
}

#[tokio::test]
async fn a_node_that_lends_too_little_is_replaced_and_named() {
    let world = World::new();
    let poor = Config { lend_bytes: 1 << 10, ..Config::default() };
    let mut nodes = vec![world.node(1, poor).await];
    nodes.extend(world.nodes(2..=5).await);
    let (_, blocks) = object(9);
    let (made, given) = spread(&nodes[4], &blocks, "2+1", 1..=4).await;
    assert!(!given.placement.payload.slots.contains(&key(1)));
    let [(refused, reason)] = &given.failed[..] else { panic!("{:?}", given.failed) };
    assert!(*refused == key(1) && reason.contains("lends 1024 more bytes"), "{reason}");
    assert_eq!(nodes[0].keeper.lent_bytes(), 0);
    // Everybody knows the placement that came of it.
    for node in &nodes[1..4] {
        assert_eq!(node.keeper.known(&made.manifest)[0].placement, given.placement);
    }
    let none = nodes[4].keeper.distribute(made.manifest, &[]).await.expect("it is placed");
    assert_eq!(none.placement.payload.slots, given.placement.payload.slots);
}

#[tokio::test]
async fn with_nobody_who_takes_shards_nothing_is_placed_and_everybody_is_named() {
    let world = World::new();
    let poor = Config { lend_bytes: 0, ..Config::default() };
    let _nodes = [world.node(1, poor.clone()).await, world.node(2, poor).await];
    let maker = world.node(3, Config::default()).await;
    let (root, blocks) = object(2);
    store(&maker, &blocks).await;
    let made = maker.keeper.protect(root, level("x2"), LIMITS).await.expect("all here");
    let failed = maker.keeper.distribute(made.manifest, &candidates(1..=2)).await;
    let Err(Error::NotPlaced { slots: 2, failed, .. }) = failed else { panic!("{failed:?}") };
    assert_eq!(failed.len(), 2);
}

#[tokio::test]
async fn for_strangers_nothing_is_kept() {
    let world = World::new();
    let lends = |to: u8| Arc::new(move |peer, maker| peer == key(to) && maker == key(to));
    let holder = world.node_for(1, Config::default(), lends(9)).await;
    let (root, blocks) = object(2);
    for seed in [3, 9] {
        let maker = world.node(seed, Config::default()).await;
        store(&maker, &blocks).await;
        let made = maker.keeper.protect(root, level("x2"), LIMITS).await.expect("all here");
        let given = maker.keeper.distribute(made.manifest, &candidates(1..=1)).await;
        if seed == 9 {
            given.expect("this is whom it lends to");
            assert!(holder.keeper.lent_bytes() > 0);
            continue;
        }
        let Err(Error::NotPlaced { failed, .. }) = given else { panic!("{given:?}") };
        let [(refused, reason)] = &failed[..] else { panic!("{failed:?}") };
        assert!(*refused == key(1) && reason.contains("keeps nothing for this node"), "{reason}");
        assert_eq!((holder.keeper.lent_bytes(), holder.keeper.manifests().len()), (0, 0));
    }
}

#[tokio::test]
async fn an_object_that_is_not_all_here_is_not_protected() {
    let world = World::new();
    let maker = world.node(1, Config::default()).await;
    let (root, blocks) = object(4);
    store(&maker, &blocks[1..]).await;
    let missing = maker.keeper.protect(root, level("2+1"), LIMITS).await;
    assert_eq!(missing, Err(Error::Missing(blocks[0].cid)));
    store(&maker, &blocks).await;
    let few = DagLimits { blocks: 4, ..LIMITS };
    let large = maker.keeper.protect(root, level("2+1"), few).await;
    assert!(matches!(large, Err(Error::TooLarge { limit_blocks: 4, .. })));
}

async fn reply(stream: &mut Stream) -> Option<KeepReply> {
    let frame = read_frame(stream, limits::KEEP_BYTES).await.ok().flatten()?;
    Some(canonical::decode(&frame, limits::KEEP_BYTES).expect("a reply"))
}

#[tokio::test]
async fn what_does_not_hold_is_refused_and_an_offence() {
    let world = World::new();
    let nodes = world.nodes(1..=5).await;
    let (_, blocks) = object(4);
    let (made, given) = spread(&nodes[3], &blocks, "2+1", 1..=3).await;
    let stranger = world.mesh.node(key(5));
    let ask = async |request: &[u8]| {
        let mut stream = stranger.open(key(1), PROTOCOL).await.expect("open");
        write_frame(&mut stream, request).await.expect("sent");
        reply(&mut stream).await
    };
    let keep = |placement: Signed<Placement>| {
        canonical::encode(&KeepRequest::Keep { placement, from: Vec::new(), pace: None })
    };
    let sign = |sequence, slots: [u8; 3], by| {
        let slots = slots.iter().map(|seed| key(*seed)).collect();
        Signed::new(Placement { manifest: made.manifest, sequence, slots }, NETWORK, &secret(by))
    };
    // Signed by nobody who has a say; older; of another network; without a slot for this node.
    let strange = sign(9, [1, 2, 5], 5);
    let mut forged = given.placement.clone();
    forged.payload.sequence += 1;
    let elsewhere = sign(9, [5, 2, 3], 4);
    for wrong in [&strange, &forged, &elsewhere] {
        let said = ask(&keep(wrong.clone())).await;
        assert!(matches!(said, Some(KeepReply::Refused(_))), "{said:?}");
    }
    assert_eq!(ask(b"nothing of the kind").await, None);
    let offences = world.mesh.offences();
    assert!(offences.contains(&(key(1), key(5), Offence::Malformed)));
    assert!(offences.contains(&(key(1), key(5), Offence::BadContent)));
    let note = KeepRequest::Note { placement: sign(9, [1, 1, 1], 4) };
    let said = ask(&canonical::encode(&note)).await;
    assert!(matches!(said, Some(KeepReply::Refused(_))), "slots it was never given: {said:?}");
    assert_eq!(nodes[0].keeper.known(&made.manifest)[0].placement, given.placement);
}

/// Says that it keeps everything and has everything.
fn boaster(world: &World, seed: u8) -> tokio::task::JoinHandle<()> {
    let mut streams = world.mesh.node(key(seed)).accept(PROTOCOL).expect("the protocol is free");
    tokio::spawn(async move {
        while let Some(mut incoming) = streams.next().await {
            while let Ok(Some(frame)) = read_frame(&mut incoming.stream, 1 << 20).await {
                let reply = match canonical::decode(&frame, 1 << 20).expect("a question") {
                    KeepRequest::Show { cids, .. } => {
                        KeepReply::Shown { answers: vec![Some(Digest([5; 32])); cids.len()] }
                    }
                    KeepRequest::Keep { .. } => KeepReply::Kept { bytes: 1 },
                    KeepRequest::Note { .. } => KeepReply::Noted,
                    KeepRequest::Find { .. } => KeepReply::Found { objects: Vec::new() },
                };
                write_frame(&mut incoming.stream, &canonical::encode(&reply)).await.expect("sent");
            }
        }
    })
}

#[tokio::test]
async fn a_holder_that_claims_what_it_lacks_is_found_out() {
    let world = World::new();
    let nodes = world.nodes(2..=7).await;
    let liar = boaster(&world, 1);
    let _no_blobs = exchange::serve(
        Arc::new(MemoryBlobs::new()),
        world.mesh.node(key(1)),
        Arc::new(world.clock.clone()),
        Arc::new(|_: PublicKey, _: &Cid| true),
        exchange::Config::default(),
    );
    let (maker, reader) = (&nodes[4], &nodes[5]);
    let (root, blocks) = object(20);
    let (made, given) = spread(maker, &blocks, "3+2", 1..=5).await;
    assert!(given.placement.payload.slots.contains(&key(1)), "it was believed");
    let look = |sample| Look { challenge: Digest([3; 32]), sample, list: 0, owner_of: &own_owner };
    // The maker has the bytes, so it sees at once.
    let seen = maker.keeper.whereabouts(made.manifest, look(0)).await.expect("all answer");
    let of = |seen: &Whereabouts| {
        let holder = seen.holders.iter().find(|holder| holder.node == key(1)).expect("a holder");
        (holder.present, holder.absent)
    };
    assert_eq!((of(&seen).0, seen.tolerance.map(|own| own.nodes)), (0, Some(1)));
    assert!(world.mesh.offences().contains(&(key(6), key(1), Offence::BadContent)));
    // Somebody else has to ask for the bytes.
    let found = find(reader, root, 2).await;
    let believed = reader.keeper.whereabouts(found.manifest, look(0)).await.expect("all answer");
    assert_eq!(of(&believed).1, 0);
    let seen = reader.keeper.whereabouts(found.manifest, look(2)).await.expect("all answer");
    assert_eq!(of(&seen).1, 2);
    // And reading passes it over.
    world.kill(6);
    reader.keeper.recover(found.manifest, Wanted::All, &[]).await.expect("enough");
    assert!(has_all(reader, &blocks).await);
    liar.abort();
}

#[tokio::test]
async fn where_says_who_is_away_and_what_may_still_be_lost() {
    let world = World::new();
    let nodes = world.nodes(1..=7).await;
    let (_, blocks) = object(12);
    let (made, _) = spread(&nodes[6], &blocks, "4+2", 1..=6).await;
    let look = || Look { challenge: Digest([3; 32]), sample: 0, list: 0, owner_of: &own_owner };
    let seen = nodes[6].keeper.whereabouts(made.manifest, look()).await.expect("all answer");
    assert_eq!(seen.tolerance.map(|own| own.nodes), Some(2));
    world.kill(2);
    let seen = nodes[6].keeper.whereabouts(made.manifest, look()).await.expect("most answer");
    assert_eq!((seen.tolerance.map(|own| own.nodes), seen.unreadable), (Some(1), 0));
    let away = seen.holders.iter().filter(|holder| holder.unreachable.is_some());
    assert_eq!(away.map(|holder| holder.node).collect::<Vec<_>>(), [key(2)]);
    world.kill(3);
    world.kill(4);
    let seen = nodes[6].keeper.whereabouts(made.manifest, look()).await.expect("some answer");
    assert_eq!((seen.tolerance, seen.unreadable > 0), (None, true));
}

#[tokio::test]
async fn what_is_forgotten_is_given_free() {
    let world = World::new();
    let nodes = world.nodes(1..=4).await;
    let (_, blocks) = object(4);
    let (made, _) = spread(&nodes[3], &blocks, "2+1", 1..=3).await;
    for node in &nodes {
        node.keeper.forget(made.manifest).await.expect("the store works");
        assert!(node.keep.all().is_empty() && node.keeper.known(&made.manifest).is_empty());
        assert_eq!(node.keeper.lent_bytes(), 0);
    }
}
