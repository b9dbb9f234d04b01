//! Networks that fall apart and heal, under the real ledger.

use super::{
    society::{Society, others, work},
    world::{World, play},
};
use commonware_p2p::simulated::Link;
use commonware_utils::probability;
use identity::Digest;
use std::time::Duration;

fn leader_timeout(world: &World) -> Duration {
    Duration::from_millis(world.cast.settings.leader_timeout_ms)
}

/// A number below `bound` that follows from the seed and what it is for.
fn dice(seed: u64, what: &[u64], bound: u8) -> u8 {
    let what: Vec<_> = what.iter().flat_map(|number| number.to_be_bytes()).collect();
    Digest::of("dice", &[&seed.to_be_bytes(), &what]).0[0] % bound
}

fn in_halves(seed: u64) -> String {
    let society = Society::found(4);
    play(seed, society.honest(), |mut world| async move {
        work(&world, &society, &others(&[]), 0..2).await;
        // Each of the three ways to cut four in halves.
        let other = 1 + seed as usize % 3;
        let side = move |place: usize| place == 0 || place == other;
        world.link(|i, j| side(i) == side(j)).await;
        // What was sent before still arrives.
        world.rest(Duration::from_secs(1)).await;
        let before = world.heights();
        let there = (1..4).find(|place| *place != other).unwrap();
        let waiting = [
            world.seats[0].submit_tx(society.admission(0, 10)),
            world.seats[there].submit_tx(society.admission(1, 11)),
        ];
        world.rest(Duration::from_secs(120)).await;
        assert_eq!(world.heights(), before, "seed {seed}");
        world.link(|_, _| true).await;
        let timeout = leader_timeout(&world);
        let took = world.time(async {
            for digest in waiting {
                world.all_have(digest).await;
            }
        });
        let took = took.await;
        assert!(took < 10 * timeout, "seed {seed}: {took:?}");
        work(&world, &society, &others(&[]), 2..3).await;
        assert_eq!(world.assert_only_liars_are_named(&[]), []);
        world
    })
}

#[test]
fn halves_make_nothing_final_and_go_on_when_they_are_one_again() {
    for seed in 0..6 {
        in_halves(seed);
    }
}

#[test]
fn three_go_on_without_one_that_is_cut_off_and_it_catches_up() {
    for seed in 0..4 {
        let (society, lone) = (Society::found(4), seed as usize % 4);
        play(seed, society.honest(), |mut world| async move {
            work(&world, &society, &others(&[]), 0..1).await;
            world.link(|i, j| i != lone && j != lone).await;
            world.rest(Duration::from_secs(1)).await;
            let before = world.heights()[lone];
            work(&world, &society, &others(&[lone]), 1..5).await;
            assert_eq!(world.heights()[lone], before);
            world.link(|_, _| true).await;
            work(&world, &society, &others(&[]), 5..6).await;
            assert_eq!(world.assert_only_liars_are_named(&[]), []);
            world
        });
    }
}

/// Links that come and go in one direction each, lose and delay; then calm.
fn storm(seed: u64) -> String {
    let society = Society::found(4);
    play(seed, society.honest(), |mut world| async move {
        let mut waiting = Vec::new();
        for round in 0..8 {
            world
                .link_by(|i, j| {
                    let dice = |bound| dice(seed, &[round, i as u64, j as u64], bound);
                    let lossy = Link {
                        latency: Duration::from_millis(5 + u64::from(dice(200))),
                        jitter: Duration::from_millis(u64::from(dice(50))),
                        success_rate: match dice(3) {
                            0 => probability!(0.5),
                            _ => probability!(0.9),
                        },
                    };
                    (dice(4) > 0).then_some(lossy)
                })
                .await;
            let at = usize::from(dice(seed, &[round], 4));
            waiting.push(world.seats[at].submit_tx(society.admission(at, round)));
            let span = 100 * u64::from(dice(seed, &[round, 99], 40));
            world.rest(Duration::from_millis(span)).await;
            world.assert_one_chain();
        }
        world.link(|_, _| true).await;
        let timeout = leader_timeout(&world);
        let took = world.time(async {
            for digest in waiting {
                world.all_have(digest).await;
            }
        });
        let took = took.await;
        assert!(took < 20 * timeout, "seed {seed}: {took:?}");
        assert_eq!(world.assert_only_liars_are_named(&[]), []);
        world
    })
}

#[test]
fn one_way_lossy_and_slow_links_fork_nothing_and_name_nobody() {
    for seed in 0..8 {
        storm(seed);
    }
}

#[test]
fn one_seed_is_one_run() {
    assert_eq!(in_halves(2), in_halves(2));
    assert_eq!(storm(2), storm(2));
}
