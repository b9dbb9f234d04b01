//! Lines of text that people hand to each other: to found a polity, to join one.
//!
//! A line is a word that says what it is, `1` for the version, and base32 (RFC 4648, lower case,
//! no padding) of canonical DAG-CBOR followed by the first four bytes of its SHA-256, so that a
//! line that was not copied whole is told from one that is wrong.

use data_encoding::BASE32_NOPAD;
use identity::{Digest, NetworkId, PublicKey, SecretKey, Signed, canonical};
use protocol::{Founder, Genesis, Invitation, limits};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::DeserializeOwned};
use std::{fmt, str::FromStr};
use zeroize::{Zeroize, Zeroizing};

const CHECK_BYTES: usize = 4;

/// Why a line cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LineError {
    /// It does not begin like one.
    #[error("this is no {noun}: it should begin with {prefix}")]
    Prefix {
        /// What was expected.
        noun: &'static str,
        /// How it begins.
        prefix: &'static str,
    },
    /// Characters are missing or changed.
    #[error("the {0} was not copied whole; copy it again, as one line")]
    Damaged(&'static str),
    /// It is whole, but what it says is wrong.
    #[error("the {noun} does not hold: {reason}")]
    Wrong {
        /// What was expected.
        noun: &'static str,
        /// What is wrong with it.
        reason: String,
    },
}

/// How a line is called and how it begins.
struct Kind {
    noun: &'static str,
    prefix: &'static str,
}

const FOUNDING: Kind = Kind { noun: "founding line", prefix: "polityfound1" };
const JOIN: Kind = Kind { noun: "join line", prefix: "polityjoin1" };

impl Kind {
    fn write<T: Serialize>(&self, value: &T) -> String {
        let mut bytes = Zeroizing::new(canonical::encode(value));
        let check = Digest::plain(&bytes);
        bytes.extend(&check.as_bytes()[..CHECK_BYTES]);
        format!("{}{}", self.prefix, BASE32_NOPAD.encode(&bytes).to_ascii_lowercase())
    }

    fn read<T: Serialize + DeserializeOwned>(&self, text: &str) -> Result<T, LineError> {
        let damaged = || LineError::Damaged(self.noun);
        let rest = text
            .trim()
            .strip_prefix(self.prefix)
            .ok_or(LineError::Prefix { noun: self.noun, prefix: self.prefix })?;
        if rest.len() > 2 * limits::GENESIS_BYTES {
            return Err(damaged());
        }
        let bytes = BASE32_NOPAD
            .decode(rest.to_ascii_uppercase().as_bytes())
            .map(Zeroizing::new)
            .map_err(|_| damaged())?;
        let at = bytes.len().checked_sub(CHECK_BYTES).ok_or_else(damaged)?;
        let (content, check) = bytes.split_at(at);
        if Digest::plain(content).as_bytes()[..CHECK_BYTES] != *check {
            return Err(damaged());
        }
        canonical::decode(content, 2 * limits::GENESIS_BYTES).map_err(|e| self.wrong(e))
    }

    fn wrong(&self, reason: impl ToString) -> LineError {
        LineError::Wrong { noun: self.noun, reason: reason.to_string() }
    }
}

/// What an owner hands to whoever writes the genesis. It holds no secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FoundingLine(pub Signed<Founder>);

impl fmt::Display for FoundingLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&FOUNDING.write(&self.0))
    }
}

impl FromStr for FoundingLine {
    type Err = LineError;
    fn from_str(text: &str) -> Result<Self, LineError> {
        let founder: Signed<Founder> = FOUNDING.read(text)?;
        founder.check(NetworkId::FOUNDING).map_err(|e| FOUNDING.wrong(e))?;
        Ok(Self(founder))
    }
}

/// A node that a newcomer can ask first.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KnownPeer {
    /// The node.
    pub node: PublicKey,
    /// Where it is: multiaddr texts.
    pub addresses: Vec<String>,
}

/// What a newcomer needs. It holds a secret: whoever has the line can join, once.
#[derive(Clone)]
pub struct JoinLine {
    /// The network's genesis.
    pub genesis: Genesis,
    /// The sponsor's invitation of the key below.
    pub invitation: Signed<Invitation>,
    /// The one-time key.
    pub key: SecretKey,
    /// Some nodes that are there now.
    pub peers: Vec<KnownPeer>,
}

/// The bytes of a [`JoinLine`].
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct JoinBytes {
    genesis: Genesis,
    invitation: Signed<Invitation>,
    seed: Digest,
    peers: Vec<KnownPeer>,
}

impl fmt::Display for JoinLine {
    /// The whole line, with its secret.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut bytes = JoinBytes {
            genesis: self.genesis.clone(),
            invitation: self.invitation.clone(),
            seed: Digest(*self.key.seed()),
            peers: self.peers.clone(),
        };
        let text = Zeroizing::new(JOIN.write(&bytes));
        bytes.seed.0.zeroize();
        f.write_str(&text)
    }
}

impl fmt::Debug for JoinLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JoinLine")
            .field("network", &self.genesis.network())
            .field("invitation", &self.invitation.payload)
            .finish_non_exhaustive()
    }
}

impl FromStr for JoinLine {
    type Err = LineError;
    fn from_str(text: &str) -> Result<Self, LineError> {
        let mut bytes: JoinBytes = JOIN.read(text)?;
        let key = SecretKey::from_seed(bytes.seed.0);
        bytes.seed.0.zeroize();
        // A genesis is whole only if it passes its own reader.
        let genesis = Genesis::decode(&bytes.genesis.encode()).map_err(|e| JOIN.wrong(e))?;
        bytes.invitation.check(genesis.network()).map_err(|e| JOIN.wrong(e))?;
        if bytes.invitation.payload.key != key.public() {
            return Err(JOIN.wrong("the one-time key is another invitation's"));
        }
        let many = |peer: &KnownPeer| {
            peer.addresses.len() > 8 || peer.addresses.iter().any(|a| a.len() > 256)
        };
        if bytes.peers.len() > 16 || bytes.peers.iter().any(many) {
            return Err(JOIN.wrong("it names too many peers or addresses"));
        }
        Ok(Self { genesis, invitation: bytes.invitation, key, peers: bytes.peers })
    }
}

impl Serialize for JoinLine {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for JoinLine {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        Zeroizing::new(String::deserialize(d)?).parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use objects::{Cid, Codec};
    use protocol::{InvitationKind, Job, Limits, Params, Placement, Time, Verification};

    pub(crate) fn order() -> Signed<Job> {
        let key = SecretKey::from_seed([1; 32]);
        let network = NetworkId(Digest([2; 32]));
        let job = Job {
            network,
            home: key.public(),
            program: Cid::of(Codec::Raw, b"program"),
            table: Cid::of(Codec::DagCbor, b"table"),
            tasks: 1,
            engine: Digest([5; 32]),
            seed: Digest([3; 32]),
            limits: Limits::default(),
            placement: Placement::Fast,
            verification: Verification::SINGLE,
            issued: Time(1),
            expires: Time(2),
            nonce: Digest([4; 32]),
            terms: protocol::Terms::default(),
        };
        Signed::new(job, network, &key)
    }

    fn founder() -> Signed<Founder> {
        let founder = Founder {
            node: SecretKey::from_seed([9; 32]).public(),
            name: "lab".into(),
            addresses: vec!["/ip4/192.0.2.1/udp/4001/quic-v1".into()],
        };
        Signed::new(founder, NetworkId::FOUNDING, &SecretKey::from_seed([8; 32]))
    }

    fn join() -> JoinLine {
        let genesis =
            Genesis::found("net".into(), Time(5), vec![founder()], 1, Params::default()).unwrap();
        let key = SecretKey::from_seed([7; 32]);
        let invitation =
            Invitation { kind: InvitationKind::Owner, key: key.public(), expires: Time(9) };
        let sponsor = SecretKey::from_seed([8; 32]);
        let invitation = Signed::new(invitation, genesis.network(), &sponsor);
        let peers =
            vec![KnownPeer { node: key.public(), addresses: vec!["/ip4/192.0.2.1".into()] }];
        JoinLine { genesis, invitation, key, peers }
    }

    #[test]
    fn a_founding_line_comes_back() {
        let line = FoundingLine(founder()).to_string();
        assert!(line.starts_with("polityfound1"), "{line}");
        assert_eq!(format!(" {line}\n").parse::<FoundingLine>(), Ok(FoundingLine(founder())));
    }

    #[test]
    fn a_join_line_comes_back_and_does_not_print_its_secret() {
        let line = join();
        let back: JoinLine = line.to_string().parse().unwrap();
        assert_eq!(back.genesis, line.genesis);
        assert_eq!(back.invitation, line.invitation);
        assert_eq!(back.key.seed(), line.key.seed());
        assert_eq!(back.peers, line.peers);
        let json = serde_json::to_string(&line).unwrap();
        assert_eq!(serde_json::from_str::<JoinLine>(&json).unwrap().key.seed(), line.key.seed());
        assert!(!format!("{line:?}").contains(&Digest(*line.key.seed()).to_string()));
    }

    #[test]
    fn every_changed_missing_or_added_character_is_noticed() {
        let line = FoundingLine(founder()).to_string();
        for at in 0..line.len() {
            let mut changed = line.clone().into_bytes();
            changed[at] = if changed[at] == b'b' { b'c' } else { b'b' };
            let changed = String::from_utf8(changed).unwrap();
            assert!(changed.parse::<FoundingLine>().is_err(), "changed at {at}");
            assert!(line[..at].parse::<FoundingLine>().is_err(), "cut at {at}");
        }
        assert!(format!("{line}b").parse::<FoundingLine>().is_err());
    }

    #[test]
    fn a_line_of_another_kind_or_with_a_strange_key_is_refused() {
        let founding = FoundingLine(founder()).to_string();
        assert!(matches!(founding.parse::<JoinLine>(), Err(LineError::Prefix { .. })));
        let mut strange = join();
        strange.key = SecretKey::from_seed([6; 32]);
        assert!(matches!(strange.to_string().parse::<JoinLine>(), Err(LineError::Wrong { .. })));
    }

    #[test]
    fn the_text_of_lines_never_changes() {
        let digest = |text: String| Digest::plain(text.as_bytes()).to_string();
        assert_eq!(
            digest(FoundingLine(founder()).to_string()),
            "z4tzbnjpb2qesjwdchyy6hnz6mbegt34wq7w4racekpcjsqsqeta"
        );
        assert_eq!(
            digest(join().to_string()),
            "xn4o5hefzpumyosmmk4pro3pr2b2ddbmdsog543jyadez73y3wha"
        );
    }
}
