//! What this room asks of its caller: to keep blocks from being collected, and to say who may ask.

use identity::PublicKey;
use objects::Cid;
use protocol::port::{Answer, BlobError};

/// Labels with the blocks that are kept under each.
pub type Kept = Vec<(String, Vec<Cid>)>;

/// Blocks that are in use, by label. What is kept survives a restart and is never collected.
pub trait Keep: Send + Sync + 'static {
    /// Keeps exactly these blocks under a label, in place of what was kept under it; not what they
    /// link to.
    fn keep(&self, label: String, blocks: Vec<Cid>) -> Answer<'static, Result<(), BlobError>>;

    /// Keeps nothing under a label any more; one that is not there is no error.
    fn release(&self, label: String) -> Answer<'static, Result<(), BlobError>>;

    /// What is kept under labels with this beginning, in the order of the labels.
    fn kept(&self, beginning: String) -> Answer<'static, Result<Kept, BlobError>>;
}

/// Decides for whom shards are kept. It must be quick.
pub trait Lend: Send + Sync + 'static {
    /// Whether shards of objects that `maker` protects are kept when `peer` asks for it.
    fn may_keep(&self, peer: PublicKey, maker: PublicKey) -> bool;
}

impl<F: Fn(PublicKey, PublicKey) -> bool + Send + Sync + 'static> Lend for F {
    fn may_keep(&self, peer: PublicKey, maker: PublicKey) -> bool {
        self(peer, maker)
    }
}
