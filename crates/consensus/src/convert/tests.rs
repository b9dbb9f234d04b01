//! Holds our certificate and our rule of verification equal to the engine's.

use super::*;
use crate::tests::{keys, settings};
use commonware_codec::Encode;
use commonware_consensus::simplex::types::Finalize;
use commonware_cryptography::{Verifier, certificate::Scheme as _};
use commonware_parallel::Sequential;
use commonware_utils::{non_empty, union_unique};
use curve25519_dalek::{constants::EIGHT_TORSION, edwards::CompressedEdwardsY, scalar::Scalar};
use identity::NetworkId;
use protocol::CertificateError;
use sha2::{Digest as _, Sha512};

fn finalize(validators: usize, signers: &[usize], view: u64) -> (Settings, Finalized) {
    let settings = settings(validators);
    let schemes: Vec<_> =
        keys(validators).iter().map(|key| scheme(&settings, key).unwrap()).collect();
    let round = Round::new(Epoch::new(0), View::new(view));
    let proposal = Proposal::new(round, View::new(view - 1), sha256::Digest([7; 32]));
    let votes: Vec<_> = signers
        .iter()
        .map(|&signer| Finalize::sign(&schemes[signer], proposal.clone()).unwrap())
        .collect();
    let finalization = Finalization::from_finalizes(&schemes[0], non_empty![@&votes], &Sequential)
        .expect("a quorum");
    (settings, finalization)
}

#[test]
fn a_certificate_of_the_engine_is_ours_whatever_the_set_and_the_view() {
    for (validators, signers) in
        [(1, &[0][..]), (4, &[0, 1, 2]), (4, &[3, 1, 0]), (4, &[0, 1, 2, 3]), (7, &[6, 5, 4, 3, 1])]
    {
        for view in [1, 127, 128, 300, 1 << 40, u64::MAX] {
            let (settings, finalization) = finalize(validators, signers, view);
            let ours = certificate(&finalization);
            assert_eq!(ours.verify(settings.network, &settings.validators), Ok(()));
            assert_eq!(ours.signatures.len(), signers.len());
            assert_eq!((ours.view, ours.parent_view), (view, view - 1));
            let message = ours.signing_bytes(settings.network);
            assert_eq!(super::finalization(&ours, validators), finalization, "and back");
            let space = [Certificate::namespace(settings.network), b"_FINALIZE".to_vec()].concat();
            assert_eq!(message, union_unique(&space, &finalization.proposal.encode()));
        }
    }
}

#[test]
fn every_flipped_bit_of_a_certificate_is_refused() {
    let (settings, finalization) = finalize(4, &[0, 1, 3], 300);
    let bytes = identity::canonical::encode(&certificate(&finalization));
    for bit in 0..bytes.len() * 8 {
        let mut flipped = bytes.clone();
        flipped[bit / 8] ^= 1 << (bit % 8);
        let read = identity::canonical::decode::<Certificate>(&flipped, flipped.len());
        let holds = read.is_ok_and(|c| c.verify(settings.network, &settings.validators).is_ok());
        assert!(!holds, "bit {bit}");
    }
}

#[test]
fn the_engine_and_we_refuse_the_same_certificates() {
    let (settings, finalization) = finalize(4, &[0, 1, 2], 9);
    let own = scheme(&settings, &keys(4)[0]).unwrap();
    let mut random = commonware_utils::test_rng();
    let mut check = |changed: &Finalized| {
        let theirs = changed.verify(&mut random, &own, &Sequential);
        let ours = certificate(changed).verify(settings.network, &settings.validators);
        assert_eq!(theirs, ours.is_ok(), "{ours:?}");
        ours
    };
    assert_eq!(check(&finalization), Ok(()));
    let mut short = finalization.clone();
    short.certificate.signatures.pop();
    short.certificate.signers = Signers::new(4, [0, 1].map(Participant::new)).unwrap();
    assert_eq!(check(&short), Err(CertificateError::Quorum { signers: 2, quorum: 3 }));
    let mut swapped = finalization.clone();
    swapped.certificate.signatures.swap(0, 1);
    assert!(matches!(check(&swapped), Err(CertificateError::Signature { signer: 0, .. })));
    let mut elsewhere = finalization.clone();
    elsewhere.proposal.payload.0[0] ^= 1;
    assert!(check(&elsewhere).is_err());
    let ours = certificate(&finalization);
    let foreign = NetworkId(identity::Digest([9; 32]));
    assert!(ours.verify(foreign, &settings.validators).is_err());
    let mut twice = ours;
    twice.signatures[1] = twice.signatures[0];
    let refused = twice.verify(settings.network, &settings.validators);
    assert_eq!(refused, Err(CertificateError::Order(0)));
}

#[test]
fn a_quorum_is_the_engines() {
    for validators in 1..=32 {
        let participants = super::validators(&settings(validators)).unwrap();
        let theirs =
            commonware_utils::ordered::Quorum::quorum::<commonware_utils::N3f1>(&participants);
        assert_eq!(Certificate::quorum(validators), theirs as usize, "{validators}");
    }
}

#[test]
fn only_a_validator_gets_a_scheme_and_its_place_is_ours() {
    let settings = settings(4);
    for (place, key) in keys(4).iter().enumerate() {
        let me = scheme(&settings, key).unwrap().me().and_then(|me| me.signer());
        assert_eq!(me.map(|me| me.get() as usize), Some(place));
    }
    let stranger = SecretKey::from_seed([99; 32]);
    assert!(matches!(scheme(&settings, &stranger), Err(Error::NotAValidator(_))));
}

/// Ours and the engine's answer for one signature over one message, which must be equal. The
/// engine always signs under a namespace, so the message begins with an empty one.
fn both(key: [u8; 32], message: &[u8], signature: [u8; 64]) -> bool {
    let framed = union_unique(b"", message);
    let ours = PublicKey(key).verify(&framed, &Signature(signature));
    let theirs = Key::decode(Copying(&key)).is_ok_and(|key| {
        let signature = ed25519::Signature::decode(Copying(&signature)).expect("64 bytes");
        key.verify(b"", message, &signature)
    });
    assert_eq!(ours, theirs, "key {key:02x?} signature {signature:02x?}");
    ours
}

/// Encodings of the points of small order, those with a coordinate past the field's prime (or a
/// sign bit on zero) included: ZIP-215 accepts them all.
fn small_order() -> Vec<[u8; 32]> {
    let mut encodings: Vec<[u8; 32]> = Vec::new();
    for point in EIGHT_TORSION {
        let canonical = point.compress().to_bytes();
        for sign in [0, 0x80] {
            // y, and y + p where that still fits into 255 bits (p = 2^255 - 19).
            let mut plain = canonical;
            plain[31] = (plain[31] & 0x7f) | sign;
            encodings.push(plain);
            let small = plain[1..31].iter().all(|b| *b == 0) && plain[31] & 0x7f == 0;
            if small && plain[0] < 19 {
                let mut wide = [0xff; 32];
                wide[0] = 0xed + plain[0];
                wide[31] = 0x7f | sign;
                encodings.push(wide);
            }
        }
    }
    encodings.retain(|bytes| CompressedEdwardsY(*bytes).decompress().is_some());
    encodings.sort_unstable();
    encodings.dedup();
    encodings
}

#[test]
fn small_order_points_and_odd_encodings_get_one_answer() {
    let points = small_order();
    assert!(points.len() >= 14, "{}", points.len());
    let mut held = 0;
    for key in &points {
        for r in &points {
            let mut signature = [0; 64];
            signature[..32].copy_from_slice(r);
            held += usize::from(both(*key, b"Zcash", signature));
        }
    }
    // With s = 0 every equation is one of small order, and the cofactor makes it hold.
    assert_eq!(held, points.len() * points.len());
}

#[test]
fn a_scalar_out_of_range_and_a_key_off_the_curve_get_one_answer() {
    let secret = SecretKey::from_seed([5; 32]);
    let key = secret.public().0;
    let signature = secret.sign(&union_unique(b"", b"m")).0;
    assert!(both(key, b"m", signature));
    // s + l is the same scalar, but not in range (l is the group's order).
    let order: [u8; 32] = (Scalar::ZERO - Scalar::ONE).to_bytes();
    let mut wide = signature;
    let mut carry = 1_u16;
    for (byte, add) in wide[32..].iter_mut().zip(order) {
        let sum = u16::from(*byte) + u16::from(add) + carry;
        *byte = sum as u8;
        carry = sum >> 8;
    }
    assert!(!both(key, b"m", wide));
    for bit in 0..512 {
        let mut flipped = signature;
        flipped[bit / 8] ^= 1 << (bit % 8);
        assert!(!both(key, b"m", flipped), "bit {bit}");
    }
    for byte in 0..=255 {
        let mut other = key;
        other[0] = byte;
        both(other, b"m", signature);
    }
}

#[test]
fn a_torsion_component_gets_one_answer() {
    // A key and a nonce point each moved by a point of order eight: the plain equation fails, the
    // cofactored one of ZIP-215 holds.
    let (a, r) = (Scalar::from(1_234_567_u64), Scalar::from(7_654_321_u64));
    let base = curve25519_dalek::constants::ED25519_BASEPOINT_POINT;
    for (i, torsion) in EIGHT_TORSION.iter().enumerate() {
        let key = (base * a + torsion).compress().to_bytes();
        let nonce = (base * r + EIGHT_TORSION[(i + 3) % 8]).compress().to_bytes();
        let message = union_unique(b"", b"m");
        let hash = Sha512::new().chain_update(nonce).chain_update(key).chain_update(&message);
        let k = Scalar::from_bytes_mod_order_wide(&hash.finalize().into());
        let mut signature = [0; 64];
        signature[..32].copy_from_slice(&nonce);
        signature[32..].copy_from_slice((r + k * a).as_bytes());
        assert!(both(key, b"m", signature), "{i}");
    }
}
