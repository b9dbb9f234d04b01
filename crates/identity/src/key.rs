//! Ed25519 keys and signatures under one verification rule.
//!
//! The rule is ZIP-215: cofactored, the same for one signature and for a batch, so that two
//! validators that check differently still agree.

use crate::Error;
use ed25519_zebra as ed;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::{fmt, str::FromStr};
use zeroize::Zeroizing;

/// Multicodec prefix of an Ed25519 public key (`0xed`, as an unsigned varint).
const MULTICODEC: [u8; 2] = [0xed, 0x01];

/// A public key. Its text is the multibase of a `did:key`: `z6Mk…`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PublicKey(pub [u8; 32]);

impl PublicKey {
    /// Whether `signature` over `message` holds.
    pub fn verify(&self, message: &[u8], signature: &Signature) -> bool {
        ed::VerificationKey::try_from(self.0)
            .and_then(|key| key.verify(&ed::Signature::from(signature.0), message))
            .is_ok()
    }

    /// The last eight characters of the text: enough to tell keys apart on a screen.
    pub fn short(&self) -> String {
        let text = self.to_string();
        text[text.len() - 8..].to_string()
    }
}

impl fmt::Display for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut bytes = MULTICODEC.to_vec();
        bytes.extend(self.0);
        write!(f, "z{}", bs58::encode(bytes).into_string())
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PublicKey(…{})", self.short())
    }
}

impl FromStr for PublicKey {
    type Err = Error;
    fn from_str(text: &str) -> Result<Self, Error> {
        let wrong = || Error::Key(text.chars().take(80).collect());
        let bytes = text
            .strip_prefix('z')
            .filter(|t| t.len() < 80)
            .and_then(|t| bs58::decode(t).into_vec().ok())
            .ok_or_else(wrong)?;
        let key = bytes.strip_prefix(&MULTICODEC).ok_or_else(wrong)?;
        key.try_into().map(Self).map_err(|_| wrong())
    }
}

impl Serialize for PublicKey {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        if s.is_human_readable() { s.collect_str(self) } else { s.serialize_bytes(&self.0) }
    }
}

impl<'de> Deserialize<'de> for PublicKey {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        use serde::de::Error as _;
        if d.is_human_readable() {
            return String::deserialize(d)?.parse().map_err(D::Error::custom);
        }
        let bytes = serde_bytes::ByteBuf::deserialize(d)?;
        let array = <[u8; 32]>::try_from(bytes.as_slice())
            .map_err(|_| D::Error::custom(format!("a key has 32 bytes, not {}", bytes.len())))?;
        Ok(Self(array))
    }
}

/// An Ed25519 signature, 64 bytes.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Signature(pub [u8; 64]);

impl fmt::Debug for Signature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Signature({:02x}{:02x}…)", self.0[0], self.0[1])
    }
}

impl Serialize for Signature {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        if s.is_human_readable() {
            s.serialize_str(&bs58::encode(self.0).into_string())
        } else {
            s.serialize_bytes(&self.0)
        }
    }
}

impl<'de> Deserialize<'de> for Signature {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        use serde::de::Error as _;
        let bytes = if d.is_human_readable() {
            let text = String::deserialize(d)?;
            bs58::decode(text).into_vec().map_err(D::Error::custom)?
        } else {
            serde_bytes::ByteBuf::deserialize(d)?.into_vec()
        };
        let array = <[u8; 64]>::try_from(bytes.as_slice()).map_err(|_| {
            D::Error::custom(format!("a signature has 64 bytes, not {}", bytes.len()))
        })?;
        Ok(Self(array))
    }
}

/// A secret key. It is wiped when dropped and never printed.
#[derive(Clone)]
pub struct SecretKey {
    seed: Zeroizing<[u8; 32]>,
    signing: ed::SigningKey,
}

impl SecretKey {
    /// The key of 32 bytes of entropy (RFC 8032, section 5.1.5). Randomness is the caller's.
    pub fn from_seed(seed: [u8; 32]) -> Self {
        Self { seed: Zeroizing::new(seed), signing: ed::SigningKey::from(seed) }
    }

    /// The 32 bytes, for storing them in a file that only its owner reads.
    pub fn seed(&self) -> &[u8; 32] {
        &self.seed
    }

    /// The public half.
    pub fn public(&self) -> PublicKey {
        PublicKey(self.signing.verification_key().into())
    }

    /// Signs bytes as they are. Statements go through [`crate::Signed::new`] instead, which binds
    /// domain, version and network.
    pub fn sign(&self, message: &[u8]) -> Signature {
        Signature(self.signing.sign(message).into())
    }
}

impl fmt::Debug for SecretKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SecretKey(of {})", self.public().short())
    }
}

/// Many signatures checked at once; cheaper than one by one, and never of another opinion.
#[derive(Default)]
pub struct Batch {
    items: Vec<ed::batch::Item>,
}

impl Batch {
    /// Adds one signature to check.
    pub fn add(&mut self, key: PublicKey, message: &[u8], signature: Signature) {
        let key = ed::VerificationKeyBytes::from(key.0);
        self.items.push((key, ed::Signature::from(signature.0), message).into());
    }

    /// How many signatures there are to check.
    pub fn len(&self) -> usize {
        self.items.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    /// Adds the signatures of another batch.
    pub fn append(&mut self, other: &Self) {
        self.items.extend(other.items.iter().cloned());
    }

    /// Whether every signature holds. `random` blinds the check; it does not change the answer.
    pub fn verify<R: rand_core::CryptoRng>(self, random: R) -> bool {
        let mut verifier = ed::batch::Verifier::new();
        for item in self.items {
            verifier.queue(item);
        }
        verifier.verify(random).is_ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_of_a_key_is_its_did_key_and_comes_back() {
        // did:key method specification, test vector of an Ed25519 key.
        let text = "z6MkiTBz1ymuepAQ4HEHYSF1H8quG5GLVVQR3djdX3mDooWp";
        let key: PublicKey = text.parse().expect("a key");
        assert_eq!(key.to_string(), text);
        for wrong in ["", "z", "z6Mk", "x6MkiTBz1ymuepAQ4HEHYSF1H8quG5GLVVQR3djdX3mDooWp"] {
            assert!(wrong.parse::<PublicKey>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_signature_holds_for_its_message_and_key_only() {
        // RFC 8032, section 7.1, test 2.
        let secret = SecretKey::from_seed([
            0x4c, 0xcd, 0x08, 0x9b, 0x28, 0xff, 0x96, 0xda, 0x9d, 0xb6, 0xc3, 0x46, 0xec, 0x11,
            0x4e, 0x0f, 0x5b, 0x8a, 0x31, 0x9f, 0x35, 0xab, 0xa6, 0x24, 0xda, 0x8c, 0xf6, 0xed,
            0x4f, 0xb8, 0xa6, 0xfb,
        ]);
        let signature = secret.sign(&[0x72]);
        assert_eq!(signature.0[..4], [0x92, 0xa0, 0x09, 0xa9]);
        assert!(secret.public().verify(&[0x72], &signature));
        assert!(!secret.public().verify(&[0x73], &signature));
        assert!(!SecretKey::from_seed([1; 32]).public().verify(&[0x72], &signature));
    }

    #[test]
    fn a_secret_never_prints_itself() {
        let secret = SecretKey::from_seed([0xab; 32]);
        assert!(!format!("{secret:?}").contains("abab"));
    }
}
