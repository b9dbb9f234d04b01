//! The paths of the HTTP API and its bounds, said once for client and gateway.
//!
//! | method | path | body | answer |
//! | --- | --- | --- | --- |
//! | POST | `/v1/jobs` | frames ([`crate::frame`]) | events, one JSON object per line |
//! | GET | `/v1/jobs` | | JSON: list of summaries |
//! | GET | `/v1/jobs/{id}?from=N` | | JSON: detail |
//! | DELETE | `/v1/jobs/{id}` | | JSON: null |
//! | PUT, DELETE | `/v1/jobs/{id}/pause` | | JSON: null; PUT pauses, DELETE lets it go on |
//! | GET | `/v1/jobs/{id}/events` | | events |
//! | GET | `/v1/jobs/{id}/receipt` | | the file |
//! | GET | `/v1/blobs/{cid}` | | the bytes |
//! | POST | `/v1/blobs` | JSON: list of CIDs | DAG-CBOR: list of the first of them |
//! | POST | `/v1/blobs/has` | JSON: list of CIDs | JSON: list of booleans |
//! | POST | `/v1/blobs/put` | CAR version 1 | JSON: received |
//! | GET | `/v1/storage` | | JSON: stock |
//! | GET | `/v1/storage/pins?label=L&after_label=L&after_root=CID` | | JSON: list of pins |
//! | DELETE | `/v1/storage/pins/{root}?label=L` | | JSON: null |
//! | GET | `/v1/storage/where/{cid}` | | JSON: list of whereabouts |
//! | POST | `/v1/storage/chores` | JSON: chore | progress, one JSON object per line |
//! | GET | `/v1/cluster?current=BOOL` | | JSON: the cluster |
//! | POST | `/v1/cluster` | JSON: change | JSON: null |
//! | GET | `/v1/cluster/backup` | | the file ([`crate::backup`]) |
//! | POST | `/v1/known` | JSON: list of task keys | JSON: list of known tasks or null |
//! | GET | `/v1/status`, `/v1/nodes` | | JSON |
//! | GET | `/metrics` | | text for Prometheus |
//! | GET | `/v1/ledger/head` | | DAG-CBOR: header |
//! | GET | `/v1/ledger/blocks/{height}` | | DAG-CBOR: final block |
//! | GET | `/v1/ledger/txs/{digest}` | | DAG-CBOR: placed transaction |
//! | GET | `/v1/ledger/disputes` | | JSON: list, latest first |
//! | GET | `/v1/ledger/sanctions` | | JSON: list, latest first |
//! | GET | `/v1/ledger/evidence` | | JSON: list, latest first |
//! | GET | `/v1/ledger/evidence/{id}` | | the file |
//! | POST | `/v1/secondings` | JSON: owner | JSON: digest of the transaction |
//! | POST | `/v1/invitations` | JSON: kind, lifetime_ms | JSON: the line |
//!
//! Every request carries `Authorization: Bearer TOKEN`. Whatever fails answers an
//! [`crate::ApiError`] as JSON with a status of 400 or more. A line of an event stream that is
//! `{"error": …}` is an `ApiError` too, and the last one.

use identity::PublicKey;
use objects::Cid;
use protocol::{InvitationKind, limits};
use serde::{Deserialize, Serialize};

/// Submit, and the list of jobs.
pub const JOBS_PATH: &str = "/v1/jobs";
/// Several blocks of content; for one of them append `/{cid}`.
pub const BLOBS_PATH: &str = "/v1/blobs";
/// Which blocks are there.
pub const HAS_PATH: &str = "/v1/blobs/has";
/// Blocks to keep, as a CAR without roots.
pub const PUT_PATH: &str = "/v1/blobs/put";
/// What the store holds.
pub const STOCK_PATH: &str = "/v1/storage";
/// Pins; for one of them append `/{root}`.
pub const PINS_PATH: &str = "/v1/storage/pins";
/// Where a protected object is: append `/{cid}`.
pub const WHERE_PATH: &str = "/v1/storage/where";
/// Chores of the store.
pub const CHORES_PATH: &str = "/v1/storage/chores";
/// The node's cluster.
pub const CLUSTER_PATH: &str = "/v1/cluster";
/// A copy of what the cluster agreed on.
pub const BACKUP_PATH: &str = "/v1/cluster/backup";
/// Where results are that are known already.
pub const KNOWN_PATH: &str = "/v1/known";
/// The node.
pub const STATUS_PATH: &str = "/v1/status";
/// The nodes.
pub const NODES_PATH: &str = "/v1/nodes";
/// What the node counts and measures. Where Prometheus looks for it.
pub const METRICS_PATH: &str = "/metrics";
/// The last final header.
pub const HEAD_PATH: &str = "/v1/ledger/head";
/// A block: append `/{height}`.
pub const BLOCKS_PATH: &str = "/v1/ledger/blocks";
/// A transaction: append `/{digest}`.
pub const TXS_PATH: &str = "/v1/ledger/txs";
/// Disputes.
pub const DISPUTES_PATH: &str = "/v1/ledger/disputes";
/// Sanctions.
pub const SANCTIONS_PATH: &str = "/v1/ledger/sanctions";
/// What is proven; append `/{id}` for the evidence file.
pub const EVIDENCE_PATH: &str = "/v1/ledger/evidence";
/// Vouch for a sponsored owner.
pub const SECONDINGS_PATH: &str = "/v1/secondings";
/// Invite.
pub const INVITATIONS_PATH: &str = "/v1/invitations";

/// Media type of one JSON value.
pub const JSON: &str = "application/json";
/// Media type of events: one JSON object per line.
pub const NDJSON: &str = "application/x-ndjson";
/// Media type of canonical DAG-CBOR.
pub const DAG_CBOR: &str = "application/vnd.ipld.dag-cbor";
/// Media type of bytes.
pub const BYTES: &str = "application/octet-stream";
/// Media type of [`METRICS_PATH`].
pub const METRICS: &str = "text/plain; version=0.0.4; charset=utf-8";
/// Header by which a request is found again in the node's log: letters, digits and `-`, at most
/// [`REQUEST_ID_BYTES`].
pub const REQUEST_ID: &str = "x-request-id";
/// Bytes of it.
pub const REQUEST_ID_BYTES: usize = 64;
/// Media type of a CAR.
pub const CAR: &str = "application/vnd.ipld.car";
/// Media type of the frames of a submission.
pub const FRAMES: &str = "application/vnd.polity.frames";

/// Jobs in one list.
pub const JOBS: usize = 1_000;
/// Tasks in one [`crate::JobDetail`].
pub const TASKS: usize = 1_000;
/// Disputes in one list.
pub const DISPUTES: usize = 1_000;
/// Sanctions in one list.
pub const SANCTIONS: usize = 1_000;
/// Findings in one list.
pub const EVIDENCE: usize = 1_000;
/// Bytes of blocks in one answer, unless the first one has more.
pub const BLOBS_BYTES: usize = 4 << 20;
/// CIDs in one question what is there.
pub const CIDS: usize = 4_096;
/// Peers that are named to be asked first.
pub const FROM: usize = 16;
/// Pins in one list.
pub const PINS: usize = 1_000;
/// CIDs in one list of what is damaged or missing.
pub const DAMAGED: usize = 1_000;
/// Keys in one question what is known.
pub const KEYS: usize = 10_000;
/// Bytes of a JSON body in a request.
pub const REQUEST_BYTES: usize = 1 << 20;
/// Bytes of an answer that is not a stream: the largest is a receipt.
pub const ANSWER_BYTES: usize = limits::RECEIPT_BYTES;
/// Bytes of one line of an event stream.
pub const LINE_BYTES: usize = 16 << 20;

/// How the cluster is looked at.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClusterQuery {
    /// Whether the answer must hold everything that was acknowledged before.
    #[serde(default)]
    pub current: bool,
}

/// Which pins are asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PinsQuery {
    /// Those with this label; all without.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub label: Option<String>,
    /// Those after this label and root.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after_label: Option<String>,
    /// See `after_label`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after_root: Option<Cid>,
}

/// The label of the pin that is taken away.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct UnpinQuery {
    /// The label.
    pub label: String,
}

/// The body of a request to vouch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SecondRequest {
    /// For whom.
    pub owner: PublicKey,
}

/// The body of a request to invite.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct InviteRequest {
    /// Whom.
    pub kind: InvitationKind,
    /// For how long.
    pub lifetime_ms: u64,
}
