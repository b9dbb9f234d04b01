//! Exchanging blocks with peers of IPFS, which belong to no polity.
//!
//! It is off unless the node's owner wants it. When it is on, a guest gets what a member gets, with
//! the same gate: everything that this node keeps, but no output before its reveal.

use crate::{basis::Basis, start::Roles, worker::Withheld};
use bytes::Bytes;
use identity::PublicKey;
use network::{Address, Network, Table};
use objects::Cid;
use protocol::port::{ProvideError, Providers};
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use storage::{Store, bitswap, exchange::FetchError};

/// Settings for peers of IPFS. Every field has a default; unknown fields are refused.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Whether they may connect and be served. Default: false.
    pub enabled: bool,
    /// The table in which is looked up who has what, and said what this node has: that of IPFS for
    /// private networks (lan), that for everybody (public), the polity's own (own), or none (off).
    /// Default: lan.
    pub dht: Table,
    /// Peers of IPFS that are asked for what no member has, beside those that are connected.
    /// Default: none.
    pub peers: Vec<Address>,
    /// The exchange of blocks.
    pub bitswap: bitswap::Config,
    /// Content over HTTP, for whoever reaches its address.
    pub gateway: gateway::ipfs::Config,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            enabled: false,
            dht: Table::Lan,
            peers: Vec::new(),
            bitswap: bitswap::Config::default(),
            gateway: gateway::ipfs::Config::default(),
        }
    }
}

impl Config {
    /// The table that is taken part in.
    pub(crate) fn table(&self) -> Table {
        if self.enabled { self.dht } else { Table::Off }
    }
}

/// What a node does with peers of IPFS.
#[derive(Clone, Debug)]
pub(crate) struct Ipfs {
    /// Fetches objects and whole graphs from peers that are named.
    pub(crate) bitswap: bitswap::Bitswap,
    /// Where peers are named ([`Network::know_guest`]).
    pub(crate) network: Network,
    peers: Vec<PublicKey>,
}

impl Ipfs {
    /// Starts to serve, if the settings say so.
    ///
    /// # Errors
    /// If the network is closed.
    pub(crate) fn start(
        basis: &Basis,
        store: &Store,
        network: &Network,
        withheld: &Arc<Withheld>,
        roles: &mut Roles,
    ) -> anyhow::Result<Option<Self>> {
        let config = &basis.config.ipfs;
        if !config.enabled {
            return Ok(None);
        }
        let (bitswap, service) = bitswap::start(
            Arc::new(store.clone()),
            Arc::new(network.clone()),
            basis.clock.clone(),
            withheld.clone(),
            config.bitswap.clone(),
        )?;
        roles.play("bitswap", async move { Ok(service.ended().await?) });
        for peer in &config.peers {
            network.know_guest(peer)?;
        }
        let peers = config.peers.iter().map(|address| address.peer).collect();
        Ok(Some(Self { bitswap, network: network.clone(), peers }))
    }

    /// A block from the peers of IPFS that are known or connected, or that say they have it; then it
    /// is in the store as well.
    ///
    /// # Errors
    /// As [`bitswap::Bitswap::fetch`].
    pub(crate) async fn fetch(&self, cid: Cid) -> Result<Bytes, FetchError> {
        let mut from = self.peers.clone();
        from.extend(self.network.guests());
        let fetched = self.bitswap.fetch(cid, &from).await;
        let Err(FetchError::NotFound { .. }) = &fetched else { return fetched };
        let mut found = self.network.find(cid).await;
        found.retain(|peer| !from.contains(peer));
        if found.is_empty() { fetched } else { self.bitswap.fetch(cid, &found).await }
    }

    /// Notes where peers are, so that they can be asked.
    ///
    /// # Errors
    /// [`network::Error::Address`] for what is no address of a peer.
    pub(crate) fn know(&self, addresses: &[String]) -> Result<Vec<PublicKey>, network::Error> {
        let parsed: Result<Vec<Address>, _> = addresses.iter().map(|text| text.parse()).collect();
        let know = |address: Address| self.network.know_guest(&address).map(|()| address.peer);
        parsed?.into_iter().map(know).collect()
    }

    /// Makes sure that blocks are in the store, and what is below them if that is wanted. It takes
    /// one session, and a second one with those who say in the table that they have it.
    ///
    /// # Errors
    /// As [`bitswap::Bitswap::fetch_all`].
    pub(crate) async fn fetch_all(
        &self,
        roots: &[Cid],
        extent: bitswap::Extent,
        mut tell: impl FnMut(u64, u64) + Send,
    ) -> Result<(), FetchError> {
        let mut from = self.peers.clone();
        from.extend(self.network.guests());
        let fetched = self.bitswap.fetch_all(roots, &from, extent, &mut tell).await;
        let Err(FetchError::NotFound { cid, .. }) = &fetched else { return fetched.map(drop) };
        let mut found = self.network.find(*cid).await;
        if let Some(root) = roots.first().filter(|root| found.is_empty() && *root != cid) {
            // Who has all of it says so of its root alone.
            found = self.network.find(*root).await;
        }
        found.retain(|peer| !from.contains(peer));
        if found.is_empty() {
            return fetched.map(drop);
        }
        found.extend(from);
        self.bitswap.fetch_all(roots, &found, extent, &mut tell).await.map(drop)
    }

    /// Tells the table that this node has something, with everything below it.
    pub(crate) async fn announce(&self, root: Cid) {
        match self.network.provide(root).await {
            Ok(()) | Err(ProvideError::Off) => {}
            Err(error) => tracing::warn!(%root, %error, "nobody is told that it is here"),
        }
    }

    /// Tells the table so no more.
    pub(crate) fn withdraw(&self, root: Cid) {
        self.network.withdraw(root);
    }
}
