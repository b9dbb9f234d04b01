//! Holders that leave are replaced, and what was lost is made again.

use super::*;
use crate::erasure::repair::Repairer;

/// Lets time pass until something holds.
async fn until(world: &World, holds: impl Fn() -> bool) {
    while !holds() {
        world.clock.advance(paced().grace_ms / 50);
        tokio::task::yield_now().await;
    }
}

/// Lets time pass until a node knows a placement of which this holds.
async fn placed(
    world: &World,
    node: &Node,
    manifest: Cid,
    holds: impl Fn(&KeptObject) -> bool,
) -> KeptObject {
    let known = || node.keeper.known(&manifest).into_iter().find(&holds);
    until(world, || known().is_some()).await;
    known().expect("it was there")
}

/// Repair on every node.
fn repairers(nodes: &[Node], seeds: std::ops::RangeInclusive<u8>) -> Vec<Repairer> {
    let neighbours = Arc::new(move || candidates(seeds.clone()));
    nodes.iter().map(|node| node.keeper.repair(neighbours.clone())).collect()
}

fn paced() -> Config {
    // Time passes quickly here: nobody is to lose patience meanwhile.
    let patience_ms = 1 << 40;
    Config {
        request_ms: patience_ms,
        progress_ms: patience_ms,
        grace_ms: 5_000,
        pace_bytes: 0,
        audit_ms: 0,
        ..Config::default()
    }
}

async fn world_of(count: u8) -> (World, Vec<Node>) {
    let world = World::new();
    let mut nodes = Vec::new();
    for seed in 1..=count {
        nodes.push(world.node(seed, paced()).await);
    }
    (world, nodes)
}

#[tokio::test]
async fn two_killed_holders_are_replaced_and_everything_is_at_full_strength_again() {
    let (world, nodes) = world_of(9).await;
    let (root, blocks) = object(30);
    // Node 9 makes it and is gone; 7 and 8 are spare.
    let (made, _) = spread(&nodes[8], &blocks, "4+2", 1..=6).await;
    let _repairers = repairers(&nodes[..8], 3..=8);
    for dead in [1, 2, 9] {
        world.kill(dead);
    }
    let gone = [key(1), key(2)];
    let reader = &nodes[7];
    let found = find(reader, root, 5).await;
    reader.keeper.recover(found.manifest, Wanted::All, &[]).await.expect("readable meanwhile");
    assert!(has_all(reader, &blocks).await);
    let still = nodes[2].keeper.known(&made.manifest)[0].placement.payload.slots.contains(&gone[0]);
    assert!(still, "not before the grace time is over");
    let is_whole =
        |known: &KeptObject| known.placement.payload.slots.iter().all(|node| !gone.contains(node));
    let known = placed(&world, &nodes[2], made.manifest, is_whole).await;
    let mut slots = known.placement.payload.slots.clone();
    slots.sort_unstable();
    let mut expected: Vec<PublicKey> = (3..=8).map(key).collect();
    expected.sort_unstable();
    assert_eq!(slots, expected, "every slot with another node");
    let look = Look { challenge: Digest([1; 32]), sample: 100, list: 0, owner_of: &own_owner };
    let seen = nodes[2].keeper.whereabouts(made.manifest, look).await.expect("all answer");
    assert!(seen.holders.iter().all(|own| own.absent == 0 && own.unreachable.is_none()));
    assert_eq!(seen.tolerance.map(|own| own.nodes), Some(2));
    // Two more may go.
    world.kill(3);
    world.kill(4);
    let fresh = world.node(10, paced()).await;
    let found = find(&fresh, root, 6).await;
    fresh.keeper.recover(found.manifest, Wanted::All, &[]).await.expect("enough");
    assert!(has_all(&fresh, &blocks).await);
}

#[tokio::test]
async fn a_holder_that_comes_back_after_it_was_replaced_gives_up_what_it_held() {
    let (world, nodes) = world_of(5).await;
    let (_, blocks) = object(12);
    let (made, given) = spread(&nodes[4], &blocks, "2+1", 1..=3).await;
    let _repairers = repairers(&nodes[..4], 1..=4);
    let first = given.placement.payload.slots[0];
    let at = (1..=3).find(|seed| key(*seed) == first).expect("a holder");
    let (back, other) = (&nodes[usize::from(at) - 1], &nodes[usize::from(at % 3)]);
    world.kill(at);
    let replaced = |known: &KeptObject| !known.placement.payload.slots.contains(&first);
    placed(&world, other, made.manifest, replaced).await;
    assert!(back.keeper.lent_bytes() > 0, "it knows nothing of it yet");
    world.revive(at);
    placed(&world, back, made.manifest, replaced).await;
    until(&world, || back.keeper.lent_bytes() == 0).await;
    assert!(back.keep.all().keys().all(|label| !label.starts_with("durable/shards/")));
}

#[tokio::test]
async fn a_node_that_is_leaving_is_copied_from() {
    let (world, nodes) = world_of(5).await;
    let (_, blocks) = object(12);
    let (made, given) = spread(&nodes[4], &blocks, "2+1", 1..=3).await;
    world.kill(5);
    let repairers = repairers(&nodes[..4], 1..=4);
    let last = given.placement.payload.slots[2];
    for repairer in &repairers {
        repairer.leaving(last).await;
    }
    let first = (1..=3).find(|seed| key(*seed) == given.placement.payload.slots[0]);
    let first = &nodes[usize::from(first.expect("a holder")) - 1];
    let replaced = |known: &KeptObject| !known.placement.payload.slots.contains(&last);
    let known = placed(&world, first, made.manifest, replaced).await;
    assert_eq!(known.placement.payload.slots[2], key(4));
    let opened_by_new: Vec<_> = (1..=3).map(|seed| world.mesh.opened(key(seed))).collect();
    assert!(opened_by_new.iter().all(|opened| *opened < 20), "no storm of streams");
}

#[tokio::test]
async fn an_audit_finds_what_a_holder_lost_and_it_gets_it_again() {
    let world = World::new();
    let config = Config { audit_ms: 1_000, audit_shards: 50, ..paced() };
    let mut nodes = Vec::new();
    for seed in 1..=4 {
        nodes.push(world.node(seed, config.clone()).await);
    }
    let (_, blocks) = object(12);
    let (made, given) = spread(&nodes[3], &blocks, "2+1", 1..=3).await;
    world.kill(4);
    let _repairers = repairers(&nodes[..3], 1..=3);
    let slots = &given.placement.payload.slots;
    let look = Look { challenge: Digest([1; 32]), sample: 0, list: 100, owner_of: &own_owner };
    let seen = nodes[0].keeper.whereabouts(made.manifest, look).await.expect("all answer");
    let lost = seen.shards.iter().find(|shard| shard.holder == slots[1]).expect("it holds some");
    let at = (1..=3).find(|seed| key(*seed) == slots[1]).expect("a holder");
    let holder = &nodes[usize::from(at) - 1];
    lose(holder, lost.cid).await;
    let mut changes = holder.keeper.inner.book.changes();
    while bytes_of(holder, lost.cid).await.is_none() {
        world.clock.advance(config.audit_ms);
        tokio::select! {
            changed = changes.changed() => changed.expect("the node is there"),
            () = tokio::task::yield_now() => {}
        }
    }
    assert!(holder.keep.holds(lost.cid));
}
