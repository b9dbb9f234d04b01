//! A validator that proposes blocks that do not apply.

use super::{
    mind::{Character, Mind},
    society::{Society, others, work},
    world::play,
};
use crate::{Call, Draft};
use identity::{Digest, NetworkId, SecretKey, Signed};
use protocol::{Block, Seconding, Tx};
use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex},
};

/// Ways to spoil a block.
const WAYS: u64 = 10;

/// An honest block with one thing wrong.
fn spoil(mind: &Mind, call: &Call, way: u64) -> Option<Draft> {
    // Something is always wanted, so that there is something to spoil.
    let call = Call { due: true, ..call.clone() };
    let mut block = mind.draft(&call).block?;
    let header = &mut block.header;
    let mut txs = block.txs.clone();
    match way {
        0 => header.state_root.0[0] ^= 1,
        1 => header.tx_root.0[0] ^= 1,
        // A beacon of its own choosing, with and without a proof of something else.
        2 => header.beacon = Digest::of("a better one", &[]),
        3 => header.beacon_proof.clear(),
        4 => header.time = call.parent.header.time,
        5 => header.network = NetworkId(Digest([1; 32])),
        6 => header.validators.0[0] ^= 1,
        // In another one's name.
        7 => {
            let validators = mind.ledger().validators().to_vec();
            header.proposer = validators.into_iter().find(|key| *key != mind.key.public());
        }
        // Somebody vouches who is nobody.
        8 => {
            let stranger = SecretKey::from_seed([77; 32]);
            let seconding = Seconding { owner: stranger.public() };
            txs.push(Tx::Second(Signed::new(seconding, mind.ledger().network(), &stranger)));
        }
        // Everything twice, or the last block's transactions once more.
        _ => {
            let before = call.parent.pending.last().map(|block| block.txs.clone());
            txs.extend(match txs.is_empty() {
                true => before?,
                false => txs.clone(),
            });
        }
    }
    if txs != block.txs {
        block.header.tx_root = Block::tx_root(&txs);
    }
    block.txs = txs;
    Some(Draft { block: Some(block), stale: Vec::new() })
}

/// Ways in which a block was proposed.
type Tried = Arc<Mutex<BTreeSet<u64>>>;

fn run(seed: u64, tried: &Tried) -> String {
    let (society, liar, tried) = (Society::found(4), seed as usize % 4, tried.clone());
    let cast = society.cast(move |place| match place == liar {
        true => {
            let tried = tried.clone();
            Character::proposing(move |mind, call| {
                let way = (seed + call.parent.header.height.0) % WAYS;
                let spoilt = spoil(mind, call, way)?;
                tried.lock().unwrap().insert(way);
                Some(spoilt)
            })
        }
        false => Character::default(),
    });
    play(seed, cast, |mut world| async move {
        let honest = others(&[liar]);
        work(&world, &society, &honest, 0..8).await;
        assert_eq!(world.assert_only_liars_are_named(&[]), []);
        let proposers = world.proposers(honest[0]);
        assert!(!proposers.contains(&liar), "seed {seed}: a spoilt block is final");
        let blocks = world.seats[honest[0]].chain.blocks();
        society.replay(blocks.iter().map(|entry| &**entry.block));
        world
    })
}

#[test]
fn a_block_that_does_not_apply_never_becomes_final() {
    let tried = Tried::default();
    for seed in 0..10 {
        run(seed, &tried);
    }
    let tried = tried.lock().unwrap();
    assert!((0..WAYS).all(|way| tried.contains(&way)), "{tried:?}");
}

#[test]
fn one_seed_is_one_run() {
    let tried = Tried::default();
    assert_eq!(run(4, &tried), run(4, &tried));
}
