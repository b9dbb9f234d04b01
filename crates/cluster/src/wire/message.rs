//! What members say to each other: one hello for a stream, then questions and answers, each one
//! frame of canonical DAG-CBOR.

use crate::{
    ClusterId, Error,
    engine::{Entry, LogId, Types, Vote},
    record::{self, Position, VoteRecord},
};
use bytes::Bytes;
use identity::{PublicKey, canonical};
use openraft::raft::{
    AppendEntriesRequest, StreamAppendError, StreamAppendResult, VoteRequest, VoteResponse,
};
use protocol::{Time, port::Protocol};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use std::collections::BTreeMap;

/// What members of a cluster say to each other.
pub(crate) const CLUSTER: Protocol = Protocol("/polity/cluster/1");
/// Bytes of a hello.
pub(crate) const HELLO_BYTES: usize = 4 << 10;
/// Bytes of an answer: the state in which a cluster began is the largest.
pub(crate) const ANSWER_BYTES: usize = QUESTION_BYTES;
/// Bytes of entries in one question, unless one entry alone has more.
pub(crate) const ENTRIES_BYTES: usize = 8 << 20;
/// Bytes of a question of somebody who is no member: it asks to be let in.
pub(crate) const SMALL_QUESTION_BYTES: usize = 64 << 10;
/// Bytes of a question: a snapshot is the largest.
pub(crate) const QUESTION_BYTES: usize = record::MAX_SNAPSHOT_BYTES + (64 << 10);

/// Who opens a stream, and what for.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Hello {
    /// The cluster that it means; none before it was let in.
    pub(crate) cluster: Option<ClusterId>,
    /// How it stands.
    pub(crate) standing: Standing,
}

/// How a member stands: what must never go backwards.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Standing {
    /// A number drawn when its process began.
    pub(crate) life: u64,
    /// The last term in which it voted.
    pub(crate) term: u64,
    /// Its last entry.
    pub(crate) last: Option<Position>,
}

/// A question.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub(crate) enum Ask {
    /// Take these entries.
    Append(Append),
    /// Vote for me.
    Vote(Ballot),
    /// Would you vote for me?
    PreVote(Ballot),
    /// Take this state.
    Snapshot { vote: VoteRecord, snapshot: Bytes },
    /// Lead, if you have all this.
    Transfer { vote: VoteRecord, to: PublicKey, last: Option<Position> },
    /// How do you stand?
    Standing,
    /// Say this for me; only the leader can.
    Propose { input: Bytes },
    /// What must have been applied so that a look is linearizable? Only the leader knows.
    ReadIndex,
    /// Let me in.
    Join { labels: BTreeMap<String, String> },
    /// Let another one lead: this one, or whoever is best.
    HandOver { to: Option<PublicKey> },
    /// This node is no member any more.
    Remove { node: PublicKey },
    /// This node was removed, and may be let in again.
    LetIn { node: PublicKey },
}

#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Append {
    vote: VoteRecord,
    after: Option<Position>,
    /// Each as it is kept in the log.
    entries: Vec<Bytes>,
    committed: Option<Position>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Ballot {
    vote: VoteRecord,
    last: Option<Position>,
    /// The leader itself asked for this election.
    transfer: bool,
}

/// An answer.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub(crate) enum Answer {
    /// All entries up to here are durable.
    Appended { last: Option<Position> },
    /// The entry before them is another one here.
    Conflict { at: Position },
    /// Somebody else leads by now.
    HigherVote { vote: VoteRecord },
    /// What became of a ballot.
    Voted { vote: VoteRecord, granted: bool, last: Option<Position> },
    /// The state was taken.
    Installed { vote: VoteRecord },
    /// It stands for election.
    Transferred,
    /// How it stands.
    Standing(Standing),
    /// It is said and applied; the entry has this index or a lower one.
    Done { index: u64 },
    /// What must have been applied.
    ReadIndex { index: u64 },
    /// It is let in; the cluster began with this state.
    Joined {
        cluster: ClusterId,
        name: String,
        origin: Bytes,
        /// The entry that says so.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        at: Option<Box<Position>>,
    },
    /// It is as was asked.
    Managed,
    /// Another one leads, or nobody.
    NotLeader { leader: Option<PublicKey> },
    /// Leadership was lost on the way.
    Unknown,
    /// The cluster that is meant was lost and recovered without who asks: this one goes on from it,
    /// since this time.
    Recovered { into: ClusterId, at: Time },
    /// Not done, and why.
    Refused { reason: String },
}

pub(crate) fn encode<T: Serialize>(message: &T) -> Vec<u8> {
    canonical::encode(message)
}

pub(crate) fn decode<T: Serialize + DeserializeOwned>(
    bytes: &[u8],
    limit_bytes: usize,
) -> Result<T, Error> {
    canonical::decode(bytes, limit_bytes).map_err(|e| Error::Nonsense(e.to_string()))
}

fn position(id: Option<LogId>) -> Option<Position> {
    id.map(Position::from)
}

fn log_id(at: Option<Position>) -> Option<LogId> {
    at.map(LogId::from)
}

impl From<AppendEntriesRequest<Types>> for Append {
    fn from(request: AppendEntriesRequest<Types>) -> Self {
        Self {
            vote: request.vote.into(),
            after: position(request.prev_log_id),
            entries: request.entries.iter().map(record::entry_bytes).collect(),
            committed: position(request.leader_commit),
        }
    }
}

impl Append {
    /// Who leads, and since which term.
    pub(crate) fn vote(&self) -> Vote {
        self.vote.into()
    }

    /// The same for the engine.
    pub(crate) fn request(self) -> Result<AppendEntriesRequest<Types>, Error> {
        let after = self.after.map(|at| LogId::from(at).index);
        let first = after.map_or(Some(0), |after| after.checked_add(1));
        let end = first.and_then(|first| first.checked_add(self.entries.len() as u64));
        let (Some(first), Some(end)) = (first, end) else {
            let reason = "entries behind the last one that there can be";
            return Err(Error::Nonsense(reason.into()));
        };
        let entries: Result<Vec<Entry>, Error> = (first..end)
            .zip(&self.entries)
            .map(|(at, bytes)| record::entry_of(at, bytes))
            .collect();
        Ok(AppendEntriesRequest {
            vote: self.vote.into(),
            prev_log_id: log_id(self.after),
            entries: entries?,
            leader_commit: log_id(self.committed),
        })
    }
}

impl Ballot {
    /// Who stands for election, and for which term.
    pub(crate) fn vote(&self) -> Vote {
        self.vote.into()
    }

    /// The same, as if nobody had asked for this election.
    pub(crate) fn unasked(self) -> Self {
        Self { transfer: false, ..self }
    }

    /// The last entry of whoever stands for election.
    pub(crate) fn last(&self) -> Option<LogId> {
        log_id(self.last)
    }
}

impl From<VoteRequest<Types>> for Ballot {
    fn from(request: VoteRequest<Types>) -> Self {
        Self {
            vote: request.vote.into(),
            last: position(request.last_log_id),
            transfer: request.leadership_transfer,
        }
    }
}

impl From<Ballot> for VoteRequest<Types> {
    fn from(ballot: Ballot) -> Self {
        let mut request = VoteRequest::new(Vote::from(ballot.vote), log_id(ballot.last));
        request.leadership_transfer = ballot.transfer;
        request
    }
}

impl From<StreamAppendResult<Types>> for Answer {
    fn from(result: StreamAppendResult<Types>) -> Self {
        match result {
            Ok(last) => Self::Appended { last: position(last) },
            Err(StreamAppendError::Conflict(at)) => Self::Conflict { at: at.into() },
            Err(StreamAppendError::HigherVote(vote)) => Self::HigherVote { vote: vote.into() },
        }
    }
}

impl From<VoteResponse<Types>> for Answer {
    fn from(response: VoteResponse<Types>) -> Self {
        Self::Voted {
            vote: response.vote.into(),
            granted: response.vote_granted,
            last: position(response.last_log_id),
        }
    }
}

impl Answer {
    /// What became of entries, if this is the answer to that.
    pub(crate) fn appended(self) -> Result<StreamAppendResult<Types>, Self> {
        Ok(match self {
            Self::Appended { last } => Ok(log_id(last)),
            Self::Conflict { at } => Err(StreamAppendError::Conflict(at.into())),
            Self::HigherVote { vote } => Err(StreamAppendError::HigherVote(vote.into())),
            other => return Err(other),
        })
    }

    /// What became of a ballot, if this is the answer to that.
    pub(crate) fn voted(self) -> Result<VoteResponse<Types>, Self> {
        match self {
            Self::Voted { vote, granted, last } => {
                Ok(VoteResponse::new(Vote::from(vote), log_id(last), granted))
            }
            other => Err(other),
        }
    }

    /// Why it was not done, for people.
    pub(crate) fn reason(&self) -> String {
        match self {
            Self::Refused { reason } => reason.clone(),
            other => format!("it answers {other:?}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::{LeaderId, Member};
    use openraft::{entry::RaftEntry, type_config::alias::EntryPayloadOf};

    #[test]
    fn entries_behind_the_last_index_are_refused() {
        let leader_id = LeaderId { term: 1, node_id: Member(PublicKey([1; 32])) };
        let vote = Vote { leader_id, committed: true };
        let at = |index| LogId { leader_id, index };
        let entry = |index| Entry::new(at(index), EntryPayloadOf::<Types>::Blank);
        let request = |after, entries| {
            let prev_log_id = Some(at(after));
            let request = AppendEntriesRequest { vote, prev_log_id, entries, leader_commit: None };
            Append::from(request).request()
        };
        for (after, entries) in
            [(u64::MAX, vec![]), (u64::MAX, vec![entry(0)]), (u64::MAX - 1, vec![entry(u64::MAX)])]
        {
            assert!(matches!(request(after, entries), Err(Error::Nonsense(_))), "{after}");
        }
        assert!(request(u64::MAX - 2, vec![entry(u64::MAX - 1)]).is_ok());
    }
}
