//! Validators that come back from a kill, or from having been away.

use super::world::simulate;
use crate::{convert, tests::Final};
use commonware_runtime::Clock as _;
use std::time::Duration;

#[test]
fn validators_killed_in_the_middle_of_anything_go_on_with_one_chain() {
    for seed in 0..6 {
        simulate(seed, |mut world| async move {
            for round in 0..4_u64 {
                let digest = world.seats[0].submit(round * 10);
                world.all_have(digest).await;
                for place in 0..4 {
                    world.seats[place].submit(round * 10 + 1 + place as u64);
                }
                // Somewhere between proposal, votes and finality.
                world.rest(Duration::from_millis(7 + 9 * round + seed)).await;
                for place in 0..4 {
                    world.kill(place).await;
                }
                world.assert_one_chain();
                for place in 0..4 {
                    world.restart(place).await;
                }
            }
            let digest = world.seats[1].submit(1_000);
            world.all_have(digest).await;
            world
        });
    }
}

#[test]
fn one_that_was_away_learns_at_rest_where_the_others_are() {
    simulate(5, |mut world| async move {
        world.kill(2).await;
        for number in 0..30 {
            let digest = world.seats[0].submit(number);
            for place in [0, 1, 3] {
                world.seats[place].chain.has(digest).await;
            }
        }
        world.rest(Duration::from_secs(300)).await;
        let height = world.heights()[0];
        let start = world.context.current();
        world.restart(2).await;
        world.seats[2].chain.reaches(height).await;
        let took = world.context.current().duration_since(start).unwrap();
        assert!(took < Duration::from_secs(10), "{took:?}");
        world
    });
}

#[test]
fn one_that_got_its_blocks_elsewhere_goes_on_from_there() {
    simulate(6, |mut world| async move {
        world.kill(1).await;
        for number in 0..30 {
            let digest = world.seats[0].submit(number);
            for place in [0, 2, 3] {
                world.seats[place].chain.has(digest).await;
            }
        }
        let blocks = world.seats[0].chain.blocks();
        let certified = |block: &&Final| block.certificate.is_some();
        let floor = blocks.iter().skip(20).find(certified).expect("most blocks are").clone();
        let height = floor.block.header.height;
        let own = &world.seats[1].chain;
        own.copy(&blocks[own.height() as usize..height.0 as usize - 1]);
        let certificate = convert::finalization(&floor.certificate.unwrap(), 4);

        world.restart(1).await;
        world.seats[1].floors.send((height, certificate)).await.expect("it runs");
        let digest = world.seats[1].submit(100);
        world.all_have(digest).await;
        let delivered = world.seats[1].chain.delivered();
        assert!(delivered.contains(&height.0), "{delivered:?}");
        assert!(!delivered.contains(&(height.0 - 1)), "{delivered:?}");
        world
    });
}
