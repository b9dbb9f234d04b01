//! Whose a node is, for people.

use crate::failure::Failure;
use api::NodeApi;
use identity::PublicKey;
use std::collections::BTreeMap;

/// Nodes, their owners, and what these call themselves.
#[derive(Clone, Debug, Default)]
pub(crate) struct Names(BTreeMap<PublicKey, (PublicKey, String)>);

impl Names {
    /// As the ledger of this node has them.
    pub(crate) async fn ask(node: &impl NodeApi) -> Result<Self, Failure> {
        let nodes = node.nodes().await?;
        Ok(nodes.into_iter().map(|info| (info.node, (info.owner, info.owner_name))).collect())
    }

    /// Whether nothing was asked yet.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The owner of a node and its name.
    pub(crate) fn owner(&self, node: &PublicKey) -> Option<(PublicKey, &str)> {
        self.0.get(node).map(|(owner, name)| (*owner, name.as_str()))
    }

    /// What an owner calls itself, if it has a node.
    pub(crate) fn called(&self, owner: &PublicKey) -> Option<&str> {
        self.0.values().find(|(of, _)| of == owner).map(|(_, name)| name.as_str())
    }

    /// `…abcd1234 (owner Elm)`.
    pub(crate) fn node(&self, node: &PublicKey) -> String {
        match self.owner(node) {
            Some((_, name)) => format!("…{} (owner {name})", node.short()),
            None => format!("…{}", node.short()),
        }
    }
}

impl FromIterator<(PublicKey, (PublicKey, String))> for Names {
    fn from_iter<I: IntoIterator<Item = (PublicKey, (PublicKey, String))>>(all: I) -> Self {
        Self(all.into_iter().collect())
    }
}
