//! Blocks and transactions as they are handed out.

use protocol::{Block, Finality, Height, Tx};
use serde::{Deserialize, Serialize};

/// A block and why it is final.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FinalBlock {
    /// The block.
    pub block: Block,
    /// Why it is final; block 0 needs no reason.
    pub finality: Option<Finality>,
}

/// A transaction and where it stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PlacedTx {
    /// The block.
    pub height: Height,
    /// Its place in the block, from 0.
    pub index: u32,
    /// The transaction.
    pub tx: Tx,
}
