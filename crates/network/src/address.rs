//! Names and places of peers: our keys as libp2p's peer ids, and addresses as text.

use crate::{Error, config::multiaddr};
use identity::{PublicKey, SecretKey};
use libp2p::{Multiaddr, PeerId, identity::Keypair, multiaddr::Protocol};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::{fmt, net::IpAddr, str::FromStr};

/// What stands before the 32 bytes of an Ed25519 key in a peer id: a multihash of code 0
/// (identity) and 36 bytes, which are the protobuf message `{ type: 1, data: 32 bytes }`.
/// Source: libp2p specification, "Peer Ids and Keys".
const INLINED: [u8; 6] = [0x00, 0x24, 0x08, 0x01, 0x12, 0x20];

/// Addresses kept of one peer.
pub(crate) const MAX_ADDRESSES: usize = 16;

/// Where a peer is: its key and a multiaddr. The text is `/ip4/…/udp/…/quic-v1/p2p/12D3Koo…`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Address {
    /// The peer.
    pub peer: PublicKey,
    /// The multiaddr without the peer, as text; what [`protocol::port::Streams::know`] takes.
    pub at: String,
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/p2p/{}", self.at, peer_id(&self.peer))
    }
}

impl FromStr for Address {
    type Err = Error;
    fn from_str(text: &str) -> Result<Self, Error> {
        let wrong = |reason: &str| Error::Address {
            address: text.chars().take(200).collect(),
            reason: reason.into(),
        };
        let mut at = multiaddr(text)?;
        let Some(Protocol::P2p(id)) = at.pop() else {
            return Err(wrong("it does not end in /p2p/ and the peer's id"));
        };
        let peer = public_key(&id).ok_or_else(|| wrong("the peer's id holds no Ed25519 key"))?;
        if at.is_empty() {
            return Err(wrong("it names a peer but no place"));
        }
        Ok(Self { peer, at: at.to_string() })
    }
}

impl Serialize for Address {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Address {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        String::deserialize(d)?.parse().map_err(serde::de::Error::custom)
    }
}

/// The peer id of a key: the key itself in a wrapping.
pub(crate) fn peer_id(key: &PublicKey) -> PeerId {
    let mut bytes = INLINED.to_vec();
    bytes.extend(key.0);
    PeerId::from_bytes(&bytes).expect("36 bytes under the identity code are a peer id")
}

/// The key that a peer id holds; `None` if it is of another kind.
pub(crate) fn public_key(id: &PeerId) -> Option<PublicKey> {
    let bytes = id.to_bytes();
    bytes.strip_prefix(&INLINED)?.try_into().ok().map(PublicKey)
}

/// The same secret as libp2p wants it.
pub(crate) fn keypair(key: &SecretKey) -> Keypair {
    // The copy is wiped by the call.
    Keypair::ed25519_from_bytes(*key.seed()).expect("any 32 bytes are an Ed25519 seed")
}

/// The address without a peer at its end.
pub(crate) fn without_peer(mut address: Multiaddr) -> Multiaddr {
    if matches!(address.iter().last(), Some(Protocol::P2p(_))) {
        address.pop();
    }
    address
}

/// Whether the address is of this machine's own inner interface.
pub(crate) fn is_loopback(address: &Multiaddr) -> bool {
    match address.iter().next() {
        Some(Protocol::Ip4(ip)) => ip.is_loopback(),
        Some(Protocol::Ip6(ip)) => ip.is_loopback(),
        _ => false,
    }
}

/// Whether the address speaks QUIC.
pub(crate) fn is_quic(address: &Multiaddr) -> bool {
    address.iter().any(|part| matches!(part, Protocol::QuicV1))
}

/// The socket of an address that names one: the IP, the port, and whether it is UDP.
pub(crate) fn socket(address: &Multiaddr) -> Option<(IpAddr, u16, bool)> {
    let mut parts = address.iter();
    let ip = match parts.next()? {
        Protocol::Ip4(ip) => IpAddr::V4(ip),
        Protocol::Ip6(ip) => IpAddr::V6(ip),
        _ => return None,
    };
    match parts.next()? {
        Protocol::Udp(port) => Some((ip, port, true)),
        Protocol::Tcp(port) => Some((ip, port, false)),
        _ => None,
    }
}

/// What of `claimed` to believe about a peer: at most [`MAX_ADDRESSES`] that name a port, and
/// those of an inner interface only from a neighbour on this machine. For anybody else they would
/// lead to a stranger here.
pub(crate) fn believable(
    claimed: impl IntoIterator<Item = Multiaddr>,
    from_loopback: bool,
) -> Vec<Multiaddr> {
    let mut kept: Vec<Multiaddr> = Vec::new();
    for address in claimed {
        let address = without_peer(address);
        let usable = address.iter().any(|part| matches!(part, Protocol::Udp(_) | Protocol::Tcp(_)));
        if kept.len() == MAX_ADDRESSES {
            break;
        }
        if usable && (from_loopback || !is_loopback(&address)) && !kept.contains(&address) {
            kept.push(address);
        }
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_its_peer_id_and_comes_back() {
        let secret = SecretKey::from_seed([9; 32]);
        let id = peer_id(&secret.public());
        assert_eq!(id, keypair(&secret).public().to_peer_id());
        assert_eq!(public_key(&id), Some(secret.public()));
        assert!(id.to_string().starts_with("12D3Koo"));
    }

    #[test]
    fn an_address_survives_its_text() {
        let peer = SecretKey::from_seed([9; 32]).public();
        let address = Address { peer, at: "/ip4/10.0.0.1/udp/4870/quic-v1".into() };
        assert_eq!(address.to_string().parse(), Ok(address));
    }

    #[test]
    fn a_text_without_peer_or_place_is_refused() {
        let id = peer_id(&SecretKey::from_seed([9; 32]).public());
        for wrong in [
            "/ip4/10.0.0.1/tcp/1".to_string(),
            format!("/p2p/{id}"),
            "/ip4/10.0.0.1/tcp/1/p2p/QmYyQSo1c1Ym7orWxLYvCrM2EmxFTANf8wXmmE7DWjhx5N".to_string(),
            "10.0.0.1:4870".to_string(),
        ] {
            assert!(wrong.parse::<Address>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn an_inner_address_is_believed_of_a_neighbour_only() {
        let claimed = ["/ip4/127.0.0.1/tcp/1", "/ip4/10.0.0.1/tcp/1", "/ip4/10.0.0.1"]
            .map(|text| text.parse::<Multiaddr>().expect("an address"));
        assert_eq!(believable(claimed.clone(), false), claimed[1..2]);
        assert_eq!(believable(claimed.clone(), true), claimed[..2]);
    }
}
