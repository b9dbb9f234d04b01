//! The channels between validators.

use crate::gossip;
use protocol::port::Protocol;

/// What a channel carries.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) enum Kind {
    /// Votes.
    Votes,
    /// Certificates, as they form.
    Certificates,
    /// Requests for certificates, and answers.
    Resolver,
    /// Requests for blocks, and answers.
    Backfill,
    /// Proposed blocks.
    Blocks,
    /// Transactions.
    Mempool,
}

impl Kind {
    pub(super) const ALL: [Self; 6] = [
        Self::Votes,
        Self::Certificates,
        Self::Resolver,
        Self::Backfill,
        Self::Blocks,
        Self::Mempool,
    ];

    pub(super) fn protocol(self) -> Protocol {
        Protocol(match self {
            Self::Votes => "/polity/bft-votes/1",
            Self::Certificates => "/polity/bft-certificates/1",
            Self::Resolver => "/polity/bft-resolver/1",
            Self::Backfill => "/polity/bft-backfill/1",
            Self::Blocks => "/polity/bft-blocks/1",
            Self::Mempool => "/polity/bft-mempool/2",
        })
    }

    /// Bytes of its largest message, given those of the engine.
    pub(super) fn limit(self, small: usize, large: usize) -> usize {
        match self {
            Self::Votes | Self::Certificates | Self::Resolver => small,
            Self::Backfill | Self::Blocks => large,
            Self::Mempool => gossip::MESSAGE_BYTES,
        }
    }

    pub(super) fn place(self) -> usize {
        self as usize
    }
}
