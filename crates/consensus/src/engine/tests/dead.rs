//! Validators that die: whoever leads next loses little time.

use super::world::simulate;
use crate::tests::settings;
use commonware_runtime::Clock as _;
use std::time::Duration;

#[test]
fn a_dead_leader_stalls_work_for_its_timeout_and_not_for_a_heartbeat() {
    for seed in 0..4 {
        simulate(seed, |mut world| async move {
            let digest = world.seats[0].submit(0);
            world.all_have(digest).await;
            world.kill(3).await;
            let mut worst = Duration::ZERO;
            for number in 1..12 {
                // At rest, in whatever view the last heartbeat left.
                world.rest(Duration::from_secs(47)).await;
                let start = world.context.current();
                let digest = world.seats[number as usize % 3].submit(number);
                for seat in &world.seats[..3] {
                    seat.chain.has(digest).await;
                }
                let took = world.context.current().duration_since(start).unwrap();
                worst = worst.max(took);
            }
            let bound = 2 * Duration::from_millis(settings(4).leader_timeout_ms);
            assert!(worst < bound, "seed {seed}: {worst:?}");
            world
        });
    }
}

#[test]
fn a_dead_validator_is_passed_over_after_a_few_stalls() {
    simulate(9, |mut world| async move {
        let digest = world.seats[0].submit(0);
        world.all_have(digest).await;
        world.kill(0).await;
        let stall = Duration::from_millis(settings(4).leader_timeout_ms);
        let mut stalls = Vec::new();
        for number in 1..=60 {
            let start = world.context.current();
            let digest = world.seats[1].submit(number);
            world.seats[1].chain.has(digest).await;
            if world.context.current().duration_since(start).unwrap() >= stall {
                stalls.push(number);
            }
        }
        assert!(stalls.len() <= 5 && stalls.iter().all(|number| *number < 30), "{stalls:?}");
        world
    });
}

#[test]
fn a_leader_that_dies_while_it_proposes_stalls_work_for_a_few_timeouts_at_most() {
    simulate(3, |mut world| async move {
        let digest = world.seats[0].submit(0);
        world.all_have(digest).await;
        // Each in turn, so the leader of the moment is among them: its proposal reaches one other
        // validator only, and then it dies.
        for dying in 0..4 {
            world.rest(Duration::from_secs(100)).await;
            world.link(|i, j| i != dying || j == (dying + 1) % 4).await;
            world.seats[dying].submit(10 + dying as u64);
            world.rest(Duration::from_millis(12)).await;
            world.kill(dying).await;
            world.link(|_, _| true).await;
            let start = world.context.current();
            let digest = world.seats[(dying + 2) % 4].submit(20 + dying as u64);
            for place in (0..4).filter(|place| *place != dying) {
                world.seats[place].chain.has(digest).await;
            }
            let took = world.context.current().duration_since(start).unwrap();
            let bound = 6 * Duration::from_millis(settings(4).leader_timeout_ms);
            assert!(took < bound, "{dying}: {took:?}");
            world.restart(dying).await;
            world.seats[dying].chain.has(digest).await;
        }
        world
    });
}
