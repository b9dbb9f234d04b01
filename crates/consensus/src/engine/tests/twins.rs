//! A validator that runs twice under one key: two whole engines with journals of their own, each
//! talking to a part of the others. What each says is right; both together are two blocks and two
//! votes in one view.

use super::{
    society::{Society, others, work},
    wire::{Line, Tongue},
    world::{Cast, Halves, World, play},
};
use crate::convert::Key;
use commonware_p2p::simulated::SplitTarget;
use identity::Digest;
use std::{cell::Cell, collections::BTreeSet, panic, sync::Arc, time::Duration};

/// Whom a half talks to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Side {
    Left,
    Right,
    Both,
}

/// Halves that talk to the sides of the others; about everything, or only with their votes.
fn halves(cast: &Cast, sides: Vec<Side>, only_votes: bool) -> Halves {
    let keys = cast.settings.validators.clone();
    let place =
        move |who: &Key| keys.iter().position(|key| key.0[..] == who[..]).expect("a validator");
    let half = |own: Side| -> Tongue {
        let (place, sides) = (place.clone(), sides.clone());
        Arc::new(move |line, to, message| {
            let heard = [own, Side::Both].contains(&sides[place(to)]);
            let everybody = only_votes && line != Line::Votes;
            if heard || everybody { vec![message.clone()] } else { Vec::new() }
        })
    };
    Halves {
        tongues: [half(Side::Left), half(Side::Right)],
        hears: Arc::new(move |from| match sides[place(from)] {
            _ if only_votes => SplitTarget::Both,
            Side::Left => SplitTarget::Primary,
            Side::Right => SplitTarget::Secondary,
            Side::Both => SplitTarget::Both,
        }),
    }
}

fn side(seed: u64, place: u64) -> Side {
    match Digest::of("a side", &[&seed.to_be_bytes(), &place.to_be_bytes()]).0[0] % 3 {
        0 => Side::Left,
        1 => Side::Right,
        _ => Side::Both,
    }
}

fn run(seed: u64, witnesses: &Cell<usize>) -> String {
    let (society, liar) = (Society::found(4), seed as usize % 4);
    let mut cast = society.honest();
    let sides = (0..4).map(|place| side(seed, place)).collect();
    cast.twins = vec![(liar, halves(&cast, sides, seed % 8 >= 4))];
    play(seed, cast, |mut world| async move {
        let honest = others(&[liar]);
        work(&world, &society, &honest, 0..3).await;
        // At rest leaders differ in what they would put into a block, if anything.
        world.rest(Duration::from_secs(100)).await;
        work(&world, &society, &honest, 3..6).await;
        let handed = world.assert_only_liars_are_named(&[liar]);
        let by: BTreeSet<_> = handed.iter().map(|(place, _)| *place).collect();
        witnesses.set(witnesses.get() + by.len());
        world
    })
}

#[test]
fn twins_fork_nothing_and_whoever_hears_both_names_them() {
    let witnesses = Cell::new(0);
    for seed in 0..12 {
        run(seed, &witnesses);
    }
    assert!(witnesses.get() > 0, "nobody heard both");
}

#[test]
fn one_seed_is_one_run() {
    let witnesses = Cell::new(0);
    assert_eq!(run(9, &witnesses), run(9, &witnesses));
}

/// Two of four are twins, which is one more than is tolerated, and each honest one hears one half of
/// each only: then there must be two chains, or these checks see nothing.
#[test]
fn more_twins_than_are_tolerated_fork_the_chain_and_the_check_sees_it() {
    let society = Society::found(4);
    let mut cast = society.honest();
    let sides = vec![Side::Left, Side::Right, Side::Both, Side::Both];
    cast.twins = (2..4).map(|liar| (liar, halves(&cast, sides.clone(), false))).collect();
    play(1, cast, |world| async move {
        world.link(|i, j| (i < 2) != (j < 2)).await;
        let left = world.seats[0].submit_tx(society.admission(0, 1));
        let right = world.seats[1].submit_tx(society.admission(1, 2));
        world.seats[0].chain.has(left).await;
        world.seats[1].chain.has(right).await;
        let check = panic::AssertUnwindSafe(|| World::assert_one_chain(&world));
        assert!(panic::catch_unwind(check).is_err(), "a fork that nobody sees");
        world.forked()
    });
}
