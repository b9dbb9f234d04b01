//! How content survives the loss of machines: which code, which shards, and who holds them.
//!
//! The blocks of an object, depth first and each once, are taken `data` at a time; each group gets
//! parity shards. The blocks themselves are the data shards, so reading does not change. A signed
//! [`Manifest`] names everything, a signed [`Placement`] says which node holds which slot, and
//! shard j of group g is in slot (g + j) mod n.

mod audit;
mod choice;
mod groups;
mod keep;
mod level;
mod manifest;
mod placement;

pub use audit::answer_to;
pub use choice::{Candidate, Tolerance, fill_slots};
pub use groups::{Group, Groups, Sha3, Shard};
pub use keep::{KeepReply, KeepRequest, KeptObject, NotKept};
pub use level::{DATA_MAX, Durability, TOTAL_MAX};
pub use manifest::{CODE, Manifest, UNIT_BYTES};
pub use placement::{Placement, slot_of};
