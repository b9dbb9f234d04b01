//! Blocks that the ledger wants although no transaction waits.

use super::{
    society::{Society, others, work},
    world::{World, play, simulate},
};
use crate::tests::{settings, tx};
use std::time::Duration;

/// A world at rest whose ledgers want so many blocks after the one with transaction 1.
async fn at_rest(world: &World, blocks: u64) {
    let digest = world.seats[0].submit(0);
    world.all_have(digest).await;
    // The start is quick, so that those who were away learn where the others are.
    world.rest(Duration::from_secs(60)).await;
    for seat in &world.seats {
        seat.chain.want_after(tx(1).digest(), blocks);
    }
}

/// How long it takes until all that live are so many blocks past transaction 1.
async fn ordered(world: &World, living: &[usize], blocks: u64) -> (u64, Duration) {
    let digest = world.seats[living[0]].submit(1);
    let height = world.seats[living[0]].chain.has(digest).await + blocks;
    let took = world.time(async {
        for place in living {
            world.seats[*place].chain.reaches(height).await;
        }
    });
    (height, took.await)
}

fn leader_timeout() -> Duration {
    Duration::from_millis(settings(4).leader_timeout_ms)
}

#[test]
fn a_wanted_block_follows_at_once_and_then_the_chain_rests() {
    for seed in 0..6 {
        simulate(seed, |world| async move {
            at_rest(&world, 1).await;
            let (height, took) = ordered(&world, &[0, 1, 2, 3], 1).await;
            assert!(took < leader_timeout(), "seed {seed}: {took:?}");
            world.rest(Duration::from_secs(40)).await;
            assert_eq!(world.heights(), [height; 4], "seed {seed}");
            world
        });
    }
}

#[test]
fn as_many_blocks_follow_as_are_wanted_and_none_of_them_twice() {
    simulate(3, |world| async move {
        at_rest(&world, 7).await;
        let (height, took) = ordered(&world, &[0, 1, 2, 3], 7).await;
        assert!(took < 4 * leader_timeout(), "{took:?}");
        world.rest(Duration::from_secs(40)).await;
        assert_eq!(world.heights(), [height; 4]);
        let blocks = world.seats[0].chain.blocks();
        assert!(blocks[height as usize - 7..].iter().all(|entry| entry.block.txs.is_empty()));
        world
    });
}

#[test]
fn a_dead_leader_delays_a_wanted_block_by_its_timeout_and_not_by_a_heartbeat() {
    for seed in 0..4 {
        simulate(seed, |mut world| async move {
            at_rest(&world, 5).await;
            world.kill(2).await;
            let (_, took) = ordered(&world, &[0, 1, 3], 5).await;
            assert!(took < 5 * leader_timeout(), "seed {seed}: {took:?}");
            world
        });
    }
}

#[test]
fn a_ledger_that_waits_for_a_block_when_it_is_started_gets_it() {
    simulate(4, |mut world| async move {
        at_rest(&world, 40).await;
        for place in 0..4 {
            world.kill(place).await;
        }
        let before = world.heights().into_iter().max().unwrap();
        for seat in &world.seats {
            seat.chain.want_up_to(before + 40);
        }
        for place in 0..4 {
            world.restart(place).await;
        }
        let took = world.time(async {
            for seat in &world.seats {
                seat.chain.reaches(before + 40).await;
            }
        });
        // After a start time passes at full speed for a moment; heartbeats would still be slower.
        let took = took.await;
        assert!(took < 10 * leader_timeout(), "{took:?}");
        world.rest(Duration::from_secs(40)).await;
        assert!(world.heights().iter().all(|height| *height < before + 60));
        world
    });
}

#[test]
fn a_sealed_order_gets_the_beacon_it_is_drawn_with_and_then_the_chain_rests() {
    for seed in 0..4 {
        let society = Society::found(4);
        play(seed, society.honest(), |world| async move {
            work(&world, &society, &others(&[]), 0..1).await;
            world.rest(Duration::from_secs(60)).await;
            let order = world.seats[seed as usize].submit_tx(society.sealed_order(1));
            let height = world.seats[0].chain.has(order).await;
            let took = world.time(async {
                for seat in &world.seats {
                    seat.chain.reaches(height + 1).await;
                }
            });
            let took = took.await;
            assert!(took < leader_timeout(), "seed {seed}: {took:?}");
            world.rest(Duration::from_secs(40)).await;
            assert_eq!(world.heights(), [height + 1; 4], "seed {seed}");
            world
        });
    }
}
