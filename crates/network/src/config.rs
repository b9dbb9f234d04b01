//! The settings of the network, with their defaults, and the check of their ranges.

use crate::{Address, Error, GuestConfig, providers::ProviderConfig};
use libp2p::Multiaddr;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// Settings of the network. Every field has a default; unknown fields are refused.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Where to listen, as multiaddr texts. Port 0 takes any free port. Empty: dial only.
    /// Default: QUIC and TCP on port 4870 of every interface.
    pub listen: Vec<String>,
    /// Further addresses under which others reach this node (behind NAT), as multiaddr texts.
    /// Default: none.
    pub announce: Vec<String>,
    /// Peers to stay connected to; they tell about all others. Default: none.
    pub bootstrap: Vec<Address>,

    /// Connections at once, of all peers. Default: 256.
    pub max_connections: u32,
    /// Connections at once with one peer; two are normal for a moment when both sides dial.
    /// Default: 4.
    pub max_connections_per_peer: u32,
    /// Handshakes at once, counted apart for each direction. Default: 64.
    pub max_pending_connections: u32,
    /// Streams under way with one peer, counted apart for each direction. Default: 512.
    pub max_streams_per_peer: u32,
    /// Streams of one protocol that wait to be accepted. Default: 64.
    pub accept_queue: usize,
    /// Peers whose addresses are remembered. Default: 1024.
    pub max_known_peers: usize,

    /// Longest wait for a stream, and for a new connection to say which network it belongs to,
    /// in milliseconds. Default: 5000.
    pub open_timeout_ms: u64,
    /// Longest handshake of one connection, in milliseconds. Default: 2000.
    pub dial_timeout_ms: u64,
    /// How often missing peers are looked for, and the first pause after a failed dial, in
    /// milliseconds. Default: 250.
    pub dial_interval_ms: u64,
    /// The longest pause between two dials of one peer, in milliseconds; pauses double up to it.
    /// Default: 5000.
    pub dial_backoff_max_ms: u64,
    /// How long a peer that only others told about is looked for in vain before it is forgotten,
    /// in milliseconds. Default: 600000.
    pub forget_ms: u64,

    /// Pause between two signs of life on an idle connection, in milliseconds. Default: 2000.
    pub ping_interval_ms: u64,
    /// Longest wait for the answer to one, in milliseconds; two misses close the connection.
    /// Default: 5000.
    pub ping_timeout_ms: u64,
    /// Silence after which a QUIC connection is dead, in milliseconds. Default: 3000.
    pub quic_idle_ms: u32,
    /// Silence after which QUIC sends a sign of life, in milliseconds. Default: 1000.
    pub quic_keep_alive_ms: u64,
    /// Unread bytes that one QUIC stream may hold. Default: 4194304.
    pub quic_stream_window_bytes: u32,
    /// Unread bytes that one QUIC connection may hold; at least several stream windows, or unread
    /// streams stop the others. Default: 67108864.
    pub quic_connection_window_bytes: u32,
    /// Streams of one TCP connection, both directions and the network's own included.
    /// Default: 4096.
    pub yamux_max_streams: usize,

    /// Largest gossip payload, in bytes; must be the same on all nodes. Default: 65536.
    pub gossip_max_bytes: usize,
    /// Messages that wait to be published. Default: 256.
    pub gossip_queue: usize,
    /// Messages published per second, on average. Default: 100.
    pub gossip_rate_per_s: u32,
    /// Messages that may be published at once after a quiet time. Default: 64.
    pub gossip_burst: u32,
    /// Messages of one topic kept for a slow listener. Default: 256.
    pub gossip_listener_queue: usize,
    /// For how long the same bytes of the same source on the same topic are one message, in
    /// milliseconds. Default: 60000.
    pub gossip_duplicate_ms: u64,

    /// Offences that ban a peer. Default: 10.
    pub offence_limit: u32,
    /// Time after which one offence is forgiven, in milliseconds. Default: 30000.
    pub offence_decay_ms: u64,
    /// How long a banned peer is refused, in milliseconds. Default: 600000.
    pub ban_ms: u64,

    /// Peers of no polity.
    pub guests: GuestConfig,
    /// Records of who has what.
    pub providers: ProviderConfig,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            listen: vec!["/ip4/0.0.0.0/udp/4870/quic-v1".into(), "/ip4/0.0.0.0/tcp/4870".into()],
            announce: Vec::new(),
            bootstrap: Vec::new(),
            max_connections: 256,
            max_connections_per_peer: 4,
            max_pending_connections: 64,
            max_streams_per_peer: 512,
            accept_queue: 64,
            max_known_peers: 1024,
            open_timeout_ms: 5_000,
            dial_timeout_ms: 2_000,
            dial_interval_ms: 250,
            dial_backoff_max_ms: 5_000,
            forget_ms: 600_000,
            ping_interval_ms: 2_000,
            ping_timeout_ms: 5_000,
            quic_idle_ms: 3_000,
            quic_keep_alive_ms: 1_000,
            quic_stream_window_bytes: 4 * 1024 * 1024,
            quic_connection_window_bytes: 64 * 1024 * 1024,
            yamux_max_streams: 4_096,
            gossip_max_bytes: 64 * 1024,
            gossip_queue: 256,
            gossip_rate_per_s: 100,
            gossip_burst: 64,
            gossip_listener_queue: 256,
            gossip_duplicate_ms: 60_000,
            offence_limit: 10,
            offence_decay_ms: 30_000,
            ban_ms: 600_000,
            guests: GuestConfig::default(),
            providers: ProviderConfig::default(),
        }
    }
}

impl Config {
    /// Refuses settings under which the network could not work.
    ///
    /// # Errors
    /// [`Error::Config`] or [`Error::Address`].
    pub fn check(&self) -> Result<(), Error> {
        self.check_positive()?;
        let fault = |field, reason: String| Err(Error::Config { field, reason });
        if self.max_connections_per_peer < 2 {
            // With one, two nodes that dial each other at once would both refuse.
            return fault("max_connections_per_peer", "must be 2 or more".into());
        }
        if self.quic_keep_alive_ms >= u64::from(self.quic_idle_ms) {
            return fault("quic_keep_alive_ms", "must be less than quic_idle_ms".into());
        }
        if self.quic_connection_window_bytes < self.quic_stream_window_bytes {
            let least = self.quic_stream_window_bytes;
            return fault("quic_connection_window_bytes", format!("must be {least} or more"));
        }
        let least = 2 * self.max_streams_per_peer as usize + OWN_STREAMS as usize;
        if self.yamux_max_streams < least {
            return fault("yamux_max_streams", format!("must be {least} or more"));
        }
        if self.dial_backoff_max_ms < self.dial_interval_ms {
            return fault("dial_backoff_max_ms", "must be dial_interval_ms or more".into());
        }
        if self.bootstrap.len() > self.max_known_peers {
            let least = self.bootstrap.len();
            return fault("max_known_peers", format!("must be {least} or more"));
        }
        for text in self.listen.iter().chain(&self.announce) {
            multiaddr(text)?;
        }
        Ok(())
    }

    fn check_positive(&self) -> Result<(), Error> {
        let fields = [
            ("max_connections", u64::from(self.max_connections)),
            ("max_pending_connections", u64::from(self.max_pending_connections)),
            ("max_streams_per_peer", u64::from(self.max_streams_per_peer)),
            ("accept_queue", self.accept_queue as u64),
            ("max_known_peers", self.max_known_peers as u64),
            ("open_timeout_ms", self.open_timeout_ms),
            ("dial_timeout_ms", self.dial_timeout_ms),
            ("dial_interval_ms", self.dial_interval_ms),
            ("ping_interval_ms", self.ping_interval_ms),
            ("ping_timeout_ms", self.ping_timeout_ms),
            ("quic_keep_alive_ms", self.quic_keep_alive_ms),
            ("quic_stream_window_bytes", u64::from(self.quic_stream_window_bytes)),
            ("gossip_max_bytes", self.gossip_max_bytes as u64),
            ("gossip_queue", self.gossip_queue as u64),
            ("gossip_rate_per_s", u64::from(self.gossip_rate_per_s)),
            ("gossip_burst", u64::from(self.gossip_burst)),
            ("gossip_listener_queue", self.gossip_listener_queue as u64),
            ("offence_limit", u64::from(self.offence_limit)),
            ("offence_decay_ms", self.offence_decay_ms),
            ("guests.max", u64::from(self.guests.max)),
            ("guests.max_streams_per_guest", u64::from(self.guests.max_streams_per_guest)),
            ("guests.idle_ms", self.guests.idle_ms),
        ];
        match fields.into_iter().find(|(_, value)| *value == 0) {
            Some((field, _)) => Err(Error::Config { field, reason: "must not be 0".into() }),
            None => Ok(()),
        }
    }

    pub(crate) fn open_timeout(&self) -> Duration {
        Duration::from_millis(self.open_timeout_ms)
    }

    pub(crate) fn dial_timeout(&self) -> Duration {
        Duration::from_millis(self.dial_timeout_ms)
    }

    pub(crate) fn dial_interval(&self) -> Duration {
        Duration::from_millis(self.dial_interval_ms)
    }
}

/// Streams that the network itself keeps open on a connection (identify, ping, gossip), with room
/// to spare.
pub(crate) const OWN_STREAMS: u32 = 32;

/// Reads a multiaddr.
pub(crate) fn multiaddr(text: &str) -> Result<Multiaddr, Error> {
    text.parse().map_err(|e: libp2p::multiaddr::Error| Error::Address {
        address: text.to_string(),
        reason: e.to_string(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn defaults_are_in_range_and_survive_their_own_text() {
        let config = Config::default();
        assert_eq!(config.check(), Ok(()));
        let text = serde_json::to_string(&config).expect("settings have a text");
        assert_eq!(serde_json::from_str::<Config>(&text).expect("the same settings"), config);
    }

    #[test]
    fn an_unknown_field_is_refused() {
        assert!(serde_json::from_str::<Config>(r#"{"lissen": []}"#).is_err());
    }

    #[test]
    fn a_setting_out_of_range_is_named() {
        let wrong = Config { quic_keep_alive_ms: 3_000, ..Config::default() };
        assert!(matches!(wrong.check(), Err(Error::Config { field: "quic_keep_alive_ms", .. })));
        let wrong = Config { accept_queue: 0, ..Config::default() };
        assert!(matches!(wrong.check(), Err(Error::Config { field: "accept_queue", .. })));
        let wrong = Config { listen: vec!["0.0.0.0:80".into()], ..Config::default() };
        assert!(matches!(wrong.check(), Err(Error::Address { .. })));
    }
}
