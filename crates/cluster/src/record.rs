//! The bytes of everything that is kept in the log: one version byte, then canonical DAG-CBOR.

use crate::{
    Error,
    engine::{
        Command, Entry, LeaderId, LogId, Member, Membership, Payload, StoredMembership, Vote,
    },
};
use bytes::Bytes;
use identity::{PublicKey, canonical};
use openraft::entry::RaftEntry;
use protocol::Time;
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use std::collections::BTreeSet;

/// Version of all formats of this file.
const VERSION: u8 = 1;
/// Bytes of the largest input that any version takes.
pub(crate) const MAX_INPUT_BYTES: usize = 64 << 20;
/// Bytes of the largest entry: an input and what is written around it.
const MAX_ENTRY_BYTES: usize = MAX_INPUT_BYTES + (64 << 10);
/// Bytes of the largest snapshot.
pub(crate) const MAX_SNAPSHOT_BYTES: usize = 1 << 30;
/// Bytes of any other value.
const MAX_VALUE_BYTES: usize = 64 << 10;

fn seal<T: Serialize>(value: &T) -> Bytes {
    let mut bytes = vec![VERSION];
    bytes.extend(canonical::encode(value));
    bytes.into()
}

fn open<T>(what: &'static str, bytes: &[u8], limit_bytes: usize) -> Result<T, Error>
where
    T: Serialize + DeserializeOwned,
{
    match bytes.split_first() {
        Some((&VERSION, body)) => canonical::decode(body, limit_bytes)
            .map_err(|e| Error::Unreadable { what, reason: e.to_string() }),
        Some((&version, _)) => Err(Error::Newer { what, version }),
        None => Err(Error::Unreadable { what, reason: "it is empty".into() }),
    }
}

/// Where an entry stands, and who put it there.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Position {
    term: u64,
    leader: PublicKey,
    index: u64,
}

impl From<LogId> for Position {
    fn from(id: LogId) -> Self {
        Self { term: id.leader_id.term, leader: id.leader_id.node_id.0, index: id.index }
    }
}

impl From<Position> for LogId {
    fn from(at: Position) -> Self {
        let leader_id = LeaderId { term: at.term, node_id: Member(at.leader) };
        LogId { leader_id, index: at.index }
    }
}

/// Who votes and who only listens.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Members {
    voters: Vec<BTreeSet<PublicKey>>,
    learners: BTreeSet<PublicKey>,
}

impl From<&Membership> for Members {
    fn from(members: &Membership) -> Self {
        let keys = |set: &BTreeSet<Member>| set.iter().map(|member| member.0).collect();
        Self {
            voters: members.get_joint_config().iter().map(keys).collect(),
            learners: members.learner_ids().map(|member| member.0).collect(),
        }
    }
}

impl From<Members> for Membership {
    fn from(members: Members) -> Self {
        let ids = |set: BTreeSet<PublicKey>| set.into_iter().map(Member).collect();
        let voters = members.voters.into_iter().map(ids).collect();
        Membership::new_with_defaults(voters, members.learners.into_iter().map(Member))
    }
}

/// One entry of the log.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct EntryRecord {
    at: Position,
    says: Says,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
enum Says {
    /// A leader was elected.
    Elected,
    /// The mind takes an input.
    Input { at: Time, leads: bool, input: Bytes },
    /// The cluster has these members from now on.
    Members(Members),
}

pub(crate) fn entry_bytes(entry: &Entry) -> Bytes {
    let says = match &entry.payload {
        Payload::Blank => Says::Elected,
        Payload::Normal(Command { at, leads, input }) => {
            Says::Input { at: *at, leads: *leads, input: input.clone() }
        }
        Payload::Membership(members) => Says::Members(members.into()),
    };
    seal(&EntryRecord { at: entry.log_id.into(), says })
}

/// Reads the entry that is kept at `index`.
pub(crate) fn entry_of(index: u64, bytes: &[u8]) -> Result<Entry, Error> {
    let what = "an entry of the cluster's log";
    let record: EntryRecord = open(what, bytes, MAX_ENTRY_BYTES)?;
    if record.at.index != index {
        let reason = format!("entry {} stands where {index} should", record.at.index);
        return Err(Error::Unreadable { what, reason });
    }
    let payload = match record.says {
        Says::Elected => Payload::Blank,
        Says::Input { at, leads, input } => Payload::Normal(Command { at, leads, input }),
        Says::Members(members) => Payload::Membership(members.into()),
    };
    Ok(Entry::new(record.at.into(), payload))
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct VoteRecord {
    term: u64,
    candidate: PublicKey,
    elected: bool,
}

pub(crate) fn vote_bytes(vote: &Vote) -> Bytes {
    let Vote { leader_id, committed } = *vote;
    seal(&VoteRecord { term: leader_id.term, candidate: leader_id.node_id.0, elected: committed })
}

pub(crate) fn vote_of(bytes: &[u8]) -> Result<Vote, Error> {
    let record: VoteRecord = open("the cluster's vote", bytes, MAX_VALUE_BYTES)?;
    let leader_id = LeaderId { term: record.term, node_id: Member(record.candidate) };
    Ok(Vote { leader_id, committed: record.elected })
}

pub(crate) fn position_bytes(id: LogId) -> Bytes {
    seal(&Position::from(id))
}

pub(crate) fn position_of(bytes: &[u8]) -> Result<LogId, Error> {
    let position: Position = open("a position in the cluster's log", bytes, MAX_VALUE_BYTES)?;
    Ok(position.into())
}

/// A replica at one position of the log.
#[derive(Clone, Debug)]
pub(crate) struct Kept {
    pub(crate) applied: Option<LogId>,
    pub(crate) members: StoredMembership,
    /// The latest stamp.
    pub(crate) now: Time,
    /// The mind, in canonical bytes.
    pub(crate) mind: Bytes,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct KeptRecord {
    applied: Option<Position>,
    members: Members,
    members_at: Option<Position>,
    now: Time,
    mind: Bytes,
}

pub(crate) fn kept_bytes(kept: &Kept) -> Bytes {
    seal(&KeptRecord {
        applied: kept.applied.map(Position::from),
        members: kept.members.membership().into(),
        members_at: kept.members.log_id().map(Position::from),
        now: kept.now,
        mind: kept.mind.clone(),
    })
}

pub(crate) fn kept_of(bytes: &[u8]) -> Result<Kept, Error> {
    let record: KeptRecord = open("a snapshot of the cluster", bytes, MAX_SNAPSHOT_BYTES)?;
    let members_at = record.members_at.map(LogId::from);
    Ok(Kept {
        applied: record.applied.map(LogId::from),
        members: StoredMembership::new(members_at, record.members.into()),
        now: record.now,
        mind: record.mind,
    })
}

/// The state in which a cluster was founded.
pub(crate) fn origin_bytes<M: Serialize>(mind: &M) -> Bytes {
    seal(mind)
}

/// As [`mind_of`]: whoever wrote it may have known fewer fields.
pub(crate) fn origin_of<M: DeserializeOwned>(bytes: &[u8]) -> Result<M, Error> {
    let what = "the first state of the cluster";
    match bytes.split_first() {
        Some((&VERSION, body)) => canonical::parse(body, MAX_SNAPSHOT_BYTES)
            .map_err(|e| Error::Unreadable { what, reason: e.to_string() }),
        Some((&version, _)) => Err(Error::Newer { what, version }),
        None => Err(Error::Unreadable { what, reason: "it is empty".into() }),
    }
}

/// The mind in a snapshot.
pub(crate) fn mind_bytes<M: Serialize>(mind: &M) -> Bytes {
    canonical::encode(mind).into()
}

/// Reads a mind that may have been written in an older form: it is not written back as the same
/// bytes then.
pub(crate) fn mind_of<M: DeserializeOwned>(bytes: &[u8]) -> Result<M, Error> {
    canonical::parse(bytes, MAX_SNAPSHOT_BYTES)
        .map_err(|e| Error::Unreadable { what: "the state in a snapshot", reason: e.to_string() })
}

/// An input in an entry.
pub(crate) fn input_bytes<I: Serialize>(input: &I) -> Bytes {
    canonical::encode(input).into()
}

pub(crate) fn input_of<I: Serialize + DeserializeOwned>(bytes: &[u8]) -> Result<I, Error> {
    canonical::decode(bytes, MAX_INPUT_BYTES)
        .map_err(|e| Error::Unreadable { what: "an input in the log", reason: e.to_string() })
}
