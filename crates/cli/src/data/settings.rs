//! How the node is reached, as its owner set it.

use serde::{Deserialize, Serialize};

/// The content of `settings.json`. Every field has a default; unknown fields are refused.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// What the owner calls itself, 1 to 64 characters. Default: the name of the user.
    pub name: Option<String>,
    /// Where to listen: multiaddr texts. Default: QUIC and TCP on port 4870 of every interface.
    pub listen: Vec<String>,
    /// Further addresses under which others reach this node: multiaddr texts. Default: none.
    pub announce: Vec<String>,
    /// Peers to stay connected to: multiaddr texts that end in `/p2p/…`. Default: none.
    pub bootstrap: Vec<String>,
}

impl Settings {
    /// What the owner calls itself.
    pub fn owner_name(&self) -> String {
        let user = || std::env::var("USER").ok().filter(|user| !user.is_empty());
        self.name.clone().or_else(user).unwrap_or_else(|| "owner".into())
    }
}
