//! Many signatures checked at once, under the same rule as one.
//!
//! One signature holds if `[8](sB - R - kA)` is zero (ZIP-215). A batch holds if a sum of these is,
//! each times a number of 128 bits of its own. All of them lie in the group of prime order once
//! they are multiplied by 8, so that a sum of terms of which one is not zero is zero with a chance
//! of 2^-128, whoever made the signatures: the numbers follow from all of them together.

use crate::{PublicKey, Signature};
use ed25519_zebra as ed;
use rand_core::{TryCryptoRng, TryRng};
use sha2::{Digest as _, Sha512};
use std::convert::Infallible;

/// Signatures that are checked together; several times cheaper than one by one, above all where
/// few keys signed them, and never of another opinion.
#[derive(Default)]
pub struct Batch {
    items: Vec<ed::batch::Item>,
    /// Everything that was added.
    said: Sha512,
}

impl Batch {
    /// Adds one signature to check.
    pub fn add(&mut self, key: &PublicKey, message: &[u8], signature: &Signature) {
        self.said.update(key.0);
        self.said.update(signature.0);
        self.said.update((message.len() as u64).to_be_bytes());
        self.said.update(message);
        let key = ed::VerificationKeyBytes::from(key.0);
        self.items.push((key, ed::Signature::from(signature.0), message).into());
    }

    /// Adds what is in another one.
    pub fn append(&mut self, other: &Self) {
        self.said.update(other.said.clone().finalize());
        self.items.extend(other.items.iter().cloned());
    }

    /// How many signatures there are to check.
    pub fn len(&self) -> usize {
        self.items.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    /// Whether every signature holds.
    pub fn holds(self) -> bool {
        let mut verifier = ed::batch::Verifier::new();
        for item in self.items {
            verifier.queue(item);
        }
        verifier.verify(Blinding::of(self.said)).is_ok()
    }
}

/// Numbers that nobody knows before all signatures are there, and that follow from them: whoever
/// checks the same signatures gets the same answer.
struct Blinding {
    seed: Sha512,
    count: u64,
    left: Vec<u8>,
}

impl Blinding {
    fn of(said: Sha512) -> Self {
        let seed = Sha512::new().chain_update(b"polity batch").chain_update(said.finalize());
        Self { seed, count: 0, left: Vec::new() }
    }
}

impl TryRng for Blinding {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        let mut bytes = [0; 4];
        self.try_fill_bytes(&mut bytes)?;
        Ok(u32::from_le_bytes(bytes))
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        let mut bytes = [0; 8];
        self.try_fill_bytes(&mut bytes)?;
        Ok(u64::from_le_bytes(bytes))
    }

    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), Infallible> {
        while self.left.len() < bytes.len() {
            let block = self.seed.clone().chain_update(self.count.to_be_bytes());
            self.left.extend(block.finalize());
            self.count += 1;
        }
        bytes.copy_from_slice(&self.left[..bytes.len()]);
        self.left.drain(..bytes.len());
        Ok(())
    }
}

impl TryCryptoRng for Blinding {}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::SecretKey;
    use curve25519_dalek::{constants::EIGHT_TORSION, edwards::CompressedEdwardsY};

    type Case = (PublicKey, Vec<u8>, Signature);

    fn holds(cases: &[Case]) -> bool {
        let mut batch = Batch::default();
        cases.iter().for_each(|(key, message, signature)| batch.add(key, message, signature));
        batch.holds()
    }

    fn signed(count: u8) -> Vec<Case> {
        let sign = |n: u8| {
            let key = SecretKey::from_seed([n % 3; 32]);
            (key.public(), vec![n; usize::from(n)], key.sign(&vec![n; usize::from(n)]))
        };
        (0..count).map(sign).collect()
    }

    #[test]
    fn it_holds_if_every_signature_does() {
        for count in [0, 1, 2, 40] {
            assert!(holds(&signed(count)), "{count}");
        }
    }

    #[test]
    fn every_flipped_bit_of_one_signature_or_key_is_refused_among_others() {
        let good = signed(8);
        for bit in 0..96 * 8 {
            let mut wrong = good.clone();
            let (key, _, signature) = &mut wrong[5];
            match bit / 8 {
                at @ 0..64 => signature.0[at] ^= 1 << (bit % 8),
                at => key.0[at - 64] ^= 1 << (bit % 8),
            }
            assert!(!wrong[5].0.verify(&wrong[5].1, &wrong[5].2), "bit {bit}");
            assert!(!holds(&wrong), "bit {bit}");
        }
    }

    /// Two wrong signatures whose faults cancel out in a sum without blinding.
    #[test]
    fn faults_that_would_cancel_out_are_refused() {
        let mut cases = signed(2);
        let scalar = |s: &Signature| {
            let bytes = s.0[32..].try_into().expect("32 bytes");
            curve25519_dalek::Scalar::from_bytes_mod_order(bytes)
        };
        let one = curve25519_dalek::Scalar::ONE;
        let (more, less) = (scalar(&cases[0].2) + one, scalar(&cases[1].2) - one);
        cases[0].2.0[32..].copy_from_slice(more.as_bytes());
        cases[1].2.0[32..].copy_from_slice(less.as_bytes());
        assert!(!holds(&cases));
    }

    /// Keys and nonces of small order, in every encoding that decodes: where rules of Ed25519
    /// differ. All 196 pairs of ZIP-215 hold singly, and so they do in a batch.
    #[test]
    fn what_rules_of_ed25519_disagree_on_is_the_same_singly_and_together() {
        let mut encodings: Vec<[u8; 32]> =
            EIGHT_TORSION.iter().map(|point| point.compress().0).collect();
        // The encodings of y = p - 1, 0 and 1 that are not canonical, with either sign.
        for low in [0xec_u8, 0xed, 0xee] {
            for high in [0x7f_u8, 0xff] {
                let mut bytes = [0xff; 32];
                (bytes[0], bytes[31]) = (low, high);
                encodings.push(bytes);
            }
        }
        let mut one = [0; 32];
        (one[0], one[31]) = (1, 0x80);
        encodings.push(one);
        encodings.retain(|bytes| CompressedEdwardsY(*bytes).decompress().is_some());
        encodings.sort_unstable();
        encodings.dedup();
        assert_eq!(encodings.len(), 14, "as many as ZIP-215 lists");
        for key in &encodings {
            for nonce in &encodings {
                let mut signature = Signature([0; 64]);
                signature.0[..32].copy_from_slice(nonce);
                let case = (PublicKey(*key), b"Zcash".to_vec(), signature);
                assert!(case.0.verify(&case.1, &case.2), "{key:x?} {nonce:x?}");
                assert!(holds(std::slice::from_ref(&case)), "{key:x?} {nonce:x?}");
                assert!(holds(&[signed(3), vec![case]].concat()), "{key:x?} {nonce:x?}");
            }
        }
    }
}
