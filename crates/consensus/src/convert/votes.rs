//! Contradicting votes in our words.

use super::{Key, public, signature};
use commonware_codec::{DecodeExt, Encode};
use commonware_consensus::{
    simplex::{
        scheme::ed25519::Scheme,
        types::{self as engine, Activity, Finalize, Notarize, Nullify},
    },
    types::Round,
};
use commonware_cryptography::{certificate::Attestation, sha256};
use commonware_utils::ordered::Set;
use identity::Digest;
use protocol::{Proposal, Vote, VoteKind, VotePair};

type Observed = Activity<Scheme, sha256::Digest>;
type Notarized = Notarize<Scheme, sha256::Digest>;
type Finalized = Finalize<Scheme, sha256::Digest>;

/// Whether this is two votes of one validator that contradict each other.
pub(crate) fn is_contradiction(activity: &Observed) -> bool {
    matches!(
        activity,
        Activity::ConflictingNotarize(_)
            | Activity::ConflictingFinalize(_)
            | Activity::NullifyFinalize(_)
    )
}

/// Our form of a contradiction, which the engine checked; `None` if it is none, or by nobody among
/// the validators.
pub(crate) fn contradiction(activity: &Observed, validators: &Set<Key>) -> Option<VotePair> {
    let (first, second) = match activity {
        Activity::ConflictingNotarize(pair) => {
            let (one, two): (Notarized, Notarized) = halves(pair);
            (notarize(&one, validators)?, notarize(&two, validators)?)
        }
        Activity::ConflictingFinalize(pair) => {
            let (one, two): (Finalized, Finalized) = halves(pair);
            (finalize(&one, validators)?, finalize(&two, validators)?)
        }
        Activity::NullifyFinalize(pair) => {
            let (one, two): (Nullify<Scheme>, Finalized) = halves(pair);
            (nullify(&one, validators)?, finalize(&two, validators)?)
        }
        _ => return None,
    };
    Some(VotePair { first, second })
}

/// The votes of a pair. The engine does not give them out, but encodes one after the other.
fn halves<A, B>(pair: &impl Encode) -> (A, B)
where
    (A, B): DecodeExt<((), ())>,
{
    <(A, B)>::decode(pair.encode()).expect("a pair is encoded as its votes")
}

fn notarize(vote: &Notarized, validators: &Set<Key>) -> Option<Vote> {
    let kind = VoteKind::Notarize(proposal(&vote.proposal));
    signed(vote.proposal.round, kind, &vote.attestation, validators)
}

fn nullify(vote: &Nullify<Scheme>, validators: &Set<Key>) -> Option<Vote> {
    signed(vote.round, VoteKind::Nullify, &vote.attestation, validators)
}

fn finalize(vote: &Finalized, validators: &Set<Key>) -> Option<Vote> {
    let kind = VoteKind::Finalize(proposal(&vote.proposal));
    signed(vote.proposal.round, kind, &vote.attestation, validators)
}

fn proposal(proposal: &engine::Proposal<sha256::Digest>) -> Proposal {
    Proposal { parent_view: proposal.parent.get(), payload: Digest(proposal.payload.0) }
}

fn signed(
    round: Round,
    kind: VoteKind,
    attestation: &Attestation<Scheme>,
    validators: &Set<Key>,
) -> Option<Vote> {
    Some(Vote {
        epoch: round.epoch().get(),
        view: round.view().get(),
        kind,
        by: public(validators.get(attestation.signer.into())?),
        signature: signature(&attestation.signature),
    })
}

#[cfg(test)]
mod tests;
