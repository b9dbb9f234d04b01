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

#[cfg(test)]
mod tests {
    use super::*;
    use objects::Codec;
    use storage::exchange::Serve;

    #[test]
    fn an_output_is_served_only_after_its_reveal_under_any_codec() {
        let withheld = Withheld::default();
        let peer = PublicKey([1; 32]);
        let (output, other) = (Cid::of(Codec::Raw, b"output"), Cid::of(Codec::Raw, b"input"));
        let same = Cid::from_digest(Codec::DagPb, output.digest());
        withheld.hold(&[output]);
        assert!(!withheld.may_serve(peer, &output) && !withheld.may_serve(peer, &same));
        assert!(withheld.may_serve(peer, &other));
        withheld.release(&[output]);
        assert!(withheld.may_serve(peer, &output) && withheld.may_serve(peer, &same));
    }
}
