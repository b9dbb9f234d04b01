//! Our own form of a finalization certificate, checked without the engine that made it.
//!
//! A validator's vote to finalize signs (commonware-consensus 2026.10, `simplex`, scheme
//! `ed25519`):
//!
//! ```text
//! varint(length of space) ‖ space ‖ varint(epoch) ‖ varint(view) ‖ varint(parent view) ‖ payload
//! space = "polity consensus " ‖ network (32 bytes) ‖ "_FINALIZE"
//! ```
//!
//! where a varint is that of Protocol Buffers in its shortest form, and the payload is the 32 bytes
//! of the header's digest. `consensus` holds this and the engine equal in a test.

use identity::{Batch, Digest, NetworkId, PublicKey, Signature};
use serde::{Deserialize, Serialize};

/// The words before the network in what a validator signs.
const NAMESPACE: &[u8] = b"polity consensus ";
/// What the engine appends for a vote to finalize.
const FINALIZE: &[u8] = b"_FINALIZE";

/// Votes of a quorum of validators to finalize one header.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Certificate {
    /// The engine's epoch: one per set of validators.
    pub epoch: u64,
    /// The view in which the header was proposed.
    pub view: u64,
    /// The view in which its parent was proposed; 0 is the genesis.
    pub parent_view: u64,
    /// The digest of the header.
    pub payload: Digest,
    /// Places of the signers in the genesis' list of validators, strictly increasing, each with
    /// its signature.
    pub signatures: Vec<(u32, Signature)>,
}

/// Why a certificate does not hold.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CertificateError {
    /// There is nobody who could certify.
    #[error("there are no validators to certify a block")]
    NoValidators,
    /// A parent is always of an earlier view.
    #[error("view {view} cannot follow view {parent_view}")]
    Views {
        /// View of the header.
        view: u64,
        /// View of its parent.
        parent_view: u64,
    },
    /// Too few signers.
    #[error("{signers} validators signed, {quorum} are needed")]
    Quorum {
        /// Signers there are.
        signers: usize,
        /// Signers there must be.
        quorum: usize,
    },
    /// A signer repeats or is out of order.
    #[error("signer {0} repeats or is out of order")]
    Order(u32),
    /// A signer that is not in the set.
    #[error("signer {signer} is none of the {validators} validators")]
    UnknownSigner {
        /// Place that is claimed.
        signer: u32,
        /// Validators there are.
        validators: usize,
    },
    /// A signature that does not hold.
    #[error("the signature of validator {signer} ({key:?}) does not hold")]
    Signature {
        /// Place of the signer.
        signer: u32,
        /// Its key.
        key: PublicKey,
    },
}

impl Certificate {
    /// The engine's namespace in a network; it appends the kind of vote.
    pub fn namespace(network: NetworkId) -> Vec<u8> {
        [NAMESPACE, network.0.as_bytes()].concat()
    }

    /// How many of `validators` must sign: all but the tolerated faults, n - ⌊(n - 1) / 3⌋.
    pub fn quorum(validators: usize) -> usize {
        validators - validators.saturating_sub(1) / 3
    }

    /// Checks that a quorum of `validators` voted to finalize the payload in `network`.
    ///
    /// The validators, in the order of the genesis, are the caller's: pinned, never taken from
    /// where the certificate comes from.
    ///
    /// # Errors
    /// The first check that fails, those of the form before those of the signatures.
    pub fn verify(
        &self,
        network: NetworkId,
        validators: &[PublicKey],
    ) -> Result<(), CertificateError> {
        self.check_form(validators.len())?;
        let message = self.signing_bytes(network);
        for (signer, signature) in &self.signatures {
            let key = validators[*signer as usize];
            if !key.verify(&message, signature) {
                return Err(CertificateError::Signature { signer: *signer, key });
            }
        }
        Ok(())
    }

    /// The same for a certificate whose signatures are left to be checked with others.
    ///
    /// # Errors
    /// The first check of the form that fails.
    pub(crate) fn queue(
        &self,
        network: NetworkId,
        validators: &[PublicKey],
        batch: &mut Batch,
    ) -> Result<(), CertificateError> {
        self.check_form(validators.len())?;
        let message = self.signing_bytes(network);
        for (signer, signature) in &self.signatures {
            batch.add(&validators[*signer as usize], &message, signature);
        }
        Ok(())
    }

    /// What each signer signed.
    pub fn signing_bytes(&self, network: NetworkId) -> Vec<u8> {
        let space = [&Self::namespace(network), FINALIZE].concat();
        let mut bytes = Vec::with_capacity(space.len() + 64);
        put_varint(&mut bytes, space.len() as u64);
        bytes.extend(space);
        for number in [self.epoch, self.view, self.parent_view] {
            put_varint(&mut bytes, number);
        }
        bytes.extend(self.payload.as_bytes());
        bytes
    }

    /// Signers are in range, distinct and in order, and enough; after this, indexing is safe.
    fn check_form(&self, validators: usize) -> Result<(), CertificateError> {
        if validators == 0 {
            return Err(CertificateError::NoValidators);
        }
        if self.parent_view >= self.view {
            return Err(CertificateError::Views { view: self.view, parent_view: self.parent_view });
        }
        let mut next = 0_u64;
        for &(signer, _) in &self.signatures {
            if signer as usize >= validators {
                return Err(CertificateError::UnknownSigner { signer, validators });
            }
            if u64::from(signer) < next {
                return Err(CertificateError::Order(signer));
            }
            next = u64::from(signer) + 1;
        }
        let (signers, quorum) = (self.signatures.len(), Self::quorum(validators));
        if signers < quorum {
            return Err(CertificateError::Quorum { signers, quorum });
        }
        Ok(())
    }
}

/// Appends a number seven bits at a time, the lowest first; the high bit says that more follow.
pub(crate) fn put_varint(bytes: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        bytes.push((number & 0x7f) as u8 | 0x80);
        number >>= 7;
    }
    bytes.push(number as u8);
}

#[cfg(test)]
mod tests {
    use super::*;
    use identity::SecretKey;

    const NETWORK: NetworkId = NetworkId(Digest([3; 32]));

    fn keys(n: u8) -> Vec<SecretKey> {
        (0..n).map(|i| SecretKey::from_seed([i; 32])).collect()
    }

    fn public(keys: &[SecretKey]) -> Vec<PublicKey> {
        keys.iter().map(SecretKey::public).collect()
    }

    fn certificate(keys: &[SecretKey], signers: &[u32]) -> Certificate {
        let mut certificate = Certificate {
            epoch: 0,
            view: 300,
            parent_view: 299,
            payload: Digest([9; 32]),
            signatures: Vec::new(),
        };
        let message = certificate.signing_bytes(NETWORK);
        certificate.signatures =
            signers.iter().map(|&i| (i, keys[i as usize].sign(&message))).collect();
        certificate
    }

    #[test]
    fn signed_bytes_are_those_of_the_engine() {
        let bytes = certificate(&[], &[]).signing_bytes(NETWORK);
        let mut expected = vec![58];
        expected.extend(b"polity consensus ");
        expected.extend([3; 32]);
        expected.extend(b"_FINALIZE");
        expected.extend([0, 0xac, 0x02, 0xab, 0x02]);
        expected.extend([9; 32]);
        assert_eq!(bytes, expected);
    }

    #[test]
    fn a_quorum_is_all_but_the_tolerated_faults() {
        let expected = [(1, 1), (2, 2), (3, 3), (4, 3), (5, 4), (6, 5), (7, 5), (10, 7), (128, 86)];
        for (validators, quorum) in expected {
            assert_eq!(Certificate::quorum(validators), quorum, "{validators}");
        }
    }

    #[test]
    fn any_quorum_of_the_pinned_set_certifies_here_and_nowhere_else() {
        let keys = keys(4);
        let validators = public(&keys);
        for signers in [&[0, 1, 2][..], &[0, 2, 3], &[1, 2, 3], &[0, 1, 2, 3]] {
            assert_eq!(certificate(&keys, signers).verify(NETWORK, &validators), Ok(()));
        }
        let certificate = certificate(&keys, &[0, 1, 2]);
        assert!(certificate.verify(NetworkId(Digest([4; 32])), &validators).is_err());
        let mut others = validators.clone();
        others.reverse();
        assert!(certificate.verify(NETWORK, &others).is_err());
        assert_eq!(certificate.verify(NETWORK, &[]), Err(CertificateError::NoValidators));
    }

    #[test]
    fn short_repeated_unordered_and_unknown_signers_are_refused() {
        let keys = keys(5);
        let validators = &public(&keys)[..4];
        let check = |signers: &[u32]| certificate(&keys, signers).verify(NETWORK, validators);
        assert_eq!(check(&[]), Err(CertificateError::Quorum { signers: 0, quorum: 3 }));
        assert_eq!(check(&[0, 3]), Err(CertificateError::Quorum { signers: 2, quorum: 3 }));
        assert_eq!(check(&[0, 1, 1]), Err(CertificateError::Order(1)));
        assert_eq!(check(&[0, 2, 1]), Err(CertificateError::Order(1)));
        let unknown = CertificateError::UnknownSigner { signer: 4, validators: 4 };
        assert_eq!(check(&[0, 1, 4]), Err(unknown));
    }

    #[test]
    fn one_wrong_signature_among_enough_right_ones_is_refused() {
        let keys = keys(4);
        let validators = public(&keys);
        let mut certificate = certificate(&keys, &[0, 1, 2, 3]);
        certificate.signatures[2].1.0[5] ^= 1;
        let wrong = CertificateError::Signature { signer: 2, key: validators[2] };
        assert_eq!(certificate.verify(NETWORK, &validators), Err(wrong));
    }

    #[test]
    fn a_view_follows_an_earlier_one() {
        let keys = keys(4);
        let mut certificate = certificate(&keys, &[0, 1, 2]);
        certificate.parent_view = certificate.view;
        let wrong = CertificateError::Views { view: 300, parent_view: 300 };
        assert_eq!(certificate.verify(NETWORK, &public(&keys)), Err(wrong));
    }
}
