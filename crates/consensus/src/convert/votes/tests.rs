//! Holds our votes, the bytes that they sign and our rule of contradiction equal to the engine's.

use super::*;
use crate::{
    convert,
    tests::{keys, settings},
};
use commonware_consensus::{
    simplex::types::{ConflictingFinalize, ConflictingNotarize, NullifyFinalize},
    types::{Epoch, View},
};
use commonware_parallel::Sequential;
use proptest::{prelude::*, proptest};

/// One view's votes of one validator in both forms.
struct Votes {
    scheme: Scheme,
    round: Round,
    validators: Set<Key>,
}

impl Votes {
    fn new(signer: usize, epoch: u64, view: u64) -> Self {
        let settings = settings(4);
        let scheme = convert::scheme(&settings, &keys(4)[signer]).unwrap();
        let round = Round::new(Epoch::new(epoch), View::new(view));
        Self { scheme, round, validators: convert::validators(&settings).unwrap() }
    }

    fn proposal(&self, parent: u64, payload: [u8; 32]) -> engine::Proposal<sha256::Digest> {
        engine::Proposal::new(self.round, View::new(parent), sha256::Digest(payload))
    }

    fn notarize(&self, parent: u64, payload: [u8; 32]) -> Notarized {
        Notarize::sign(&self.scheme, self.proposal(parent, payload)).unwrap()
    }

    fn nullify(&self) -> Nullify<Scheme> {
        Nullify::sign::<sha256::Digest>(&self.scheme, self.round).unwrap()
    }

    fn finalize(&self, parent: u64, payload: [u8; 32]) -> Finalized {
        Finalize::sign(&self.scheme, self.proposal(parent, payload)).unwrap()
    }

    /// What the engine says of an activity, which must be what we say.
    fn both(&self, activity: &Observed) -> Result<(), TestCaseError> {
        let theirs = activity.verify(&mut commonware_utils::test_rng(), &self.scheme, &Sequential);
        prop_assert!(is_contradiction(activity));
        let pair = contradiction(activity, &self.validators).expect("by a validator");
        let network = settings(4).network;
        let ours = pair.check(network);
        prop_assert_eq!(theirs, ours.is_ok(), "{:?}", ours);
        prop_assert_eq!(pair.first.epoch, self.round.epoch().get());
        prop_assert_eq!(pair.first.view, self.round.view().get());
        // Nothing is lost on the way over the wire either.
        let bytes = identity::canonical::encode(&pair);
        let back: VotePair = identity::canonical::decode(&bytes, bytes.len()).expect("a pair");
        prop_assert_eq!(back, pair);
        Ok(())
    }
}

fn numbers() -> impl Strategy<Value = u64> {
    // Each length that a varint can have, and its edges.
    prop_oneof![any::<u64>(), (0_u32..64).prop_map(|bit| 1 << bit), 0_u64..300]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn a_vote_of_the_engine_is_ours_whatever_its_kind_epoch_view_and_proposal(
        signer in 0_usize..4,
        (epoch, view, parent) in (numbers(), numbers(), numbers()),
        payload in any::<[u8; 32]>(),
    ) {
        let votes = Votes::new(signer, epoch, view);
        let network = settings(4).network;
        let ours = [
            notarize(&votes.notarize(parent, payload), &votes.validators).unwrap(),
            nullify(&votes.nullify(), &votes.validators).unwrap(),
            finalize(&votes.finalize(parent, payload), &votes.validators).unwrap(),
        ];
        for vote in ours {
            // The signature is the engine's: it holds only over the engine's bytes.
            prop_assert_eq!(vote.check(network), Ok(()));
            prop_assert_eq!(vote.by, settings(4).validators[signer]);
            prop_assert_eq!((vote.epoch, vote.view), (epoch, view));
        }
    }

    #[test]
    fn the_engine_and_we_take_and_refuse_the_same_pairs(
        signer in 0_usize..4,
        (epoch, view) in (numbers(), numbers()),
        one in (numbers(), any::<[u8; 32]>()),
        two in (numbers(), any::<[u8; 32]>()),
        forged in any::<bool>(),
    ) {
        prop_assume!(one != two);
        let votes = Votes::new(signer, epoch, view);
        let (notarize, mut other) = (votes.notarize(one.0, one.1), votes.notarize(two.0, two.1));
        let (finalize, mut second) = (votes.finalize(one.0, one.1), votes.finalize(two.0, two.1));
        let mut nullify = votes.nullify();
        if forged {
            other.attestation.signature = notarize.attestation.signature.clone();
            second.attestation.signature = other.attestation.signature.clone();
            nullify.attestation.signature = finalize.attestation.signature.clone();
        }
        let pairs = [
            Activity::ConflictingNotarize(ConflictingNotarize::new(notarize.clone(), other)),
            Activity::ConflictingFinalize(ConflictingFinalize::new(finalize.clone(), second)),
            Activity::NullifyFinalize(NullifyFinalize::new(nullify, finalize)),
        ];
        for pair in &pairs {
            votes.both(pair)?;
        }
        let plain = Activity::Notarize(notarize);
        prop_assert!(!is_contradiction(&plain));
        prop_assert_eq!(contradiction(&plain, &votes.validators), None);
    }
}
