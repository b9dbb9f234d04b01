//! What the honest must have noticed, from the votes that really arrived.

use super::world::World;
use crate::{Event, convert};
use commonware_codec::DecodeExt;
use commonware_consensus::{
    Viewable,
    simplex::{
        scheme::ed25519::Scheme,
        types::{Proposal, Vote},
    },
};
use commonware_cryptography::sha256;
use identity::PublicKey;
use protocol::VotePair;
use std::collections::{BTreeMap, HashMap};

pub(super) type EngineVote = Vote<Scheme, sha256::Digest>;

/// The votes of one validator in one view.
#[derive(Default)]
struct Ballot {
    notarized: Option<Proposal<sha256::Digest>>,
    nullified: bool,
    finalized: Option<Proposal<sha256::Digest>>,
}

impl Ballot {
    /// Whether this vote contradicts an earlier one.
    fn add(&mut self, vote: EngineVote) -> bool {
        match vote {
            Vote::Notarize(vote) => {
                *self.notarized.get_or_insert(vote.proposal.clone()) != vote.proposal
            }
            Vote::Nullify(_) => {
                self.nullified = true;
                self.finalized.is_some()
            }
            Vote::Finalize(vote) => {
                let first = self.finalized.get_or_insert(vote.proposal.clone());
                *first != vote.proposal || self.nullified
            }
        }
    }
}

impl World {
    /// Every contradiction that reached an honest validator was handed over, is proof, and names
    /// one of `liars`; nothing else was. Gives what was handed over, by whom.
    ///
    /// Nobody is listened to after the first contradiction, so there is one for each pair of liar
    /// and honest validator, at most.
    pub(super) fn assert_only_liars_are_named(
        &mut self,
        liars: &[usize],
    ) -> Vec<(usize, VotePair)> {
        let settings = self.cast.settings.clone();
        let mut all = Vec::new();
        for place in (0..self.seats.len()).filter(|place| !liars.contains(place)) {
            let mut handed = BTreeMap::new();
            for event in self.seats[place].events() {
                let Event::Evidence(pair) = event.clone() else { panic!("{event:?}") };
                let named = pair.check(settings.network).expect("it is proof");
                handed.entry(named).or_insert(pair.first.view);
                all.push((place, pair));
            }
            assert_eq!(self.contradictions(place), handed, "validator {place}");
            let is_liar =
                |key: &PublicKey| liars.iter().any(|liar| settings.validators[*liar] == *key);
            assert!(handed.keys().all(is_liar), "validator {place} names {handed:?}");
        }
        all
    }

    /// The view of everybody's first contradiction among the votes that reached a validator.
    fn contradictions(&self, place: usize) -> BTreeMap<PublicKey, u64> {
        let mut ballots: HashMap<_, Ballot> = HashMap::new();
        let mut first = BTreeMap::new();
        for (from, bytes) in self.seats[place].heard() {
            let vote = EngineVote::decode(bytes).expect("even liars send votes");
            let (key, view) = (convert::public(&from), vote.view().get());
            let contradicts = ballots.entry((key, view)).or_default().add(vote);
            if contradicts {
                first.entry(key).or_insert(view);
            }
        }
        first
    }
}
