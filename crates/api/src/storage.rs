//! What a node keeps: blocks that are put, pins, and the chores of its store.

use crate::{ApiError, Reply};
use bytes::Bytes;
use identity::PublicKey;
use objects::Cid;
use protocol::{Durability, Time, durability::Tolerance, port::Events};
use serde::{Deserialize, Serialize};

/// Blocks on their way to a node.
pub type Blocks = Events<Result<(Cid, Bytes), ApiError>>;

/// How a chore goes on. The last item is [`Progress::Done`] or an error.
pub type Chores = Events<Result<Progress, ApiError>>;

/// The store of a node, as its owner's doors see it. Part of [`crate::NodeApi`].
pub trait StorageApi: Send + Sync + 'static {
    /// Keeps blocks, each checked against its CID. When the answer comes they are durable. What is
    /// not pinned may be collected later, but not within the grace time of the store.
    fn put(&self, blocks: Blocks) -> Reply<'_, Received>;

    /// Pins of a label, or of all labels, in the order of (label, root); those after `after`, at
    /// most [`crate::path::PINS`].
    fn pins(&self, label: Option<String>, after: Option<(String, Cid)>) -> Reply<'_, Vec<PinInfo>>;

    /// Takes a pin away; [`crate::Code::NotFound`] if there is none.
    fn unpin(&self, label: String, root: Cid) -> Reply<'_, ()>;

    /// What the store holds.
    fn stock(&self) -> Reply<'_, Stock>;

    /// Where an object is that is protected against the loss of machines: one item for each way in
    /// which it is. Nodes that are connected are asked. [`crate::Code::NotFound`] if nobody knows of it.
    fn whereabouts(&self, object: Cid) -> Reply<'_, Vec<Whereabouts>>;

    /// Does something that may take long, and tells how it goes on. Dropping the stream ends the
    /// chore; what it did until then stays.
    fn chore(&self, chore: Chore) -> Reply<'_, Chores>;
}

/// What became of blocks that were put.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Received {
    /// Blocks that came, whether they were here before or not.
    pub blocks: u64,
    /// Bytes of these.
    pub bytes: u64,
}

/// How much a pin keeps, or how much is fetched.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PinMode {
    /// The block and everything below it.
    Recursive,
    /// The block alone.
    Direct,
}

/// The label of what a person pins.
pub const USER_LABEL: &str = "user";

/// A reason why something is kept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PinInfo {
    /// Who wants it: [`USER_LABEL`], `job/…`, `shard/…`.
    pub label: String,
    /// What is kept.
    pub root: Cid,
    /// How much of it.
    pub mode: PinMode,
    /// A name that a person gave.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Since when, by the node's clock.
    pub since: Time,
}

/// What a store holds.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Stock {
    /// Blocks.
    pub blobs: u64,
    /// Bytes of these.
    pub bytes: u64,
    /// Pack files.
    pub packs: u64,
    /// Bytes of these on disk.
    pub pack_bytes: u64,
    /// Bytes of the index on disk.
    pub index_bytes: u64,
    /// Pins.
    pub pins: u64,
    /// Blocks that were found damaged and were not had again yet.
    pub damaged: u64,
    /// Bytes that all blocks together may have; 0 if there is no bound.
    pub quota_bytes: u64,
    /// Bytes that are free on the disk.
    pub free_bytes: u64,
    /// Bytes of these that are kept for journals.
    pub reserve_bytes: u64,
    /// When every record had been looked at last, by the node's clock.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scrubbed: Option<Time>,
}

/// Something that may take long.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "chore", deny_unknown_fields)]
pub enum Chore {
    /// Fetch what is missing of something, and pin it under [`USER_LABEL`].
    Pin {
        /// What.
        root: Cid,
        /// How much of it.
        mode: PinMode,
        /// A name for people.
        #[serde(default)]
        name: Option<String>,
        /// As in [`Chore::Fetch`].
        #[serde(default)]
        from: Vec<String>,
    },
    /// Fetch what is missing of something. It is not pinned.
    Fetch {
        /// What.
        root: Cid,
        /// How much of it.
        mode: PinMode,
        /// Peers of IPFS that are asked before all others: multiaddrs that end in `/p2p/` and the
        /// peer's id, at most [`crate::path::FROM`].
        #[serde(default)]
        from: Vec<String>,
    },
    /// Read every record and check it. What is damaged is set aside.
    Verify,
    /// Give back the space of what nobody wants.
    Collect {
        /// Only say what would be given back.
        #[serde(default)]
        dry_run: bool,
        /// Keep what was put so lately; as the node is used to, if nothing is said.
        #[serde(default)]
        grace_ms: Option<u64>,
    },
    /// Fetch again from peers what is damaged.
    Repair,
    /// Spread an object over other nodes, so that it outlives some of them. What is missing of it
    /// is fetched first.
    Protect {
        /// The object.
        root: Cid,
        /// How much may be lost.
        durability: Durability,
    },
}

/// How a chore goes on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "progress", deny_unknown_fields)]
pub enum Progress {
    /// So far.
    Going {
        /// Blocks.
        blocks: u64,
        /// Bytes.
        bytes: u64,
        /// Bytes of all, where that is known.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        of_bytes: Option<u64>,
    },
    /// All of it.
    Done(ChoreReport),
}

/// What a chore did.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "done", deny_unknown_fields)]
pub enum ChoreReport {
    /// It is pinned.
    Pinned {
        /// Blocks that it keeps.
        blocks: u64,
        /// Bytes of these.
        bytes: u64,
    },
    /// It is here.
    Fetched {
        /// Blocks of it.
        blocks: u64,
        /// Bytes of these.
        bytes: u64,
    },
    /// Every record was read.
    Verified {
        /// Records that were read: blocks, and pins.
        records: u64,
        /// Bytes of these.
        bytes: u64,
        /// What is damaged, this time or from before; the first [`crate::path::DAMAGED`].
        damaged: Vec<Cid>,
    },
    /// What nobody wants is gone, or would be.
    Collected {
        /// Blocks that stay.
        kept: u64,
        /// Bytes of these.
        kept_bytes: u64,
        /// Blocks that nobody wants and that were put lately.
        young: u64,
        /// Bytes of these.
        young_bytes: u64,
        /// Blocks that nobody wants.
        collected: u64,
        /// Bytes of these.
        collected_bytes: u64,
        /// Bytes that the disk got back.
        freed_bytes: u64,
        /// Blocks that something wanted has a link to, and that are not here.
        missing: u64,
        /// Blocks with links that are damaged. Before they are had again nothing is collected: what
        /// they link to is not known.
        damaged: u64,
    },
    /// It is spread, and durable with every holder.
    Protected {
        /// The manifest that names all shards.
        manifest: Cid,
        /// Blocks of the object.
        blocks: u64,
        /// Bytes of these.
        bytes: u64,
        /// Bytes that all shards take on all nodes.
        kept_bytes: u64,
        /// Nodes that hold shards.
        nodes: u16,
        /// What may be lost.
        tolerance: Tolerance,
        /// Nodes that were asked and did not take shards, and why.
        failed: Vec<(PublicKey, String)>,
    },
    /// What is damaged was asked of peers.
    Repaired {
        /// Blocks that are here again.
        healed: u64,
        /// What nobody had; the first [`crate::path::DAMAGED`].
        missing: Vec<Cid>,
    },
}

/// Where a protected object is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Whereabouts {
    /// The object.
    pub object: Cid,
    /// The manifest that names all shards.
    pub manifest: Cid,
    /// Who protected it.
    pub maker: PublicKey,
    /// How.
    pub durability: Durability,
    /// Blocks of the object.
    pub blocks: u64,
    /// Bytes of these.
    pub bytes: u64,
    /// How often holders were changed.
    pub sequence: u64,
    /// Every holder, in the order of its first slot.
    pub holders: Vec<HolderInfo>,
    /// Groups of shards of which there are too few.
    pub unreadable: u64,
    /// What may be lost now; nothing if something is unreadable already.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tolerance: Option<Tolerance>,
}

/// What one node holds of a protected object.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HolderInfo {
    /// The node.
    pub node: PublicKey,
    /// Its owner's name.
    pub owner_name: String,
    /// Its slots.
    pub slots: Vec<u16>,
    /// Shards that it is to hold.
    pub shards: u64,
    /// Bytes of these.
    pub bytes: u64,
    /// Those that are there, as far as it says or shows.
    pub present: u64,
    /// Those that it does not have.
    pub absent: u64,
    /// Why it could not be asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unreachable: Option<String>,
}
