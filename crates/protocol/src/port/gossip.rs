//! Small messages to everybody.

use super::Events;
use bytes::Bytes;
use identity::PublicKey;

/// A topic name, for instance `polity/heads/1`; the network prefixes it with the network's name.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Topic(pub &'static str);

/// A message that reached us over a topic.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Message {
    /// The node that published it (signed by the transport's key).
    pub source: PublicKey,
    /// The payload, at most the topic's limit.
    pub bytes: Bytes,
}

/// Why a message could not be published.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum GossipError {
    /// Nobody else listens to this topic now. The message is not kept.
    #[error("nobody listens to this topic now")]
    NoPeers,
    /// The queue towards the network is full.
    #[error("too many messages at once")]
    Full,
    /// Larger than gossip carries.
    #[error("{size_bytes} bytes are too many for gossip, at most {limit_bytes}")]
    TooLarge {
        /// Bytes offered.
        size_bytes: usize,
        /// Bytes allowed.
        limit_bytes: usize,
    },
    /// The network is shutting down.
    #[error("the network is closed")]
    Closed,
}

/// Best-effort broadcast; implemented by `network`, faked in `sim`. Messages may be lost, repeated
/// and reordered: whoever needs certainty asks a peer afterwards.
pub trait Gossip: Send + Sync + 'static {
    /// Publishes to all who listen.
    ///
    /// # Errors
    /// See [`GossipError`].
    fn publish(&self, topic: Topic, bytes: Bytes) -> Result<(), GossipError>;

    /// Messages of others from now on. A listener that is too slow misses messages.
    fn subscribe(&self, topic: Topic) -> Events<Message>;
}
