//! Topics: who listens here, who listens elsewhere, and the settings of gossipsub.

use crate::{Config, Error, lock::lock, names::Names};
use futures::{StreamExt, stream};
use identity::Digest;
use libp2p::{
    PeerId,
    gossipsub::{
        self, IdentityTransform, MaxCountSubscriptionFilter, MessageAuthenticity, MessageId,
        TopicHash, TopicSubscriptionFilter, ValidationMode,
    },
    identity::Keypair,
};
use protocol::port::{Events, Message};
use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::Mutex,
    time::Duration,
};
use tokio::sync::{
    broadcast::{self, error::RecvError},
    watch,
};

/// Topics that one peer may listen to.
const MAX_TOPICS_PER_PEER: usize = 64;
/// Bytes of a topic's full name. What peers listen to is remembered, so it has to be short.
const TOPIC_BYTES: usize = 128;
/// What a message has besides its payload: source, signature, topic, framing. A bound, not a sum.
const ENVELOPE_BYTES: usize = 1_024;

/// Gossipsub with a bound on topics.
pub(crate) type Gossipsub =
    gossipsub::Behaviour<IdentityTransform, MaxCountSubscriptionFilter<OwnTopics>>;

/// Lets nobody listen to anything but topics of this network.
pub(crate) struct OwnTopics {
    /// How each of them begins.
    prefix: String,
}

impl TopicSubscriptionFilter for OwnTopics {
    fn can_subscribe(&mut self, topic: &TopicHash) -> bool {
        topic.as_str().len() <= TOPIC_BYTES && topic.as_str().starts_with(&self.prefix)
    }
}

/// A message to publish: the topic's full name and the payload.
pub(crate) type Publication = (String, Vec<u8>);

/// Which peers listen to which topic.
pub(crate) type Listeners = BTreeMap<String, BTreeSet<PeerId>>;

/// The behaviour: messages are signed by the transport's key and refused without a signature.
pub(crate) fn behaviour(config: &Config, names: &Names, key: &Keypair) -> Result<Gossipsub, Error> {
    let settings = gossipsub::ConfigBuilder::default()
        .protocol_id_prefix(names.own("gossip").to_string())
        .validation_mode(ValidationMode::Strict)
        .message_id_fn(message_id)
        .max_transmit_size(config.gossip_max_bytes + ENVELOPE_BYTES)
        .duplicate_cache_time(Duration::from_millis(config.gossip_duplicate_ms))
        .connection_handler_queue_len(config.gossip_queue)
        .heartbeat_initial_delay(Duration::from_millis(200))
        .build()
        .map_err(|e| Error::Start(e.to_string()))?;
    let filter = MaxCountSubscriptionFilter {
        filter: OwnTopics { prefix: names.topics() },
        max_subscribed_topics: MAX_TOPICS_PER_PEER,
        max_subscriptions_per_request: MAX_TOPICS_PER_PEER,
    };
    let authenticity = MessageAuthenticity::Signed(key.clone());
    Gossipsub::new_with_subscription_filter(authenticity, settings, filter)
        .map_err(|e| Error::Start(e.to_string()))
}

/// The same bytes of the same source on the same topic are one message.
fn message_id(message: &gossipsub::Message) -> MessageId {
    let source = message.source.map(|peer| peer.to_bytes()).unwrap_or_default();
    let topic = message.topic.as_str().as_bytes();
    Digest::of("gossip", &[&source, topic, &message.data]).as_bytes().to_vec().into()
}

/// The listeners of this node.
pub(crate) struct Topics {
    queue: usize,
    /// `None` when the network is closed.
    channels: Mutex<Option<HashMap<String, broadcast::Sender<Message>>>>,
}

impl Topics {
    pub(crate) fn new(queue: usize) -> Self {
        Self { queue, channels: Mutex::new(Some(HashMap::new())) }
    }

    /// Messages of a topic from now on; ends when the network closes.
    pub(crate) fn subscribe(&self, topic: String) -> Events<Message> {
        let mut channels = lock(&self.channels);
        let Some(channels) = channels.as_mut() else { return stream::empty().boxed() };
        let queue = self.queue;
        let channel = channels.entry(topic).or_insert_with(|| broadcast::channel(queue).0);
        let messages = channel.subscribe();
        stream::unfold(messages, |mut messages| async move {
            loop {
                match messages.recv().await {
                    Ok(message) => return Some((message, messages)),
                    Err(RecvError::Lagged(missed)) => {
                        tracing::debug!(missed, "a listener is too slow for its topic");
                    }
                    Err(RecvError::Closed) => return None,
                }
            }
        })
        .boxed()
    }

    /// The topics that somebody here listens to.
    pub(crate) fn wanted(&self) -> BTreeSet<String> {
        let mut channels = lock(&self.channels);
        let Some(channels) = channels.as_mut() else { return BTreeSet::new() };
        channels.retain(|_, channel| channel.receiver_count() > 0);
        channels.keys().cloned().collect()
    }

    /// Hands a message to the listeners of its topic.
    pub(crate) fn deliver(&self, topic: &str, message: Message) {
        let channels = lock(&self.channels);
        let channel = channels.as_ref().and_then(|channels| channels.get(topic));
        if channel.is_none_or(|channel| channel.send(message).is_err()) {
            tracing::trace!(topic, "a message that nobody here listens to any more");
        }
    }

    /// Ends all listeners.
    pub(crate) fn close(&self) {
        *lock(&self.channels) = None;
    }
}

/// Notes that a peer listens to a topic, or no longer.
pub(crate) fn note(listeners: &watch::Sender<Listeners>, peer: PeerId, topic: &str, listens: bool) {
    listeners.send_if_modified(|listeners| {
        if listens {
            return listeners.entry(topic.to_string()).or_default().insert(peer);
        }
        let Some(peers) = listeners.get_mut(topic) else { return false };
        let changed = peers.remove(&peer);
        if peers.is_empty() {
            listeners.remove(topic);
        }
        changed
    });
}

/// Notes that a peer is gone.
pub(crate) fn forget(listeners: &watch::Sender<Listeners>, peer: PeerId) {
    listeners.send_if_modified(|listeners| {
        let mut changed = false;
        listeners.retain(|_, peers| {
            changed |= peers.remove(&peer);
            !peers.is_empty()
        });
        changed
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;
    use futures::FutureExt;
    use identity::PublicKey;

    fn message(text: &'static str) -> Message {
        Message { source: PublicKey([1; 32]), bytes: Bytes::from_static(text.as_bytes()) }
    }

    #[test]
    fn a_slow_listener_misses_old_messages_and_holds_nobody_up() {
        let topics = Topics::new(2);
        let mut slow = topics.subscribe("t".into());
        for text in ["a", "b", "c"] {
            topics.deliver("t", message(text));
            topics.deliver("other", message(text));
        }
        let got: Vec<_> = std::iter::from_fn(|| slow.next().now_or_never().flatten()).collect();
        assert_eq!(got, [message("b"), message("c")]);
        topics.close();
        assert_eq!(slow.next().now_or_never(), Some(None));
        assert_eq!(topics.subscribe("t".into()).next().now_or_never(), Some(None));
    }

    #[test]
    fn a_topic_is_wanted_while_somebody_listens() {
        let topics = Topics::new(2);
        let first = topics.subscribe("t".into());
        let second = topics.subscribe("t".into());
        drop(first);
        assert!(topics.wanted().contains("t"));
        drop(second);
        assert!(topics.wanted().is_empty());
    }

    #[test]
    fn nobody_makes_us_remember_topics_that_are_not_ours_or_long() {
        let names = Names::new(identity::NetworkId(Digest([1; 32])));
        let mut filter = OwnTopics { prefix: names.topics() };
        let mut may = |topic: String| filter.can_subscribe(&TopicHash::from_raw(topic));
        let ours = names.topic(protocol::port::Topic("polity/heads/1"));
        assert!(may(ours.clone()));
        assert!(!may("heads".into()) && !may(format!("x{ours}")));
        assert!(!may(format!("{ours}{}", "x".repeat(TOPIC_BYTES))));
    }

    #[test]
    fn peers_that_leave_no_longer_listen() {
        let (listeners, watch) = watch::channel(Listeners::new());
        let [a, b] = [PeerId::random(), PeerId::random()];
        for (peer, topic) in [(a, "x"), (a, "y"), (b, "x")] {
            note(&listeners, peer, topic, true);
        }
        note(&listeners, b, "x", false);
        assert_eq!(watch.borrow().get("x").map(BTreeSet::len), Some(1));
        forget(&listeners, a);
        assert!(watch.borrow().is_empty());
    }
}
