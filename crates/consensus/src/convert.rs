//! Between our words and the engine's: keys, digests, certificates, votes.

mod votes;

pub(crate) use votes::{contradiction, is_contradiction};

use crate::{Error, Settings};
use commonware_codec::{Copying, DecodeExt, types::lazy::Lazy};
use commonware_consensus::{
    simplex::{
        scheme::ed25519::Scheme,
        types::{Finalization, Proposal},
    },
    types::{Epoch, Participant, Round, View},
};
use commonware_cryptography::{Signer, certificate::Signers, ed25519, sha256};
use commonware_utils::ordered::Set;
use identity::{Digest, PublicKey, SecretKey, Signature};
use protocol::Certificate;

/// A validator's key as the engine holds it.
pub(crate) type Key = ed25519::PublicKey;
/// The engine's form of a certificate.
pub(crate) type Finalized = Finalization<Scheme, sha256::Digest>;

/// The engine's form of a digest.
pub(crate) fn digest(digest: Digest) -> sha256::Digest {
    sha256::Digest(digest.0)
}

/// The engine's form of a key.
///
/// # Errors
/// If the bytes are no point of the curve.
pub(crate) fn key(key: &PublicKey) -> Result<Key, Error> {
    Key::decode(Copying(&key.0)).map_err(|_| Error::Settings(format!("validator {key} is no key")))
}

/// Our form of a key.
pub(crate) fn public(key: &Key) -> PublicKey {
    let mut bytes = [0; 32];
    bytes.copy_from_slice(key);
    PublicKey(bytes)
}

/// The validators as the engine orders them, which is our order.
///
/// # Errors
/// [`Error::Settings`].
pub(crate) fn validators(settings: &Settings) -> Result<Set<Key>, Error> {
    let keys = settings.validators.iter().map(key).collect::<Result<Vec<_>, _>>()?;
    let set = Set::try_from(keys).map_err(|e| Error::Settings(format!("validators: {e}")))?;
    assert!(set.iter().map(public).eq(settings.validators.iter().copied()), "one order of keys");
    Ok(set)
}

/// What signs and checks this validator's votes.
///
/// # Errors
/// [`Error::NotAValidator`] or [`Error::Settings`].
pub(crate) fn scheme(settings: &Settings, secret: &SecretKey) -> Result<Scheme, Error> {
    let private = ed25519::PrivateKey::decode(Copying(secret.seed()))
        .map_err(|_| Error::Settings("the secret key is no key".into()))?;
    assert_eq!(public(&private.public_key()), secret.public(), "one key of one seed (RFC 8032)");
    let namespace = Certificate::namespace(settings.network);
    Scheme::signer(&namespace, validators(settings)?, private)
        .ok_or_else(|| Error::NotAValidator(secret.public()))
}

/// Our form of a finalization.
///
/// # Panics
/// If a signature has no 64 bytes: the engine checked it before.
pub(crate) fn certificate(finalization: &Finalized) -> Certificate {
    let proposal = &finalization.proposal;
    let signers = finalization.certificate.signers.iter().map(Participant::get);
    let signatures = finalization.certificate.signatures.iter().map(signature);
    Certificate {
        epoch: proposal.round.epoch().get(),
        view: proposal.round.view().get(),
        parent_view: proposal.parent.get(),
        payload: Digest(proposal.payload.0),
        signatures: signers.zip(signatures).collect(),
    }
}

/// Our form of a signature.
///
/// # Panics
/// If it has no 64 bytes: the engine checked it before.
fn signature(signature: &Lazy<ed25519::Signature>) -> Signature {
    let signature = signature.get().expect("the engine checked the signature");
    let mut bytes = [0; 64];
    bytes.copy_from_slice(signature);
    Signature(bytes)
}

/// The engine's form of a certificate that was checked.
///
/// # Panics
/// If it was not: its signers are then out of range.
pub(crate) fn finalization(certificate: &Certificate, validators: usize) -> Finalized {
    let validators = u32::try_from(validators).expect("validators are few");
    let round = Round::new(Epoch::new(certificate.epoch), View::new(certificate.view));
    let payload = digest(certificate.payload);
    let signers = certificate.signatures.iter().map(|(signer, _)| Participant::new(*signer));
    let signature = |(_, signature): &(u32, Signature)| {
        let engines = ed25519::Signature::decode(Copying(&signature.0));
        Lazy::from(engines.expect("any 64 bytes are one"))
    };
    Finalized {
        proposal: Proposal::new(round, View::new(certificate.parent_view), payload),
        certificate: ed25519::certificate::Certificate {
            signers: Signers::new(validators, signers).expect("a checked certificate"),
            signatures: certificate.signatures.iter().map(signature).collect(),
        },
    }
}

#[cfg(test)]
mod tests;
