//! A validator that withholds its beacon: it never proposes when it leads.

use super::{
    mind::Character,
    society::{Society, others, work},
    world::play,
};
use crate::Draft;

/// Four validators of which one forfeits: by saying so, or by never answering.
fn run(seed: u64) -> String {
    let (society, liar) = (Society::found(4), seed as usize % 4);
    let silent = seed % 8 >= 4;
    let cast = society.cast(move |place| match place == liar {
        true => Character::proposing(move |_, _| (!silent).then(Draft::default)),
        false => Character::default(),
    });
    play(seed, cast, |mut world| async move {
        let honest = others(&[liar]);
        work(&world, &society, &honest, 0..6).await;
        // Silence is no evidence, and costs the others nothing but its turns.
        assert_eq!(world.assert_only_liars_are_named(&[]), []);
        let proposers = world.proposers(honest[0]);
        assert!(!proposers.contains(&liar), "seed {seed}");
        assert!(honest.iter().all(|place| proposers.contains(place)), "seed {seed}");
        world
    })
}

#[test]
fn a_beacon_that_is_withheld_is_only_passed_over() {
    for seed in 0..12 {
        run(seed);
    }
}

#[test]
fn one_seed_is_one_run() {
    assert_eq!(run(3), run(3));
}
