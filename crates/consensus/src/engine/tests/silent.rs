//! Validators that stop to say anything in the middle of anything, and still listen.

use super::{
    society::{Society, others, work},
    wire::{Line, Tongue},
    world::play,
};
use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

/// Says so many messages, and then nothing more; of one line only, if one is given.
fn falls_silent(after: u64, only: Option<Line>) -> Tongue {
    let said = AtomicU64::new(0);
    Arc::new(move |line, _, message| {
        let mute = only.is_none_or(|only| only == line);
        match mute && said.fetch_add(1, Ordering::Relaxed) >= after {
            true => Vec::new(),
            false => vec![message.clone()],
        }
    })
}

fn run(seed: u64) -> String {
    let (society, liar) = (Society::found(4), seed as usize % 4);
    let only = [None, Some(Line::Votes), Some(Line::Blocks), Some(Line::Certificates)];
    let mut cast = society.honest();
    cast.tongues = vec![(liar, falls_silent(seed * 7, only[seed as usize / 3 % 4]))];
    play(seed, cast, |mut world| async move {
        let honest = others(&[liar]);
        work(&world, &society, &honest, 0..6).await;
        assert_eq!(world.assert_only_liars_are_named(&[]), [], "silence is no evidence");
        // It listened all the time.
        let height = world.seats[honest[0]].chain.height();
        world.seats[liar].chain.reaches(height).await;
        world
    })
}

#[test]
fn three_go_on_without_one_that_falls_silent() {
    for seed in 0..12 {
        run(seed);
    }
}

#[test]
fn one_seed_is_one_run() {
    assert_eq!(run(6), run(6));
}

#[test]
fn two_silent_ones_of_four_stop_the_chain_and_two_of_seven_do_not() {
    for seed in 0..3 {
        let society = Society::found(4);
        let mut cast = society.honest();
        cast.tongues = vec![(1, falls_silent(0, None)), (2, falls_silent(0, None))];
        play(seed, cast, |world| async move {
            world.seats[0].submit_tx(society.admission(3, 1));
            world.rest(Duration::from_secs(120)).await;
            assert_eq!(world.heights(), [0; 4], "seed {seed}");
            world
        });
        let society = Society::found(7);
        let mut cast = society.honest();
        cast.tongues = vec![(1, falls_silent(40, None)), (4, falls_silent(seed, None))];
        play(seed, cast, |world| async move {
            work(&world, &society, &[0, 2, 3, 5, 6], 0..4).await;
            world
        });
    }
}
