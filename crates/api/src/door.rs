//! The door itself: everything that can be asked of a node.

use crate::{
    ApiError, ClusterApi, DisputeInfo, EvidenceInfo, FinalBlock, JobDetail, JobSummary, JoinLine,
    KnownTask, NodeInfo, PlacedTx, SanctionInfo, Status, StorageApi, Submission,
};
use bytes::Bytes;
use identity::{Digest, PublicKey};
use objects::Cid;
use protocol::{
    Header, Height, InvitationKind, JobEvent, JobId, TaskIndex, TaskKey,
    port::{Answer, Events},
};

/// What an answer is: what was asked for, or why not.
pub type Reply<'a, T> = Answer<'a, Result<T, ApiError>>;

/// What happens to a job. The last item is [`JobEvent::Finished`] or an error.
pub type JobEvents = Events<Result<JobEvent, ApiError>>;

/// A node, as its owner's doors see it. Implemented by `node`, by [`crate::Client`] over HTTP, and
/// faked in tests.
pub trait NodeApi: StorageApi + ClusterApi {
    /// Takes an order with the bytes that it needs. The answer comes when the order is admitted or
    /// refused; the stream stays open until the job is finished. Dropping it leaves the job alone.
    fn submit(&self, submission: Submission) -> Reply<'_, JobEvents>;

    /// What happened to a job so far, from its admission on, and then what happens.
    fn events(&self, job: JobId) -> Reply<'_, JobEvents>;

    /// The jobs that this node takes care of, latest first, at most [`crate::path::JOBS`].
    fn jobs(&self) -> Reply<'_, Vec<JobSummary>>;

    /// One job, and at most [`crate::path::TASKS`] of its tasks, from `from` on.
    fn job(&self, job: JobId, from: TaskIndex) -> Reply<'_, JobDetail>;

    /// Takes a job back: what is not final ends as cancelled.
    fn cancel(&self, job: JobId) -> Reply<'_, ()>;

    /// Pauses a job, or lets it go on: nobody new is given a task of it meanwhile, and what runs
    /// goes on. Its expiry counts all the while.
    fn pause(&self, job: JobId, on: bool) -> Reply<'_, ()>;

    /// The receipt file of a finished job, else [`crate::Code::NotFinished`].
    fn receipt(&self, job: JobId) -> Reply<'_, Bytes>;

    /// One block of content, from here or from whoever has it, checked against its CID.
    fn blob(&self, cid: Cid) -> Reply<'_, Bytes>;

    /// The first of these blocks, one at least and no more than have
    /// [`crate::path::BLOBS_BYTES`] together, each checked against its CID. At most
    /// [`crate::path::CIDS`] at once.
    fn blobs(&self, cids: Vec<Cid>) -> Reply<'_, Vec<Bytes>>;

    /// Which blocks are here already, in the same order; at most [`crate::path::CIDS`] at once.
    fn has(&self, cids: Vec<Cid>) -> Reply<'_, Vec<bool>>;

    /// Where the results of tasks are that were run before, in the order of their keys (see
    /// [`protocol::Job::key_of`]); at most [`crate::path::KEYS`] at once. Of several, the one that
    /// most replicas had to agree on, and of those a sealed one. A task that did not end with exit 0
    /// is never known.
    fn known(&self, keys: Vec<TaskKey>) -> Reply<'_, Vec<Option<KnownTask>>>;

    /// The node and its place in the polity.
    fn status(&self) -> Reply<'_, Status>;

    /// What the node counts and measures, in the text form that Prometheus reads.
    fn metrics(&self) -> Reply<'_, String>;

    /// Every admitted node, and what this one knows of it.
    fn nodes(&self) -> Reply<'_, Vec<NodeInfo>>;

    /// The header of the last final block.
    fn head(&self) -> Reply<'_, Header>;

    /// A final block.
    fn block(&self, height: Height) -> Reply<'_, FinalBlock>;

    /// A final transaction by its digest.
    fn tx(&self, digest: Digest) -> Reply<'_, PlacedTx>;

    /// The disputes that the ledger remembers, latest first, at most [`crate::path::DISPUTES`].
    fn disputes(&self) -> Reply<'_, Vec<DisputeInfo>>;

    /// The sanctions that the ledger remembers, latest first, at most [`crate::path::SANCTIONS`].
    fn sanctions(&self) -> Reply<'_, Vec<SanctionInfo>>;

    /// What is proven against nodes, latest first, at most [`crate::path::EVIDENCE`].
    fn evidence(&self) -> Reply<'_, Vec<EvidenceInfo>>;

    /// The evidence file of this name: an encoded [`protocol::Evidence`]. For a dispute without a
    /// ruling yet [`crate::Code::NotFinished`]; for one that refutes nobody, or for no evidence at
    /// all, [`crate::Code::NotFound`].
    fn evidence_file(&self, id: Digest) -> Reply<'_, Bytes>;

    /// Vouches for an owner that was sponsored, with the owner's key of this node: from then on it
    /// counts as its own party. Answers the transaction once it is final. Without the owner's key
    /// [`crate::Code::NotAdmitted`]; if there is no such owner [`crate::Code::NotFound`]; if the
    /// ledger would not take it, for instance because the owner was not sponsored, was
    /// seconded already, or counts to the same party, [`crate::Code::Refused`].
    fn second(&self, owner: PublicKey) -> Reply<'_, Digest>;

    /// A line that lets one owner, or one more machine of this owner, join within `lifetime_ms`.
    fn invite(&self, kind: InvitationKind, lifetime_ms: u64) -> Reply<'_, JoinLine>;
}
