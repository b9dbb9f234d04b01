//! A validator that votes twice: it signs a vote that contradicts its own, and tells each of the
//! others one of the two, or both.

use super::{
    society::{Society, others, work},
    wire::{Line, Tongue},
    witness::EngineVote,
    world::{Cast, World, play},
};
use crate::convert;
use commonware_codec::{DecodeExt, Encode};
use commonware_consensus::{
    Roundable, Viewable,
    simplex::{
        scheme::ed25519::Scheme,
        types::{Finalize, Notarize, Nullify, Proposal, Vote},
    },
    types::View,
};
use commonware_cryptography::sha256;
use identity::Digest;
use protocol::VoteKind;
use std::{cell::Cell, collections::BTreeSet, sync::Arc};

/// A vote of the same validator and view that no honest one signs beside `vote`.
fn contradict(scheme: &Scheme, vote: &EngineVote, choice: u8) -> EngineVote {
    let (round, made_up) = (vote.round(), sha256::Digest([choice; 32]));
    let other = |proposal: &Proposal<sha256::Digest>| match choice % 2 {
        // The same block on another parent, or another block.
        0 if proposal.parent > View::zero() => Proposal::new(round, View::zero(), proposal.payload),
        _ => Proposal::new(round, proposal.parent, made_up),
    };
    match vote {
        Vote::Notarize(vote) => {
            Vote::Notarize(Notarize::sign(scheme, other(&vote.proposal)).expect("a signer"))
        }
        Vote::Finalize(_) if choice.is_multiple_of(3) => {
            Vote::Nullify(Nullify::sign::<sha256::Digest>(scheme, round).expect("a signer"))
        }
        Vote::Finalize(vote) => {
            Vote::Finalize(Finalize::sign(scheme, other(&vote.proposal)).expect("a signer"))
        }
        Vote::Nullify(_) => {
            let parent = round.view().previous().unwrap_or(View::zero());
            let proposal = Proposal::new(round, parent, made_up);
            Vote::Finalize(Finalize::sign(scheme, proposal).expect("a signer"))
        }
    }
}

/// Lies from the view `from` on.
fn forked(cast: &Cast, liar: usize, seed: u64, from: u64) -> Tongue {
    let scheme = convert::scheme(&cast.settings, &cast.keys[liar]).unwrap();
    Arc::new(move |line, to, message| {
        if line != Line::Votes {
            return vec![message.clone()];
        }
        let vote = EngineVote::decode(message.clone()).expect("our engine's vote");
        let kind = match &vote {
            Vote::Notarize(_) => 0,
            Vote::Nullify(_) => 1,
            Vote::Finalize(_) => 2,
        };
        let view = vote.view().get();
        // Each seed lies about one kind, or about all.
        if view < from || ![kind, 3].contains(&(seed % 4)) {
            return vec![message.clone()];
        }
        let dice = Digest::of("a lie", &[&seed.to_be_bytes(), &view.to_be_bytes(), &[kind as u8]]);
        // One contradiction for everybody, so that there are two votes and not many.
        let other = contradict(&scheme, &vote, dice.0[0]).encode();
        let of_peer = Digest::of("a listener", &[&dice.0, to]);
        match of_peer.0[0] % 5 {
            0 => vec![message.clone()],
            1 => vec![other],
            2 => vec![other, message.clone()],
            _ => vec![message.clone(), other],
        }
    })
}

/// What the honest noticed in one run.
#[derive(Default)]
struct Noticed {
    by: Cell<usize>,
    kinds: Cell<[usize; 3]>,
}

async fn take_to_the_ledger(world: &mut World, society: &Society, liar: usize, noticed: &Noticed) {
    let honest = others(&[liar]);
    let handed = world.assert_only_liars_are_named(&[liar]);
    let accusers: BTreeSet<_> = handed.iter().map(|(place, _)| *place).collect();
    noticed.by.set(accusers.len());
    let mut kinds = [0; 3];
    for (_, pair) in &handed {
        let kind = match (pair.first.kind, pair.second.kind) {
            (VoteKind::Notarize(_), _) => 0,
            (VoteKind::Finalize(_), VoteKind::Finalize(_)) => 2,
            _ => 1,
        };
        kinds[kind] += 1;
    }
    noticed.kinds.set(kinds);
    let Some((place, pair)) = handed.into_iter().next() else { return };
    let digest = world.seats[place].submit_tx(society.accusation(place, pair));
    world.have(&honest, digest).await;
    let blocks = world.seats[place].chain.blocks();
    let ledger = society.replay(blocks.iter().map(|entry| &**entry.block));
    assert!(ledger.is_barred(&society.owner(liar)));
    assert!(honest.iter().all(|place| !ledger.is_barred(&society.owner(*place))));
    let key = world.cast.settings.validators[liar];
    assert!(ledger.findings().iter().all(|finding| finding.node == key));
}

fn run(seed: u64, noticed: &Noticed) -> String {
    let (society, liar) = (Society::found(4), (seed / 4) as usize % 4);
    let mut cast = society.honest();
    cast.tongues = vec![(liar, forked(&cast, liar, seed, 1 + seed % 7))];
    play(seed, cast, |mut world| async move {
        work(&world, &society, &others(&[liar]), 0..6).await;
        take_to_the_ledger(&mut world, &society, liar, noticed).await;
        work(&world, &society, &others(&[liar]), 6..8).await;
        world.assert_only_liars_are_named(&[liar]);
        world
    })
}

#[test]
fn who_votes_twice_is_named_by_all_that_hear_both_and_forks_nothing() {
    let (mut witnesses, mut kinds) = (0, [0; 3]);
    for seed in 0..20 {
        let noticed = Noticed::default();
        run(seed, &noticed);
        witnesses += noticed.by.get();
        for (sum, more) in kinds.iter_mut().zip(noticed.kinds.get()) {
            *sum += more;
        }
    }
    assert!(witnesses > 20, "{witnesses}");
    assert!(kinds.iter().all(|kind| *kind > 0), "{kinds:?}");
}

#[test]
fn one_seed_is_one_run() {
    let noticed = Noticed::default();
    assert_eq!(run(7, &noticed), run(7, &noticed));
}
