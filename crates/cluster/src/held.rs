//! A cluster's state outside of a running cluster: a copy to be kept elsewhere, what a log holds
//! while no node runs, and the first log of a cluster of one that goes on from there.

use crate::{
    ClusterId, Error, Replicated,
    engine::{Command, LeaderId, LogId, Member, Membership, Payload, StoredMembership, Tags, Vote},
    record::{self, Belongs, Former, Kept, MAX_SNAPSHOT_BYTES},
    removed::Removed,
    store::{BELONGS, COMMITTED, ORIGIN, PURGED, SNAPSHOT, VOTE},
};
use bytes::Bytes;
use identity::PublicKey;
use protocol::{Time, port::Log};
use std::collections::{BTreeMap, BTreeSet};

/// Entries that are read at a time.
const CHUNK: u64 = 64;
/// Clusters that one says it goes on from, the latest.
const FORMER: usize = 64;

/// A copy of what a cluster agreed on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Image {
    /// The cluster.
    pub cluster: ClusterId,
    /// What its owner calls it.
    pub name: String,
    /// The term of the last entry that is in it.
    pub term: u64,
    /// The last entry that is in it.
    pub index: u64,
    /// The latest stamp that is in it.
    pub now: Time,
    /// The members.
    pub members: BTreeSet<PublicKey>,
    /// The state in which the cluster began, in its bytes.
    pub origin: Bytes,
    /// The state, in the bytes of a snapshot.
    pub state: Bytes,
}

impl Image {
    pub(crate) fn of(belongs: Belongs, kept: &Kept, origin: Bytes) -> Result<Self, Error> {
        let (Some(cluster), Some(applied)) = (belongs.cluster, kept.applied) else {
            return Err(Error::Members("this node was not let into a cluster yet".into()));
        };
        let state = record::kept_bytes(kept);
        if state.len() > MAX_SNAPSHOT_BYTES {
            let (size_bytes, limit_bytes) = (state.len(), MAX_SNAPSHOT_BYTES);
            return Err(Error::TooLarge { size_bytes, limit_bytes });
        }
        let members = kept.members.membership().nodes().map(|(member, _)| member.0).collect();
        let (term, index, now) = (applied.leader_id.term, applied.index, kept.now);
        Ok(Self { cluster, name: belongs.name, term, index, now, members, origin, state })
    }
}

/// What a node held of its cluster when it stopped, or what a copy holds.
#[derive(Clone, Debug)]
pub struct Held<M> {
    /// The cluster.
    pub cluster: ClusterId,
    /// What its owner calls it.
    pub name: String,
    /// The term of the last entry.
    pub term: u64,
    /// The last entry.
    pub index: u64,
    /// The latest stamp.
    pub now: Time,
    /// The members, and whether they vote.
    pub members: BTreeMap<PublicKey, bool>,
    /// The mind as it was after the last entry.
    pub mind: M,
    kept: Kept,
    origin: Bytes,
    /// The last term in which the node voted.
    voted: u64,
    former: Vec<Former>,
}

impl<M: Replicated> Held<M> {
    /// Reads what a log holds; nobody may write to it meanwhile. Entries count that are in the log,
    /// whether a majority had them or not: nobody is left to say otherwise. Nothing if the log is
    /// empty, or its node waits to be let into a cluster.
    ///
    /// # Errors
    /// [`Error::Foreign`] if it is not this node's; [`Error::Newer`], [`Error::Unreadable`] or
    /// [`Error::Log`] if it cannot be read.
    pub async fn read(log: &dyn Log, me: PublicKey) -> Result<Option<Self>, Error> {
        let Some(belongs) = log.value(BELONGS).await? else { return Ok(None) };
        let belongs = record::belongs_of(&belongs)?;
        if belongs.me != me {
            return Err(Error::Foreign { owner: belongs.me, me });
        }
        let (Some(cluster), Some(origin)) = (belongs.cluster, log.value(ORIGIN).await?) else {
            return Ok(None);
        };
        let mut kept = match log.value(SNAPSHOT).await? {
            Some(bytes) => record::kept_of(&bytes)?,
            None => Kept {
                applied: None,
                members: StoredMembership::default(),
                now: Time::default(),
                mind: Bytes::new(),
                removed: Removed::default(),
            },
        };
        let mut mind = match kept.applied {
            Some(_) => record::mind_of(&kept.mind)?,
            None => record::origin_of(&origin)?,
        };
        replay(log, &mut kept, &mut mind).await?;
        let vote = log.value(VOTE).await?.map(|bytes| record::vote_of(&bytes)).transpose()?;
        let voted = vote.map_or(0, |vote| vote.leader_id.term);
        let Some(applied) = kept.applied else { return Ok(None) };
        let (named, former) = ((cluster, belongs.name), belongs.former);
        Ok(Some(Self::at(applied, named, kept, mind, (origin, voted), former)))
    }

    /// Reads a copy.
    ///
    /// # Errors
    /// [`Error::Newer`] or [`Error::Unreadable`].
    pub fn of(image: Image) -> Result<Self, Error> {
        let kept = record::kept_of(&image.state)?;
        let mind = record::mind_of(&kept.mind)?;
        // What cannot be read by those who join later must not be kept.
        let _first: M = record::origin_of(&image.origin)?;
        let what = "a copy of the cluster";
        let Some(applied) = kept.applied.filter(|at| at.index == image.index) else {
            let reason = format!("it does not end at entry {}", image.index);
            return Err(Error::Unreadable { what, reason });
        };
        let (named, origin) = ((image.cluster, image.name), image.origin);
        Ok(Self::at(applied, named, kept, mind, (origin, 0), Vec::new()))
    }

    fn at(
        applied: LogId,
        (cluster, name): (ClusterId, String),
        kept: Kept,
        mind: M,
        (origin, voted): (Bytes, u64),
        former: Vec<Former>,
    ) -> Self {
        let membership = kept.members.membership();
        let voters: BTreeSet<Member> = membership.voter_ids().collect();
        let members =
            membership.nodes().map(|(member, _)| (member.0, voters.contains(member))).collect();
        let (term, index, now) = (applied.leader_id.term, applied.index, kept.now);
        Self { cluster, name, term, index, now, members, mind, kept, origin, voted, former }
    }

    /// Begins a log in which `me`, with these labels, is the only member of a cluster that goes on from here. It has a
    /// name of its own, made of the time and a number that was drawn: members of the cluster before
    /// are not listened to, and are told why. The log is whole when this returns, and of no use
    /// before.
    ///
    /// # Errors
    /// [`Error::Unreadable`] if the log is not empty; [`Error::Log`].
    pub async fn begin_alone(
        self,
        log: &dyn Log,
        me: PublicKey,
        labels: BTreeMap<String, String>,
        (now, number): (Time, u64),
    ) -> Result<ClusterId, Error> {
        let is_new = log.range().is_empty() && log.value(BELONGS).await?.is_none();
        let Some(applied) = self.kept.applied.filter(|_| is_new) else {
            let reason = "it is not empty".into();
            return Err(Error::Unreadable { what: "the log of a new cluster", reason });
        };
        let alone = BTreeMap::from([(Member(me), Tags(labels))]);
        let members = Membership::new(vec![BTreeSet::from([Member(me)])], alone)
            .map_err(|error| Error::Members(error.to_string()))?;
        let members = StoredMembership::new(Some(applied), members);
        let mut kept = Kept { members, mind: record::mind_bytes(&self.mind), ..self.kept };
        kept.removed.set(me, false);
        let vote = Vote {
            leader_id: LeaderId {
                term: self.voted.max(applied.leader_id.term),
                node_id: Member(me),
            },
            committed: false,
        };
        let cluster = ClusterId::found(&me, now, number);
        let mut former = self.former;
        former.push(Former { cluster: self.cluster, until: now });
        let surplus = former.len().saturating_sub(FORMER);
        former.drain(..surplus);
        let belongs =
            Belongs { me, cluster: Some(cluster), name: self.name, seeds: Vec::new(), former };
        log.set(ORIGIN, self.origin).await?;
        log.set(SNAPSHOT, record::kept_bytes(&kept)).await?;
        log.set(VOTE, record::vote_bytes(&vote)).await?;
        log.set(PURGED, record::position_bytes(applied)).await?;
        log.set(COMMITTED, record::position_bytes(applied)).await?;
        log.purge(applied.index + 1).await?;
        log.set(BELONGS, record::belongs_bytes(&belongs)).await?;
        Ok(cluster)
    }
}

/// Takes the entries behind a snapshot. What they led to was done, or is asked for again by whoever
/// leads next.
async fn replay<M: Replicated>(log: &dyn Log, kept: &mut Kept, mind: &mut M) -> Result<(), Error> {
    let range = log.range();
    let mut next = kept.applied.map_or(0, |id| id.index + 1).max(range.start);
    if kept.applied.is_some_and(|id| id.index + 1 < range.start && !range.is_empty()) {
        let reason = format!("it begins at {}, behind its snapshot", range.start);
        return Err(Error::Unreadable { what: "the cluster's log", reason });
    }
    let mut effects = Vec::new();
    while next < range.end {
        let end = range.end.min(next + CHUNK);
        for (index, bytes) in (next..end).zip(log.read(next..end).await?) {
            let entry = record::entry_of(index, &bytes)?;
            kept.applied = Some(entry.log_id);
            match entry.payload {
                Payload::Blank => {}
                Payload::Membership(members) => {
                    kept.removed.change(kept.members.membership(), &members);
                    kept.members = StoredMembership::new(kept.applied, members);
                }
                Payload::Normal(Command::Removed { node, removed }) => {
                    kept.removed.set(node, removed);
                }
                Payload::Normal(Command::Input { at, input, .. }) => {
                    kept.now = kept.now.max(at);
                    mind.step(kept.now, record::input_of(&input)?, &mut effects);
                    effects.clear();
                }
            }
        }
        next = end;
    }
    Ok(())
}
