//! What a home knows of a node, and what the node does for it.

use crate::{
    Conduct, Window, Work,
    state::{Link, Station},
};
use identity::PublicKey;
use protocol::Profile;

/// A node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NodeView {
    /// The node.
    pub node: PublicKey,
    /// It can be spoken to.
    pub connected: bool,
    /// It let a lease run out, and has said nothing useful since.
    pub silent: bool,
    /// Replicas that it has and that have not committed.
    pub slots_used: u32,
    /// Replicas that it may have.
    pub slots: u32,
    /// Tasks for which it is its turn, and that wait for it.
    pub waiting: usize,
    /// Cores that its replicas have for themselves.
    pub cpus_taken: u16,
    /// Why it is given nothing, if its owner says so.
    pub cordon: Option<String>,
    /// When its owner looks after it.
    pub windows: Vec<Window>,
    /// What it said of itself.
    pub profile: Option<Profile>,
    /// How long a message takes to it and back.
    pub rtt_ms: Option<u32>,
    /// What it did.
    pub conduct: Conduct,
    /// What that counts for, of a thousand.
    pub history: u32,
    /// Units of fuel that it burns in a millisecond: as was seen, or as it measured.
    pub fuel_ms: Option<u64>,
}

impl Work {
    /// What is known of a node; nothing if nothing is.
    pub fn node(&self, node: &PublicKey) -> Option<NodeView> {
        self.fleet.station(node).map(|station| self.view_of(node, station))
    }

    /// All nodes of which something is known, by their keys.
    pub fn nodes(&self) -> impl Iterator<Item = NodeView> {
        self.fleet.stations().map(|(node, station)| self.view_of(node, station))
    }

    /// How a node behaved towards this home, if it is known.
    pub fn conduct(&self, node: &PublicKey) -> Option<&Conduct> {
        self.fleet.conduct(node)
    }

    fn view_of(&self, node: &PublicKey, station: &Station) -> NodeView {
        let standing = &station.standing;
        NodeView {
            node: *node,
            connected: station.link == Link::Up,
            silent: station.stalled,
            slots_used: station.outstanding,
            slots: self.fleet.slots(),
            waiting: station.queue.values().map(std::collections::BTreeSet::len).sum(),
            cpus_taken: station.taken().cpus,
            cordon: standing.cordon.clone(),
            windows: standing.windows.clone(),
            profile: standing.profile.as_deref().cloned(),
            rtt_ms: standing.rtt_ms,
            conduct: standing.conduct,
            history: standing.conduct.factor(),
            fuel_ms: station.fuel_ms(),
        }
    }
}
