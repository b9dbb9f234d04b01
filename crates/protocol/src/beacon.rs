//! The beacon: randomness in every header that no proposer chooses.
//!
//! A proposer contributes the output of its verifiable random function (RFC 9381) over the
//! network, the previous beacon and the height; the view does not enter, so proposing again gives
//! the same value. The beacon of a block is the digest of the previous one and that output. A
//! leader can forfeit its turn, and thereby leave the choice to the next leader's fixed output, but
//! not choose.

use crate::{Error, Genesis, Height};
use identity::{Digest, NetworkId, PublicKey, SecretKey, vrf};

/// The beacon of block 0.
pub fn of_genesis(genesis: &Genesis) -> Digest {
    Digest::of("polity beacon", &[genesis.network().0.as_bytes()])
}

/// What the proposer of `height` contributes: its proof, and the beacon that follows.
pub fn contribute(
    key: &SecretKey,
    network: NetworkId,
    previous: &Digest,
    height: Height,
) -> (Vec<u8>, Digest) {
    let input = input(network, previous, height);
    let proof = vrf::prove(key, &input);
    let output = vrf::verify(&key.public(), &input, &proof).expect("our own proof holds");
    (proof.to_vec(), next(previous, &output))
}

/// Checks a contribution and gives the beacon that follows.
///
/// # Errors
/// [`Error::Beacon`].
pub fn check(
    proposer: &PublicKey,
    network: NetworkId,
    previous: &Digest,
    height: Height,
    proof: &[u8],
) -> Result<Digest, Error> {
    let output = vrf::verify(proposer, &input(network, previous, height), proof)
        .map_err(|_| Error::Beacon { height, proposer: *proposer })?;
    Ok(next(previous, &output))
}

fn input(network: NetworkId, previous: &Digest, height: Height) -> Vec<u8> {
    let mut bytes = b"polity beacon".to_vec();
    bytes.extend(network.0.as_bytes());
    bytes.extend(previous.as_bytes());
    bytes.extend(height.0.to_be_bytes());
    bytes
}

fn next(previous: &Digest, output: &vrf::Output) -> Digest {
    Digest::of("polity beacon", &[previous.as_bytes(), output])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_proposer_has_one_contribution() {
        let key = SecretKey::from_seed([5; 32]);
        let network = NetworkId(Digest([1; 32]));
        let previous = Digest([2; 32]);
        let (proof, beacon) = contribute(&key, network, &previous, Height(7));
        assert_eq!(contribute(&key, network, &previous, Height(7)).1, beacon);
        let public = key.public();
        assert_eq!(check(&public, network, &previous, Height(7), &proof), Ok(beacon));
        assert!(check(&public, network, &previous, Height(8), &proof).is_err());
        let other = SecretKey::from_seed([6; 32]).public();
        assert!(check(&other, network, &previous, Height(7), &proof).is_err());
    }
}
