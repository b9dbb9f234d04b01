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
    /// Holds those back that are new or held back already, once more each, and gives them. `known`
    /// says of each whether it was here before. What is known and not held is public.
    pub(crate) fn hold_new(&self, blocks: &[Cid], known: &[bool]) -> Vec<Cid> {
        let mut held = self.blocks.lock().expect("nobody panics while holding the set");
        let mut hidden = Vec::new();
        for (block, known) in blocks.iter().zip(known) {
            if !known || held.contains_key(&block.digest()) {
                *held.entry(block.digest()).or_default() += 1;
                hidden.push(*block);
            }
        }
        hidden
    }

    /// Holds blocks back, once more each.
    pub(crate) fn hold(&self, blocks: &[Cid]) {
        let mut held = self.blocks.lock().expect("nobody panics while holding the set");
        for block in blocks {
            *held.entry(block.digest()).or_default() += 1;
        }
    }

    /// Holds blocks back once less each: one replica that gave them is not waited for any more.
    /// Another one of this process may have given the same.
    pub(crate) fn withdraw(&self, blocks: &[Cid]) {
        let mut held = self.blocks.lock().expect("nobody panics while holding the set");
        for block in blocks {
            let Some(count) = held.get_mut(&block.digest()) else { continue };
            *count -= 1;
            if *count == 0 {
                held.remove(&block.digest());
            }
        }
    }

    /// Lets blocks go: somebody has revealed them, so that they are public.
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

    #[test]
    fn an_output_of_two_replicas_is_held_until_one_reveals_or_both_are_closed() {
        let withheld = Withheld::default();
        let peer = PublicKey([1; 32]);
        let output = Cid::of(Codec::Raw, b"output");
        // The second replica wrote it when the first had: it is known, and no more public for that.
        assert_eq!(withheld.hold_new(&[output], &[false]), [output]);
        assert_eq!(withheld.hold_new(&[output], &[true]), [output]);
        withheld.withdraw(&[output]);
        assert!(!withheld.may_serve(peer, &output), "the second one has not revealed");
        withheld.withdraw(&[output]);
        assert!(withheld.may_serve(peer, &output));

        withheld.hold_new(&[output], &[false]);
        withheld.hold_new(&[output], &[true]);
        withheld.release(&[output]);
        assert!(withheld.may_serve(peer, &output), "what one revealed is public");
        withheld.withdraw(&[output]);
        assert!(withheld.hold_new(&[output], &[true]).is_empty(), "and stays so");
    }
}
