//! What the owner of a node may choose: `config.toml` in its data directory.
//!
//! Nothing here changes what nodes must agree on: that comes from the genesis.

use crate::{
    home,
    misbehave::{self, Misbehaviour},
    upkeep,
};
use anyhow::{Context, bail};
use protocol::{Distinct, Genesis};
use serde::{Deserialize, Serialize};
use std::{collections::BTreeMap, path::Path};

/// Name of the file in the data directory.
pub(crate) const FILE: &str = "config.toml";
/// Executors in one process, at most.
const EXECUTORS: u8 = 16;

/// All settings, one section for each room. Every field has a default; unknown ones are refused.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Executors in this process, 1 to 16. Each counts as a node of its own, with its own
    /// key and the same owner; so they show determinism only, and are for a polity of one owner.
    pub executors: u8,
    /// After how long without jobs and requests the node ends by itself; 0: never.
    pub idle_exit_ms: u64,
    /// What a billion units of fuel cost here, in credits; 0: nothing.
    pub price: u64,
    /// What its owner calls this node by: jobs ask for labels, for instance `zone = "north"`.
    pub labels: BTreeMap<String, String>,
    /// How this node lies; only in a network that was founded for demonstration.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) misbehave: Option<Misbehaviour>,
    /// Connections to other nodes.
    pub network: network::Config,
    /// Voting, on validators.
    pub consensus: consensus::Config,
    /// The replicated log of this owner's cluster.
    pub cluster: cluster::Config,
    /// The life of jobs at their home.
    pub work: work::Config,
    /// Results that the home finds again.
    pub known: home::known::Config,
    /// Bytes on disk.
    pub storage: storage::Config,
    /// The care of these bytes.
    pub upkeep: upkeep::Config,
    /// What is kept for others, and repair.
    pub durability: storage::erasure::Config,
    /// The exchange of objects with other nodes.
    pub exchange: storage::exchange::Config,
    /// Peers of IPFS.
    pub ipfs: crate::ipfs::Config,
    /// The engine that runs programs.
    pub execution: execution::Config,
    /// The local API.
    pub gateway: gateway::Config,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            executors: 1,
            idle_exit_ms: 0,
            price: 0,
            labels: BTreeMap::new(),
            misbehave: None,
            network: network::Config::default(),
            consensus: consensus::Config::default(),
            cluster: cluster::Config::default(),
            work: work::Config::default(),
            known: home::known::Config::default(),
            storage: storage::Config::default(),
            upkeep: upkeep::Config::default(),
            durability: storage::erasure::Config::default(),
            exchange: storage::exchange::Config::default(),
            ipfs: crate::ipfs::Config::default(),
            execution: execution::Config::default(),
            gateway: gateway::Config::default(),
        }
    }
}

impl Config {
    /// Checks them all, as far as that can be done before anything starts.
    ///
    /// # Errors
    /// One clear sentence.
    pub(crate) fn check(&self, genesis: &Genesis) -> anyhow::Result<()> {
        protocol::check_labels(&self.labels).context("config.toml")?;
        if self.executors == 0 || self.executors > EXECUTORS {
            bail!("config.toml says executors = {}; 1 to {EXECUTORS} are possible", self.executors);
        }
        if self.executors > 1 && genesis.params.distinct != Distinct::Nodes {
            bail!(
                "config.toml says executors = {}, but here replicas of one task go to different \
                 owners: more than one is of use only in a polity of one owner",
                self.executors
            );
        }
        misbehave::check(self.misbehave, genesis)?;
        self.network.check()?;
        self.consensus.check()?;
        self.cluster.check()?;
        self.work.check()?;
        self.storage.check()?;
        self.execution.check()?;
        if !self.gateway.addr.ip().is_loopback() {
            bail!(gateway::Error::NotLoopback(self.gateway.addr));
        }
        Ok(())
    }

    /// Reads the file in `dir`, or takes the defaults if there is none.
    ///
    /// # Errors
    /// If the file cannot be read, or holds something that is no setting.
    pub(crate) fn load(dir: &Path) -> anyhow::Result<Self> {
        let path = dir.join(FILE);
        let text = match std::fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                return Ok(Self::default());
            }
            Err(error) => {
                return Err(error).with_context(|| format!("cannot read {}", path.display()));
            }
        };
        toml::from_str(&text)
            .with_context(|| format!("{} holds something that is no setting", path.display()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example says every field with its default; it is what a person copies from.
    #[test]
    fn the_example_file_holds_every_setting_with_its_default() {
        let text = include_str!("../config.example.toml");
        let example: toml::Table = text.parse().unwrap();
        let default = toml::Table::try_from(Config::default()).unwrap();
        assert_eq!(example, default);
        assert_eq!(toml::from_str::<Config>(text).unwrap(), Config::default());
    }

    #[test]
    fn a_setting_that_does_not_exist_is_refused_by_name() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(Config::load(dir.path()).unwrap(), Config::default());
        std::fs::write(dir.path().join(FILE), "[work]\nlease_seconds = 3\n").unwrap();
        let error = format!("{:#}", Config::load(dir.path()).unwrap_err());
        assert!(error.contains("lease_seconds"), "{error}");
    }
}
