//! Names bound to one network, so that nodes of different networks have nothing to say.

use identity::NetworkId;
use libp2p::StreamProtocol;
use protocol::port::{Protocol, Topic};

/// Characters of the network's name that are part of every protocol and topic.
const SHORT: usize = 16;
/// Opens what identify says of a node of any polity.
const FAMILY: &str = "/polity/";

/// The names of one network.
#[derive(Clone, Debug)]
pub(crate) struct Names {
    network: String,
}

impl Names {
    pub(crate) fn new(network: NetworkId) -> Self {
        Self { network: network.to_string() }
    }

    /// `/polity/blob/1` becomes `/polity/<start of the network's name>/blob/1`. Names of others
    /// stay what they are.
    pub(crate) fn protocol(&self, protocol: Protocol) -> StreamProtocol {
        match protocol.0.strip_prefix(FAMILY) {
            Some(rest) => self.own(rest),
            None if protocol.0.starts_with('/') => StreamProtocol::new(protocol.0),
            None => self.own(protocol.0),
        }
    }

    /// Whether a protocol is not ours, but one that others have as well.
    pub(crate) fn is_foreign(protocol: &StreamProtocol) -> bool {
        !protocol.as_ref().starts_with(FAMILY)
    }

    /// Whether another node's `version` names a polity, be it this one or another.
    pub(crate) fn is_polity(version: &str) -> bool {
        version.starts_with(FAMILY)
    }

    /// A protocol of the network itself.
    pub(crate) fn own(&self, rest: &str) -> StreamProtocol {
        StreamProtocol::try_from_owned(format!("{FAMILY}{}/{rest}", self.short()))
            .expect("it begins with a slash")
    }

    /// `polity/heads/1` becomes `polity/<start of the network's name>/heads/1`.
    pub(crate) fn topic(&self, topic: Topic) -> String {
        let rest = topic.0.strip_prefix("polity/").unwrap_or(topic.0);
        format!("{}{rest}", self.topics())
    }

    /// How every topic of the network begins.
    pub(crate) fn topics(&self) -> String {
        format!("polity/{}/", self.short())
    }

    /// What identify says of this node: the whole name of its network.
    pub(crate) fn version(&self) -> String {
        format!("{FAMILY}{}", self.network)
    }

    /// Which network another node's `version` names.
    pub(crate) fn network_of(version: &str) -> String {
        printable(version.strip_prefix(FAMILY).unwrap_or(version))
    }

    fn short(&self) -> &str {
        &self.network[..SHORT]
    }
}

/// A name that a peer gave, fit for a screen.
pub(crate) fn printable(text: &str) -> String {
    protocol::printable(text, 64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use identity::Digest;

    #[test]
    fn names_carry_the_network() {
        let network = NetworkId(Digest([7; 32]));
        let names = Names::new(network);
        let short = &network.to_string()[..16];
        let blob = names.protocol(Protocol("/polity/blob/1"));
        assert_eq!(blob.as_ref(), format!("/polity/{short}/blob/1"));
        assert_eq!(names.topic(Topic("polity/heads/1")), format!("polity/{short}/heads/1"));
        assert_eq!(Names::network_of(&names.version()), network.to_string());
        let bitswap = names.protocol(Protocol("/ipfs/bitswap/1.2.0"));
        assert_eq!(bitswap.as_ref(), "/ipfs/bitswap/1.2.0");
        assert!(Names::is_foreign(&bitswap) && !Names::is_foreign(&blob));
        let other = Names::new(NetworkId(Digest([8; 32])));
        assert_ne!(other.protocol(Protocol("/polity/blob/1")), blob);
    }

    #[test]
    fn a_strangers_version_is_cut_and_cleaned() {
        assert_eq!(Names::network_of("go-\u{1b}[31mfoo"), "go-[31mfoo");
        assert_eq!(Names::network_of(&"x".repeat(4_000)).len(), 64);
    }
}
