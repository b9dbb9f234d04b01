//! Our own form of a validator's vote, and two that contradict each other, checked without the
//! engine.
//!
//! A vote signs (commonware-consensus 2026.10, `simplex`, scheme `ed25519`):
//!
//! ```text
//! notarize, finalize: varint(length of space) ‖ space
//!                     ‖ varint(epoch) ‖ varint(view) ‖ varint(parent view) ‖ payload
//! nullify:            varint(length of space) ‖ space ‖ varint(epoch) ‖ varint(view)
//! space = "polity consensus " ‖ network (32 bytes) ‖ "_NOTARIZE", "_FINALIZE" or "_NULLIFY"
//! ```
//!
//! as in [`Certificate`], which is a quorum of votes to finalize. `consensus` holds this and the
//! engine equal in a test.

use crate::{Certificate, Error, certificate::put_varint};
use identity::{Digest, NetworkId, PublicKey, Signature};
use serde::{Deserialize, Serialize};

/// A proposal, as votes name it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Proposal {
    /// The view in which the header's parent was proposed; 0 is the genesis.
    pub parent_view: u64,
    /// The digest of the header.
    pub payload: Digest,
}

/// What a vote says about its view.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum VoteKind {
    /// This proposal is the first that was seen of the view's leader, and holds.
    Notarize(Proposal),
    /// The view should pass without a block; who says so never finalizes one of it.
    Nullify,
    /// This proposal is the view's block; who says so never gives the view up.
    Finalize(Proposal),
}

impl VoteKind {
    /// What the engine appends to the namespace.
    fn suffix(&self) -> &'static [u8] {
        match self {
            Self::Notarize(_) => b"_NOTARIZE",
            Self::Nullify => b"_NULLIFY",
            Self::Finalize(_) => b"_FINALIZE",
        }
    }

    fn proposal(&self) -> Option<&Proposal> {
        match self {
            Self::Notarize(proposal) | Self::Finalize(proposal) => Some(proposal),
            Self::Nullify => None,
        }
    }

    /// Whether no honest validator says both of one view.
    fn contradicts(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Notarize(one), Self::Notarize(two))
            | (Self::Finalize(one), Self::Finalize(two)) => one != two,
            (Self::Nullify, Self::Finalize(_)) | (Self::Finalize(_), Self::Nullify) => true,
            // A view may be given up after its proposal was notarized, and a validator may be
            // convinced by others' votes to finalize what it did not notarize itself.
            _ => false,
        }
    }
}

/// One validator's vote.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Vote {
    /// The engine's epoch: one per set of validators.
    pub epoch: u64,
    /// The view that it is about.
    pub view: u64,
    /// What it says.
    pub kind: VoteKind,
    /// Who votes.
    pub by: PublicKey,
    /// The signature over [`Vote::signing_bytes`].
    pub signature: Signature,
}

impl Vote {
    /// What the validator signed.
    pub fn signing_bytes(&self, network: NetworkId) -> Vec<u8> {
        let space = [&Certificate::namespace(network), self.kind.suffix()].concat();
        let mut bytes = Vec::with_capacity(space.len() + 64);
        put_varint(&mut bytes, space.len() as u64);
        bytes.extend(space);
        put_varint(&mut bytes, self.epoch);
        put_varint(&mut bytes, self.view);
        if let Some(proposal) = self.kind.proposal() {
            put_varint(&mut bytes, proposal.parent_view);
            bytes.extend(proposal.payload.as_bytes());
        }
        bytes
    }

    /// Checks the signature. Whether the signer is a validator is the caller's question.
    ///
    /// # Errors
    /// [`Error::Invalid`].
    pub fn check(&self, network: NetworkId) -> Result<(), Error> {
        if self.by.verify(&self.signing_bytes(network), &self.signature) {
            return Ok(());
        }
        let reason = format!("the signature of {} in view {} does not hold", self.by, self.view);
        Err(Error::invalid("votes", reason))
    }
}

/// Two votes of one validator in one view that no honest one signs both: two different proposals
/// notarized, two finalized, or a view given up and finalized. It is proof by itself.
///
/// The same contradiction may come in either order, and of three votes there are three pairs: who
/// records them counts a validator, epoch and view once.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct VotePair {
    /// One vote.
    pub first: Vote,
    /// The other.
    pub second: Vote,
}

impl VotePair {
    /// Checks that both votes hold and contradict each other; gives who signed them.
    ///
    /// # Errors
    /// [`Error::Invalid`], the form before the signatures.
    pub fn check(&self, network: NetworkId) -> Result<PublicKey, Error> {
        let (first, second) = (&self.first, &self.second);
        if first.by != second.by {
            let reason = format!("{} and {} signed one each", first.by, second.by);
            return Err(Error::invalid("votes", reason));
        }
        if (first.epoch, first.view) != (second.epoch, second.view) {
            let reason = format!(
                "one is about view {} of epoch {}, the other about view {} of epoch {}",
                first.view, first.epoch, second.view, second.epoch
            );
            return Err(Error::invalid("votes", reason));
        }
        if !first.kind.contradicts(&second.kind) {
            return Err(Error::invalid("votes", "an honest validator may sign both"));
        }
        first.check(network)?;
        second.check(network)?;
        Ok(first.by)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use identity::{SecretKey, canonical};

    const NETWORK: NetworkId = NetworkId(Digest([3; 32]));

    fn signed(seed: u8, (epoch, view): (u64, u64), kind: VoteKind) -> Vote {
        let key = SecretKey::from_seed([seed; 32]);
        let (by, signature) = (key.public(), Signature([0; 64]));
        let mut vote = Vote { epoch, view, kind, by, signature };
        vote.signature = key.sign(&vote.signing_bytes(NETWORK));
        vote
    }

    fn proposal(payload: u8) -> Proposal {
        Proposal { parent_view: 299, payload: Digest([payload; 32]) }
    }

    fn kinds() -> [VoteKind; 5] {
        [
            VoteKind::Notarize(proposal(1)),
            VoteKind::Notarize(proposal(2)),
            VoteKind::Nullify,
            VoteKind::Finalize(proposal(1)),
            VoteKind::Finalize(proposal(2)),
        ]
    }

    fn pair(first: &Vote, second: &Vote) -> VotePair {
        VotePair { first: first.clone(), second: second.clone() }
    }

    #[test]
    fn signed_bytes_are_those_of_the_engine() {
        let nullify = signed(1, (0, 300), VoteKind::Nullify).signing_bytes(NETWORK);
        let mut expected = vec![57];
        expected.extend(b"polity consensus ");
        expected.extend([3; 32]);
        expected.extend(b"_NULLIFY");
        expected.extend([0, 0xac, 0x02]);
        assert_eq!(nullify, expected);

        let notarize = signed(1, (0, 300), kinds()[0]).signing_bytes(NETWORK);
        let mut expected = vec![58];
        expected.extend(b"polity consensus ");
        expected.extend([3; 32]);
        expected.extend(b"_NOTARIZE");
        expected.extend([0, 0xac, 0x02, 0xab, 0x02]);
        expected.extend([1; 32]);
        assert_eq!(notarize, expected);
    }

    #[test]
    fn a_vote_to_finalize_signs_what_a_certificate_holds() {
        let vote = signed(1, (7, 300), VoteKind::Finalize(proposal(9)));
        let certificate = Certificate {
            epoch: 7,
            view: 300,
            parent_view: 299,
            payload: Digest([9; 32]),
            signatures: vec![(0, vote.signature)],
        };
        assert_eq!(vote.signing_bytes(NETWORK), certificate.signing_bytes(NETWORK));
        assert_eq!(vote.check(NETWORK), Ok(()));
    }

    #[test]
    fn contradictions_are_exactly_the_engines() {
        let kinds = kinds();
        for (i, first) in kinds.iter().enumerate() {
            for (j, second) in kinds.iter().enumerate() {
                let pair = pair(&signed(1, (0, 300), *first), &signed(1, (0, 300), *second));
                let expected = matches!((i.min(j), i.max(j)), (0, 1) | (2, 3) | (2, 4) | (3, 4));
                assert_eq!(pair.check(NETWORK).is_ok(), expected, "{first:?} {second:?}");
                if expected {
                    assert_eq!(pair.check(NETWORK), Ok(pair.first.by));
                }
            }
        }
    }

    #[test]
    fn one_payload_on_two_parents_is_a_contradiction() {
        let other = Proposal { parent_view: 298, ..proposal(1) };
        let first = signed(1, (0, 300), VoteKind::Notarize(proposal(1)));
        let second = signed(1, (0, 300), VoteKind::Notarize(other));
        assert!(pair(&first, &second).check(NETWORK).is_ok());
    }

    #[test]
    fn votes_of_two_keys_views_epochs_or_networks_are_no_evidence() {
        let [one, two, ..] = kinds();
        let first = signed(1, (0, 300), one);
        assert!(pair(&first, &signed(1, (0, 300), two)).check(NETWORK).is_ok());
        for second in [signed(2, (0, 300), two), signed(1, (0, 301), two), signed(1, (1, 300), two)]
        {
            assert!(pair(&first, &second).check(NETWORK).is_err(), "{second:?}");
        }
        let elsewhere = NetworkId(Digest([4; 32]));
        assert!(pair(&first, &signed(1, (0, 300), two)).check(elsewhere).is_err());
    }

    #[test]
    fn a_vote_that_somebody_else_signed_or_meant_otherwise_is_refused() {
        let mut named = signed(1, (0, 300), kinds()[1]);
        named.by = SecretKey::from_seed([2; 32]).public();
        let first = signed(2, (0, 300), kinds()[0]);
        assert!(pair(&first, &named).check(NETWORK).is_err());
        let mut other = signed(2, (0, 300), kinds()[0]);
        other.kind = kinds()[1];
        assert!(pair(&first, &other).check(NETWORK).is_err(), "a signature of another vote");
    }

    #[test]
    fn every_flipped_bit_of_evidence_is_refused() {
        let key = SecretKey::from_seed([1; 32]).public();
        let good = pair(&signed(1, (0, 300), kinds()[2]), &signed(1, (0, 300), kinds()[3]));
        let bytes = canonical::encode(&good);
        let read = |bytes: &[u8]| canonical::decode::<VotePair>(bytes, bytes.len());
        assert_eq!(read(&bytes).map(|p| p.check(NETWORK)), Ok(Ok(key)));
        for bit in 0..bytes.len() * 8 {
            let mut flipped = bytes.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            let holds = read(&flipped).is_ok_and(|p| p.check(NETWORK).is_ok());
            assert!(!holds, "bit {bit}");
        }
    }

    #[test]
    fn a_vote_with_a_proposal_that_its_kind_lacks_has_no_form() {
        let bytes = canonical::encode(&signed(1, (0, 300), VoteKind::Nullify));
        assert!(canonical::decode::<Vote>(&bytes, bytes.len()).is_ok());
        let text = "\"nullify\"";
        assert_eq!(serde_json::to_string(&VoteKind::Nullify).expect("it holds"), text);
        let full = serde_json::to_string(&VoteKind::Finalize(proposal(1))).expect("it holds");
        let moved = full.replace("finalize", "nullify");
        assert!(serde_json::from_str::<VoteKind>(&moved).is_err());
        let more = full.replace("\"parent_view\"", "\"more\":1,\"parent_view\"");
        assert!(serde_json::from_str::<VoteKind>(&more).is_err());
    }
}
