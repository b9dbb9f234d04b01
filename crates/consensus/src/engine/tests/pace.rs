//! When blocks are made: at once for work, else once per heartbeat.

use super::world::simulate;
use std::time::Duration;

#[test]
fn without_work_there_is_one_block_per_heartbeat() {
    simulate(1, |world| async move {
        let digest = world.seats[2].submit(1);
        world.all_have(digest).await;
        // The start is quick, so that those who were away learn where the others are.
        world.rest(Duration::from_secs(60)).await;
        let before = world.heights()[0];
        world.rest(Duration::from_secs(3_600)).await;
        let made = world.heights()[0] - before;
        assert!((55..=65).contains(&made), "{made} blocks in 60 heartbeats");
        world
    });
}

#[test]
fn a_connection_that_comes_and_goes_does_not_keep_an_idle_chain_busy() {
    simulate(2, |world| async move {
        let digest = world.seats[0].submit(1);
        world.all_have(digest).await;
        world.rest(Duration::from_secs(60)).await;
        let before = world.heights()[0];
        for _ in 0..600 {
            for seat in &world.seats {
                seat.arrivals.send_modify(|count| *count += 1);
            }
            world.rest(Duration::from_secs(1)).await;
        }
        let made = world.heights()[0] - before;
        assert!(made < 300, "{made} blocks in ten minutes");
        world
    });
}
