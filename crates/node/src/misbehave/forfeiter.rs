//! Never proposes a block, and so withholds its part of the beacon.

use crate::chain::Proposing;
use protocol::Block;

pub(super) struct Forfeiter;

impl Proposing for Forfeiter {
    fn proposes(&self, _fair: Block) -> Option<Block> {
        None
    }
}
