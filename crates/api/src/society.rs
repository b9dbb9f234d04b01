//! The node and the nodes around it.

use crate::LostRight;
use identity::{Digest, NetworkId, PublicKey};
use protocol::{Distinct, Height, Profile, Time};
use serde::{Deserialize, Serialize};

/// A node and its place in the polity.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Status {
    /// This node.
    pub node: PublicKey,
    /// Whose node it is.
    pub owner: PublicKey,
    /// The network.
    pub network: NetworkId,
    /// What the network calls itself.
    pub network_name: String,
    /// Version of the program, as in Cargo.toml.
    pub version: String,
    /// Where it listens: multiaddr texts.
    pub addresses: Vec<String>,
    /// Whether it is one of the validators.
    pub validator: bool,
    /// Whether the ledger admits node and owner.
    pub admitted: bool,
    /// Validators of the network.
    pub validators: u32,
    /// Height of the last final block here.
    pub height: Height,
    /// Time of that block.
    pub head_time: Time,
    /// This node's clock.
    pub clock: Time,
    /// Nodes that are connected now.
    pub peers: u32,
    /// Different parties with a node that is connected now, this one among them.
    pub parties: u32,
    /// Version and configuration of its engine.
    pub fingerprint: Digest,
    /// The longest time between a job's submission and its expiry, from the genesis.
    pub job_lifetime_ms: u64,
    /// What the replicas of one task differ in, from the genesis.
    #[serde(default)]
    pub distinct: Distinct,
    /// The longest time without a block, from the genesis.
    #[serde(default)]
    pub heartbeat_ms: u64,
    /// Free space that its store leaves to the journals.
    #[serde(default)]
    pub reserve_bytes: u64,
    /// How much it has to do as a home.
    #[serde(default)]
    pub totals: Totals,
}

impl Status {
    /// How much longer than two heartbeats a block may be in coming.
    const SLACK_MS: u64 = 30_000;

    /// How old the last block is, by this node's clock.
    #[must_use]
    pub fn head_age_ms(&self) -> u64 {
        self.clock.since_ms(self.head_time)
    }

    /// Whether no blocks come any more, as far as this node sees: it may be cut off.
    #[must_use]
    pub fn ledger_stands(&self) -> bool {
        self.heartbeat_ms > 0 && self.head_age_ms() > self.heartbeat_ms * 2 + Self::SLACK_MS
    }
}

/// A node of the polity, as another one sees it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NodeInfo {
    /// The node.
    pub node: PublicKey,
    /// Whose node it is.
    pub owner: PublicKey,
    /// What the owner calls itself; no proof of anything.
    pub owner_name: String,
    /// Whom the owner counts as.
    pub party: PublicKey,
    /// Until when it is not drawn (block time), because an owner that counts to its party is
    /// sanctioned.
    pub barred_until: Option<Time>,
    /// The rights that its owner itself does not have now.
    pub lost: Vec<LostRight>,
    /// Whether it is one of the validators.
    pub validator: bool,
    /// Whether it is connected to the node that answers. A node is connected to itself.
    pub connected: bool,
    /// Addresses that are known: multiaddr texts.
    pub addresses: Vec<String>,
    /// What it last said of itself, while it was connected.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub about: Option<AboutInfo>,
    /// What it is and has, as it measured itself, if the node that answers has heard of that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub profile: Option<Profile>,
    /// How long a message to it and its answer took, in milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rtt_ms: Option<u64>,
    /// What it does for the home that answers, if it was ever heard of there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub load: Option<NodeLoad>,
}

/// What a node does for a home.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct NodeLoad {
    /// Replicas that it has at work.
    pub used: u32,
    /// Replicas that it may have.
    pub slots: u32,
    /// Tasks that wait for it.
    pub waiting: u32,
    /// Units of fuel that it burns in a millisecond, as was seen, or as it measured.
    pub fuel_ms: Option<u64>,
    /// How often it did what it was asked, of a thousand.
    pub history: u32,
    /// Why it is given nothing, if its owner says so.
    pub cordon: Option<String>,
    /// When its owner looks after it: from and until.
    pub windows: Vec<(Time, Time)>,
}

/// How much a home has to do.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Totals {
    /// Jobs whose receipts are not stored yet.
    pub jobs: u64,
    /// Jobs that are paused.
    pub paused: u64,
    /// Tasks that nobody was asked for, by priority, the most urgent first.
    pub queued: [u64; 5],
    /// Tasks that are worked on.
    pub running: u64,
    /// Tasks that were agreed on, and wait for the ledger.
    pub agreed: u64,
}

/// What a node said of itself, and how its clock compares. No proof of anything.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AboutInfo {
    /// Version of its program.
    pub version: String,
    /// Version and configuration of its engine.
    pub engine: Digest,
    /// Height of its last final block.
    pub height: Height,
    /// How far its clock is ahead of that of the node that answers; negative if it is behind.
    pub ahead_ms: i64,
    /// How far that may be off.
    pub within_ms: u64,
    /// When it said so, by the clock of the node that answers.
    pub at: Time,
}
