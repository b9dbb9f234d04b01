//! Proposes blocks that do not apply.

use crate::chain::Proposing;
use identity::Digest;
use protocol::Block;

pub(super) struct Spoiler;

impl Proposing for Spoiler {
    fn proposes(&self, mut fair: Block) -> Option<Block> {
        fair.header.state_root = Digest::of("polity spoiler", &[fair.header.state_root.as_bytes()]);
        Some(fair)
    }
}
