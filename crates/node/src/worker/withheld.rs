//! Outputs that nobody may have yet: they are served only after their reveal.

use identity::{Digest, PublicKey};
use objects::Cid;
use std::{collections::HashMap, sync::Mutex};

/// Blocks of outputs that were not revealed. Blocks that were public before are not among them.
#[derive(Default)]
pub(crate) struct Withheld {
    blocks: Mutex<HashMap<Digest, u32>>,
}

impl Withheld {
    /// Holds blocks back, once more each.
    pub(crate) fn hold(&self, blocks: &[Cid]) {
        let mut held = self.blocks.lock().expect("nobody panics while holding the set");
        for block in blocks {
            *held.entry(block.digest()).or_default() += 1;
        }
    }

    /// Lets blocks go: whoever held them first has revealed them.
    pub(crate) fn release(&self, blocks: &[Cid]) {
        let mut held = self.blocks.lock().expect("nobody panics while holding the set");
        for block in blocks {
            held.remove(&block.digest());
        }
    }
}

/// By digest: the same bytes have a CID under every codec.
impl storage::exchange::Serve for Withheld {
    fn may_serve(&self, _: PublicKey, block: &Cid) -> bool {
        let held = self.blocks.lock().expect("nobody panics while holding the set");
        !held.contains_key(&block.digest())
    }
}
