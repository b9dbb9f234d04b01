//! Provider records in a distributed hash table: Kademlia, as the IPFS specification has it.
//!
//! Source: IPFS specification "IPFS Kademlia DHT". The key of a record is the multihash of the
//! object, whatever its codec. A node keeps records for others, within bounds, as long as they last.

use crate::names::Names;
use identity::PublicKey;
use libp2p::{
    PeerId, StreamProtocol,
    kad::{self, QueryId, RecordKey, store},
};
use objects::Cid;
use protocol::port::ProvideError;
use serde::{Deserialize, Serialize};
use std::{
    collections::{BTreeSet, HashMap},
    time::Duration,
};
use tokio::sync::oneshot;

/// Version of our own tables.
const OWN: &str = "kad/1.0.0";
/// Bytes of a CID before its multihash: version and codec.
const BEFORE_HASH: usize = 2;
/// Searches that are under way at once.
const SEARCHES: usize = 64;

/// The table that a node takes part in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Table {
    /// None.
    #[default]
    Off,
    /// The polity's own, of which only members know.
    Own,
    /// That of IPFS for private networks: `/ipfs/lan/kad/1.0.0`.
    Lan,
    /// That of IPFS for everybody: `/ipfs/kad/1.0.0`.
    Public,
}

/// Settings of provider records. Every field has a default; unknown fields are refused.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ProviderConfig {
    /// Which table. Said by the program. Default: off.
    #[serde(skip)]
    pub table: Table,
    /// Objects that this node announces, at most. Default: 4096.
    pub max_provided: usize,
    /// Objects of others that are remembered, at most. Default: 65536.
    pub max_records: usize,
    /// Peers that are remembered for one object, at most. Default: 20.
    pub max_per_object: usize,
    /// How long a record of others is good, in milliseconds. Default: 172800000.
    pub lasts_ms: u64,
    /// How often what this node has is announced again, in milliseconds. Default: 79200000.
    pub again_ms: u64,
    /// Longest search, in milliseconds. Default: 10000.
    pub search_ms: u64,
}

impl Default for ProviderConfig {
    fn default() -> Self {
        Self {
            table: Table::Off,
            max_provided: 4_096,
            max_records: 65_536,
            max_per_object: 20,
            lasts_ms: 48 * 3_600_000,
            again_ms: 22 * 3_600_000,
            search_ms: 10_000,
        }
    }
}

/// The part of the swarm.
pub(crate) type Behaviour = kad::Behaviour<store::MemoryStore>;

/// Takes part in the table that is wanted, if one is.
pub(crate) fn behaviour(config: &ProviderConfig, names: &Names, me: PeerId) -> Option<Behaviour> {
    let protocol = match config.table {
        Table::Off => return None,
        Table::Own => names.own(OWN),
        Table::Lan => StreamProtocol::new("/ipfs/lan/kad/1.0.0"),
        Table::Public => StreamProtocol::new("/ipfs/kad/1.0.0"),
    };
    let ms = |ms: u64| Some(Duration::from_millis(ms));
    let mut settings = kad::Config::new(protocol);
    settings.set_query_timeout(Duration::from_millis(config.search_ms));
    settings.set_provider_record_ttl(ms(config.lasts_ms));
    settings.set_provider_publication_interval(ms(config.again_ms));
    // Values are not for us: whoever sends some is not answered.
    settings.set_record_filtering(kad::StoreInserts::FilterBoth);
    settings.set_caching(kad::Caching::Disabled);
    let bounds = store::MemoryStoreConfig {
        max_records: config.max_records,
        max_value_bytes: 0,
        max_providers_per_key: config.max_per_object,
        // Of this node and of others.
        max_provided_keys: config.max_records + config.max_provided,
    };
    let store = store::MemoryStore::with_config(me, bounds);
    let mut behaviour = Behaviour::with_config(me, store, settings);
    behaviour.set_mode(Some(kad::Mode::Server));
    Some(behaviour)
}

/// The key of an object's records.
pub(crate) fn key(cid: &Cid) -> RecordKey {
    RecordKey::new(&cid.to_bytes()[BEFORE_HASH..].to_vec())
}

/// What the handle asks of the thread.
pub(crate) enum Ask {
    Provide(Cid, oneshot::Sender<Result<(), ProvideError>>),
    Withdraw(Cid),
    Find(Cid, oneshot::Sender<Vec<PublicKey>>),
}

/// Searches that are under way.
#[derive(Default)]
pub(crate) struct Searches(HashMap<QueryId, Search>);

struct Search {
    found: BTreeSet<PublicKey>,
    reply: oneshot::Sender<Vec<PublicKey>>,
}

impl Searches {
    /// Whether there is room for one more.
    pub(crate) fn has_room(&self) -> bool {
        self.0.len() < SEARCHES
    }

    pub(crate) fn begin(&mut self, id: QueryId, reply: oneshot::Sender<Vec<PublicKey>>) {
        self.0.insert(id, Search { found: BTreeSet::new(), reply });
    }

    pub(crate) fn found(&mut self, id: &QueryId, peers: impl Iterator<Item = PublicKey>) {
        if let Some(search) = self.0.get_mut(id) {
            search.found.extend(peers);
        }
    }

    /// Answers whoever searched, unless it has left.
    pub(crate) fn end(&mut self, id: &QueryId) {
        let Some(search) = self.0.remove(id) else { return };
        if search.reply.send(search.found.into_iter().collect()).is_err() {
            tracing::trace!("whoever looked for providers has left");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use objects::{Codec, Hash};

    #[test]
    fn the_key_is_the_multihash_whatever_the_codec() {
        let raw = key(&Cid::of(Codec::Raw, b"x"));
        assert_eq!(raw, key(&Cid::of(Codec::DagPb, b"x")));
        assert_eq!(raw.as_ref()[..2], [0x12, 32]);
        assert_eq!(raw.as_ref().len(), 34);
        assert_ne!(raw, key(&Cid::with(Hash::Blake3, Codec::Raw, b"x")));
    }

    #[test]
    fn settings_survive_their_own_text() {
        let config = ProviderConfig::default();
        let text = serde_json::to_string(&config).expect("settings have a text");
        assert_eq!(serde_json::from_str::<ProviderConfig>(&text).expect("the same"), config);
    }
}
