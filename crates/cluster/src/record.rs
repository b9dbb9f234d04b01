//! The bytes of everything that is kept in the log: one version byte, then canonical DAG-CBOR.

use crate::{
    ClusterId, Error,
    engine::{
        Command, Entry, LeaderId, LogId, Member, Membership, Payload, StoredMembership, Tags, Vote,
    },
    removed::Removed,
};
use bytes::Bytes;
use identity::{PublicKey, canonical};
use openraft::entry::RaftEntry;
use protocol::Time;
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use std::{
    borrow::Cow,
    collections::{BTreeMap, BTreeSet},
    io::{Read, Write},
};

/// Version of all formats of this file.
const VERSION: u8 = 1;
/// Version of what says who was removed, which those who know the first one only cannot read.
const REMOVED_VERSION: u8 = 2;
/// Version of a snapshot that is compressed (RFC 8878), whatever is in it.
const PACKED_VERSION: u8 = 3;
/// Bytes of a snapshot from which on it is compressed. Smaller ones stay as all versions read them.
const PACKED_BYTES: usize = 1 << 20;
/// How hard: the fastest, which makes the state of a large job a third to a fifth.
const PACKED_LEVEL: i32 = 1;
/// Bytes of the largest input that any version takes.
pub(crate) const MAX_INPUT_BYTES: usize = 64 << 20;
/// Bytes of the largest entry: an input and what is written around it.
const MAX_ENTRY_BYTES: usize = MAX_INPUT_BYTES + (64 << 10);
/// Bytes of the largest snapshot as it is kept and sent.
pub(crate) const MAX_SNAPSHOT_BYTES: usize = 1 << 30;
/// Bytes of the largest state, which is in a snapshot.
const MAX_STATE_BYTES: usize = 8 << 30;
/// Bytes of any other value.
const MAX_VALUE_BYTES: usize = 64 << 10;

fn seal<T: Serialize>(value: &T) -> Bytes {
    seal_as(VERSION, value)
}

fn seal_as<T: Serialize>(version: u8, value: &T) -> Bytes {
    let mut bytes = vec![version];
    bytes.extend(canonical::encode(value));
    bytes.into()
}

fn open<T>(what: &'static str, bytes: &[u8], limit_bytes: usize) -> Result<T, Error>
where
    T: Serialize + DeserializeOwned,
{
    match bytes.split_first() {
        Some((&(VERSION | REMOVED_VERSION), body)) => canonical::decode(body, limit_bytes)
            .map_err(|e| Error::Unreadable { what, reason: e.to_string() }),
        Some((&version, _)) => Err(Error::Newer { what, version }),
        None => Err(Error::Unreadable { what, reason: "it is empty".into() }),
    }
}

/// Where an entry stands, and who put it there.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Position {
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
    /// Labels of those that have some.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    tags: Vec<(PublicKey, Tags)>,
}

impl From<&Membership> for Members {
    fn from(members: &Membership) -> Self {
        let keys = |set: &BTreeSet<Member>| set.iter().map(|member| member.0).collect();
        let tagged = members.nodes().filter(|(_, tags)| !tags.0.is_empty());
        Self {
            voters: members.get_joint_config().iter().map(keys).collect(),
            learners: members.learner_ids().map(|member| member.0).collect(),
            tags: tagged.map(|(member, tags)| (member.0, tags.clone())).collect(),
        }
    }
}

fn membership_of(what: &'static str, members: Members) -> Result<Membership, Error> {
    let ids = |set: BTreeSet<PublicKey>| set.into_iter().map(Member).collect();
    let named = members.voters.iter().flatten().chain(&members.learners);
    let mut nodes: BTreeMap<Member, Tags> =
        named.map(|key| (Member(*key), Tags::default())).collect();
    for (key, tags) in members.tags {
        // Labels of somebody who is no member say nothing.
        if let Some(known) = nodes.get_mut(&Member(key)) {
            *known = tags;
        }
    }
    if nodes.is_empty() {
        return Ok(Membership::default());
    }
    Membership::new(members.voters.into_iter().map(ids).collect(), nodes)
        .map_err(|e| Error::Unreadable { what, reason: e.to_string() })
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
    /// A node that is no member is not let in, or may be let in again.
    Removed { node: PublicKey, removed: bool },
}

pub(crate) fn entry_bytes(entry: &Entry) -> Bytes {
    let (version, says) = match &entry.payload {
        Payload::Blank => (VERSION, Says::Elected),
        Payload::Normal(Command::Input { at, leads, input }) => {
            (VERSION, Says::Input { at: *at, leads: *leads, input: input.clone() })
        }
        Payload::Normal(Command::Removed { node, removed }) => {
            (REMOVED_VERSION, Says::Removed { node: *node, removed: *removed })
        }
        Payload::Membership(members) => (VERSION, Says::Members(members.into())),
    };
    seal_as(version, &EntryRecord { at: entry.log_id.into(), says })
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
        Says::Input { at, leads, input } => Payload::Normal(Command::Input { at, leads, input }),
        Says::Removed { node, removed } => Payload::Normal(Command::Removed { node, removed }),
        Says::Members(members) => Payload::Membership(membership_of(what, members)?),
    };
    Ok(Entry::new(record.at.into(), payload))
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct VoteRecord {
    term: u64,
    candidate: PublicKey,
    elected: bool,
}

impl From<Vote> for VoteRecord {
    fn from(Vote { leader_id, committed }: Vote) -> Self {
        Self { term: leader_id.term, candidate: leader_id.node_id.0, elected: committed }
    }
}

impl From<VoteRecord> for Vote {
    fn from(record: VoteRecord) -> Self {
        let leader_id = LeaderId { term: record.term, node_id: Member(record.candidate) };
        Vote { leader_id, committed: record.elected }
    }
}

pub(crate) fn vote_bytes(vote: &Vote) -> Bytes {
    seal(&VoteRecord::from(*vote))
}

pub(crate) fn vote_of(bytes: &[u8]) -> Result<Vote, Error> {
    Ok(open::<VoteRecord>("the cluster's vote", bytes, MAX_VALUE_BYTES)?.into())
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
    /// Who is not let in again.
    pub(crate) removed: Removed,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct KeptRecord {
    applied: Option<Position>,
    members: Members,
    members_at: Option<Position>,
    now: Time,
    mind: Bytes,
    #[serde(default, skip_serializing_if = "Removed::is_empty")]
    removed: Removed,
}

pub(crate) fn kept_bytes(kept: &Kept) -> Bytes {
    let version = if kept.removed.is_empty() { VERSION } else { REMOVED_VERSION };
    let record = KeptRecord {
        applied: kept.applied.map(Position::from),
        members: kept.members.membership().into(),
        members_at: kept.members.log_id().map(Position::from),
        now: kept.now,
        mind: kept.mind.clone(),
        removed: kept.removed.clone(),
    };
    pack(seal_as(version, &record))
}

/// Compresses what is large.
fn pack(sealed: Bytes) -> Bytes {
    if sealed.len() < PACKED_BYTES {
        return sealed;
    }
    let packed = vec![PACKED_VERSION];
    let mut encoder = zstd::Encoder::new(packed, PACKED_LEVEL).expect("the level is one");
    encoder.write_all(&sealed).expect("memory takes everything");
    encoder.finish().expect("memory takes everything").into()
}

/// What was compressed, if it was, and is not larger than a state may be.
fn unpack<'a>(what: &'static str, bytes: &'a [u8]) -> Result<Cow<'a, [u8]>, Error> {
    let Some((&PACKED_VERSION, packed)) = bytes.split_first() else { return Ok(bytes.into()) };
    let unreadable = |reason: String| Error::Unreadable { what, reason };
    let decoder = zstd::Decoder::new(packed).map_err(|e| unreadable(e.to_string()))?;
    let mut sealed = Vec::new();
    let limit = MAX_STATE_BYTES as u64 + 1;
    decoder.take(limit).read_to_end(&mut sealed).map_err(|e| unreadable(e.to_string()))?;
    if sealed.len() > MAX_STATE_BYTES {
        return Err(unreadable(format!("it is larger than {MAX_STATE_BYTES} bytes")));
    }
    Ok(sealed.into())
}

pub(crate) fn kept_of(bytes: &[u8]) -> Result<Kept, Error> {
    let what = "a snapshot of the cluster";
    let record: KeptRecord = open(what, &unpack(what, bytes)?, MAX_STATE_BYTES)?;
    let members_at = record.members_at.map(LogId::from);
    let members = membership_of(what, record.members)?;
    Ok(Kept {
        applied: record.applied.map(LogId::from),
        members: StoredMembership::new(members_at, members),
        now: record.now,
        mind: record.mind,
        removed: record.removed,
    })
}

/// What a log is part of.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Belongs {
    /// Whose log it is.
    pub(crate) me: PublicKey,
    /// The cluster; none while this node waits to be let in.
    pub(crate) cluster: Option<ClusterId>,
    /// What its owner calls it.
    pub(crate) name: String,
    /// Whom it asks to be let in.
    pub(crate) seeds: Vec<PublicKey>,
    /// The clusters that this one goes on from, and when it began to.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) former: Vec<Former>,
}

/// A cluster that was lost, and another one began with what was left of it.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Former {
    pub(crate) cluster: ClusterId,
    pub(crate) until: Time,
}

pub(crate) fn belongs_bytes(belongs: &Belongs) -> Bytes {
    seal(belongs)
}

pub(crate) fn belongs_of(bytes: &[u8]) -> Result<Belongs, Error> {
    open("the name of the cluster", bytes, MAX_VALUE_BYTES)
}

/// The state in which a cluster was founded.
pub(crate) fn origin_bytes<M: Serialize>(mind: &M) -> Bytes {
    seal(mind)
}

/// As [`mind_of`]: whoever wrote it may have known fewer fields.
pub(crate) fn origin_of<M: DeserializeOwned>(bytes: &[u8]) -> Result<M, Error> {
    let what = "the first state of the cluster";
    match bytes.split_first() {
        Some((&VERSION, body)) => canonical::parse(body, MAX_STATE_BYTES)
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
    canonical::parse(bytes, MAX_STATE_BYTES)
        .map_err(|e| Error::Unreadable { what: "the state in a snapshot", reason: e.to_string() })
}

/// An input in an entry.
pub(crate) fn input_bytes<I: Serialize>(input: &I) -> Bytes {
    canonical::encode(input).into()
}

/// Reads an input of a whole entry: if it cannot be read, it is not damaged, but of a later version.
pub(crate) fn input_of<I: Serialize + DeserializeOwned>(bytes: &[u8]) -> Result<I, Error> {
    canonical::decode(bytes, MAX_INPUT_BYTES)
        .map_err(|error| Error::UnknownInput { reason: error.to_string() })
}
