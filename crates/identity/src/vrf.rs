//! The verifiable random function behind the beacon.
//!
//! ECVRF-EDWARDS25519-SHA512-TAI of RFC 9381 (suite 3): for one key and one input there is exactly
//! one output, and its proof shows that it is the one. A block's proposer can therefore withhold
//! its contribution to the beacon, but not choose it.

use crate::{Error, PublicKey, SecretKey};
use curve25519_dalek::{
    constants::ED25519_BASEPOINT_TABLE,
    edwards::{CompressedEdwardsY, EdwardsPoint},
    scalar::{Scalar, clamp_integer},
    traits::IsIdentity,
};
use sha2::{Digest as _, Sha512};

const SUITE: u8 = 3;
/// Bytes of a proof: Gamma (32), challenge (16), response (32).
pub const PROOF_BYTES: usize = 80;

/// The output of the function, 64 bytes.
pub type Output = [u8; 64];

/// Proves the output for `input` (RFC 9381, section 5.1).
pub fn prove(key: &SecretKey, input: &[u8]) -> [u8; PROOF_BYTES] {
    let expanded = Sha512::digest(key.seed());
    let mut low = [0; 32];
    low.copy_from_slice(&expanded[..32]);
    let x = Scalar::from_bytes_mod_order(clamp_integer(low));
    let public = key.public();
    let h = encode_to_curve(&public, input).expect("a curve point within 256 tries");
    let gamma = h * x;
    let nonce = Sha512::new().chain_update(&expanded[32..]).chain_update(h.compress().0).finalize();
    let k = Scalar::from_bytes_mod_order_wide(&nonce.into());
    let c = challenge(&public, &h, &gamma, &(ED25519_BASEPOINT_TABLE * &k), &(h * k));
    let s = k + scalar_of(&c) * x;
    let mut proof = [0; PROOF_BYTES];
    proof[..32].copy_from_slice(&gamma.compress().0);
    proof[32..48].copy_from_slice(&c);
    proof[48..].copy_from_slice(s.as_bytes());
    proof
}

/// Checks a proof and gives the output (RFC 9381, sections 5.2 and 5.3, with key validation).
///
/// # Errors
/// [`Error::Vrf`] if the key is of small order, or the proof does not hold.
pub fn verify(key: &PublicKey, input: &[u8], proof: &[u8]) -> Result<Output, Error> {
    let y = point_of(&key.0).filter(|y| !y.is_small_order()).ok_or(Error::Vrf)?;
    let proof: &[u8; PROOF_BYTES] = proof.try_into().map_err(|_| Error::Vrf)?;
    let (gamma, rest) = proof.split_at(32);
    let (c, s) = rest.split_at(16);
    let gamma = point_of(gamma).ok_or(Error::Vrf)?;
    let s: [u8; 32] = s.try_into().map_err(|_| Error::Vrf)?;
    let s = Option::<Scalar>::from(Scalar::from_canonical_bytes(s)).ok_or(Error::Vrf)?;
    let h = encode_to_curve(key, input).ok_or(Error::Vrf)?;
    let e = scalar_of(c);
    let u = ED25519_BASEPOINT_TABLE * &s - y * e;
    let v = h * s - gamma * e;
    if challenge(key, &h, &gamma, &u, &v) != c { Err(Error::Vrf) } else { Ok(output_of(&gamma)) }
}

fn output_of(gamma: &EdwardsPoint) -> Output {
    Sha512::new()
        .chain_update([SUITE, 3])
        .chain_update(gamma.mul_by_cofactor().compress().0)
        .chain_update([0])
        .finalize()
        .into()
}

/// Section 5.4.1.1, try and increment.
fn encode_to_curve(key: &PublicKey, input: &[u8]) -> Option<EdwardsPoint> {
    (0..=255u8).find_map(|counter| {
        let hash = Sha512::new()
            .chain_update([SUITE, 1])
            .chain_update(key.0)
            .chain_update(input)
            .chain_update([counter, 0])
            .finalize();
        point_of(&hash[..32]).map(|p| p.mul_by_cofactor()).filter(|p| !p.is_identity())
    })
}

/// Section 5.4.3.
fn challenge(
    key: &PublicKey,
    h: &EdwardsPoint,
    gamma: &EdwardsPoint,
    u: &EdwardsPoint,
    v: &EdwardsPoint,
) -> [u8; 16] {
    let mut hash = Sha512::new().chain_update([SUITE, 2]).chain_update(key.0);
    for point in [h, gamma, u, v] {
        hash.update(point.compress().0);
    }
    hash.update([0]);
    let mut c = [0; 16];
    c.copy_from_slice(&hash.finalize()[..16]);
    c
}

fn scalar_of(c: &[u8]) -> Scalar {
    let mut bytes = [0; 32];
    bytes[..16].copy_from_slice(c);
    Scalar::from_bytes_mod_order(bytes)
}

/// A point from its one canonical encoding (RFC 8032, section 5.1.3).
fn point_of(bytes: &[u8]) -> Option<EdwardsPoint> {
    let compressed = CompressedEdwardsY::from_slice(bytes).ok()?;
    compressed.decompress().filter(|point| point.compress() == compressed)
}

#[cfg(test)]
mod tests {
    use super::*;
    use data_encoding::HEXLOWER_PERMISSIVE as HEX;

    /// RFC 9381, appendix B.3, examples 16 to 18.
    const VECTORS: [[&str; 4]; 3] = [
        [
            "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
            "",
            "8657106690b5526245a92b003bb079ccd1a92130477671f6fc01ad16f26f723f\
             26f8a57ccaed74ee1b190bed1f479d9727d2d0f9b005a6e456a35d4fb0daab12\
             68a1b0db10836d9826a528ca76567805",
            "90cf1df3b703cce59e2a35b925d411164068269d7b2d29f3301c03dd757876ff\
             66b71dda49d2de59d03450451af026798e8f81cd2e333de5cdf4f3e140fdd8ae",
        ],
        [
            "4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
            "72",
            "f3141cd382dc42909d19ec5110469e4feae18300e94f304590abdced48aed593\
             3bf0864a62558b3ed7f2fea45c92a465301b3bbf5e3e54ddf2d935be3b67926d\
             a3ef39226bbc355bdc9850112c8f4b02",
            "eb4440665d3891d668e7e0fcaf587f1b4bd7fbfe99d0eb2211ccec90496310eb\
             5e33821bc613efb94db5e5b54c70a848a0bef4553a41befc57663b56373a5031",
        ],
        [
            "c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7",
            "af82",
            "9bc0f79119cc5604bf02d23b4caede71393cedfbb191434dd016d30177ccbf80\
             96bb474e53895c362d8628ee9f9ea3c0e52c7a5c691b6c18c9979866568add7a\
             2d41b00b05081ed0f58ee5e31b3a970e",
            "645427e5d00c62a23fb703732fa5d892940935942101e456ecca7bb217c61c45\
             2118fec1219202a0edcf038bb6373241578be7217ba85a2687f7a0310b2df19f",
        ],
    ];

    fn hex(text: &str) -> Vec<u8> {
        HEX.decode(text.replace(' ', "").as_bytes()).expect("hex")
    }

    #[test]
    fn agrees_with_the_vectors_of_the_rfc() {
        for [secret, input, proof, output] in VECTORS {
            let key = SecretKey::from_seed(hex(secret).try_into().expect("32 bytes"));
            let proved = prove(&key, &hex(input));
            assert_eq!(proved.to_vec(), hex(proof));
            let out = verify(&key.public(), &hex(input), &proved).expect("holds");
            assert_eq!(out.to_vec(), hex(output));
        }
    }

    #[test]
    fn every_flipped_bit_of_a_proof_is_refused() {
        let key = SecretKey::from_seed([3; 32]);
        let proof = prove(&key, b"height 7");
        for bit in 0..PROOF_BYTES * 8 {
            let mut wrong = proof;
            wrong[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(verify(&key.public(), b"height 7", &wrong), Err(Error::Vrf), "bit {bit}");
        }
        assert!(verify(&key.public(), b"height 8", &proof).is_err());
    }

    #[test]
    fn a_key_of_small_order_is_refused() {
        let mut identity = [0; 32];
        identity[0] = 1;
        let proof = prove(&SecretKey::from_seed([3; 32]), b"x");
        assert_eq!(verify(&PublicKey(identity), b"x", &proof), Err(Error::Vrf));
    }
}
