//! How members would speak to each other.
//!
//! A cluster has one voter until members can be added, and one voter has nobody to speak to: the
//! engine never calls this. Should it ever, every peer is unreachable, which is the truth.

use crate::engine::{Member, Snapshot, Types, Vote};
use bytes::Bytes;
use openraft::{
    EmptyNode, OptionalSend, RaftNetworkFactory, RaftNetworkV2,
    errors::{RPCError, ReplicationClosed, StreamingError, Unreachable},
    network::RPCOption,
    raft::{
        AppendEntriesRequest, AppendEntriesResponse, SnapshotResponse, VoteRequest, VoteResponse,
    },
};
use std::future::Future;

/// Nobody is there.
pub(crate) struct Alone;

fn nobody(target: Member) -> Unreachable<Types> {
    Unreachable::from_string(format!("{target}: clusters of this version have one member"))
}

impl RaftNetworkFactory<Types> for Alone {
    type Network = Nobody;

    async fn new_client(&mut self, target: Member, _: &EmptyNode) -> Nobody {
        Nobody { target }
    }
}

/// A peer that cannot be reached.
pub(crate) struct Nobody {
    target: Member,
}

impl RaftNetworkV2<Types> for Nobody {
    type SnapshotData = Bytes;

    async fn append_entries(
        &mut self,
        _: AppendEntriesRequest<Types>,
        _: RPCOption,
    ) -> Result<AppendEntriesResponse<Types>, RPCError<Types>> {
        Err(RPCError::Unreachable(nobody(self.target)))
    }

    async fn vote(
        &mut self,
        _: VoteRequest<Types>,
        _: RPCOption,
    ) -> Result<VoteResponse<Types>, RPCError<Types>> {
        Err(RPCError::Unreachable(nobody(self.target)))
    }

    async fn full_snapshot(
        &mut self,
        _: Vote,
        _: Snapshot,
        _: impl Future<Output = ReplicationClosed> + OptionalSend + 'static,
        _: RPCOption,
    ) -> Result<SnapshotResponse<Types>, StreamingError<Types>> {
        Err(StreamingError::Unreachable(nobody(self.target)))
    }
}
