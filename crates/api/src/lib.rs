//! The one front door: requests, events, error codes, the `NodeApi` trait, a client.
//!
//! Whoever wants something of a node says it through [`NodeApi`]. `node` implements it, `gateway`
//! offers it over HTTP, [`Client`] speaks that HTTP and is a `NodeApi` again, so a door cannot tell
//! the two apart. The paths are in [`path`], the frames of a submission in [`frame`].

#![cfg_attr(test, allow(clippy::unwrap_used))]

pub mod backup;
mod chain;
pub mod client;
mod cluster;
mod door;
mod error;
pub mod event_line;
pub mod frame;
mod job;
mod justice;
mod line;
pub mod path;
mod placing;
mod society;
mod storage;

pub use chain::{FinalBlock, PlacedTx};
pub use client::Client;
pub use cluster::{
    BackupBytes, ClusterApi, ClusterChange, ClusterInfo, MemberInfo, Quota, QuotaInfo, Reservation,
};
pub use door::{JobEvents, NodeApi, Reply};
pub use error::{ApiError, Code};
pub use frame::FrameError;
pub use job::{
    AuditCount, JobDetail, JobState, JobSummary, JobTimes, KnownTask, ReplicaDetail, ReplicaState,
    Step, Submission, TaskDetail, TaskState, Trouble, blobs_of,
};
pub use justice::{
    ClaimInfo, DisputeInfo, DisputeState, EvidenceInfo, LostRight, SanctionInfo, evidence_id,
};
pub use line::{FoundingLine, JoinLine, KnownPeer, LineError};
pub use placing::{Cap, Factors, Misfit, Place, Placing};
pub use society::{AboutInfo, NodeInfo, NodeLoad, Status, Totals};
pub use storage::{
    Blocks, Chore, ChoreReport, Chores, HolderInfo, PinInfo, PinMode, Progress, Received, Stock,
    StorageApi, USER_LABEL, Whereabouts,
};
