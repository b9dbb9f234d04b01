//! What the owner of a node may choose: `config.toml` in its data directory.
//!
//! Nothing here changes what nodes must agree on: that comes from the genesis.

use anyhow::Context;
use serde::{Deserialize, Serialize};
use std::path::Path;

/// Name of the file in the data directory.
pub(crate) const FILE: &str = "config.toml";

/// All settings, one section for each room. Every field has a default; unknown ones are refused.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Connections to other nodes.
    pub network: network::Config,
    /// Voting, on validators.
    pub consensus: consensus::Config,
    /// The replicated log of this owner's cluster.
    pub cluster: cluster::Config,
    /// The life of jobs at their home.
    pub work: work::Config,
    /// Bytes on disk.
    pub storage: storage::Config,
    /// The exchange of objects with other nodes.
    pub exchange: storage::exchange::Config,
    /// The engine that runs programs.
    pub execution: execution::Config,
    /// The local API.
    pub gateway: gateway::Config,
}

impl Config {
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
