//! A validator that never includes transactions of one owner, nor votes for blocks that do.

use super::{
    mind::Character,
    society::{Society, others, work},
    world::play,
};
use crate::Verdict;
use identity::PublicKey;
use protocol::Tx;
use std::{sync::Arc, time::Duration};

fn is_of(tx: &Tx, owner: PublicKey) -> bool {
    match tx {
        Tx::Admit(admission) => admission.payload.invitation.by == owner,
        Tx::Second(seconding) => seconding.by == owner,
        _ => false,
    }
}

fn run(seed: u64) -> String {
    let (society, liar) = (Society::found(4), seed as usize % 4);
    let victim = society.owner((liar + 1) % 4);
    let censor = Character {
        propose: Arc::new(move |mind, call| {
            let mut call = call.clone();
            call.candidates.retain(|candidate| !is_of(candidate.tx(), victim));
            let draft = mind.draft(&call);
            let empty = draft.block.as_ref().is_none_or(|block| block.txs.is_empty());
            // With nothing else to put into it, it would rather have no block.
            (!empty || seed.is_multiple_of(2)).then_some(draft)
        }),
        judge: Arc::new(move |mind, parent, block, now| {
            let hated = !seed.is_multiple_of(3) && block.txs.iter().any(|tx| is_of(tx, victim));
            match hated {
                true => Some(Verdict::Invalid("it is of that owner".into())),
                false => Some(mind.verdict(parent, block, now)),
            }
        }),
    };
    let cast = society.cast(move |place| match place == liar {
        true => censor.clone(),
        false => Character::default(),
    });
    play(seed, cast, |mut world| async move {
        let honest = others(&[liar]);
        let timeout = Duration::from_millis(world.cast.settings.leader_timeout_ms);
        for number in 0..8 {
            let took = world.time(work(&world, &society, &honest, number..number + 1)).await;
            // Its turn, and the next leader's, for each of the two transactions.
            assert!(took < 6 * timeout, "seed {seed}, {number}: {took:?}");
        }
        assert_eq!(world.assert_only_liars_are_named(&[]), []);
        for entry in world.seats[honest[0]].chain.blocks() {
            let of_censor = world.place_of(&entry.block.header) == Some(liar);
            assert!(!of_censor || !entry.block.txs.iter().any(|tx| is_of(tx, victim)));
        }
        world
    })
}

#[test]
fn a_censored_owner_gets_in_with_the_next_leader() {
    for seed in 0..12 {
        run(seed);
    }
}

#[test]
fn one_seed_is_one_run() {
    assert_eq!(run(5), run(5));
}
