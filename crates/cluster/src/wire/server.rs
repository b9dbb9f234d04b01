//! Answers other members.

use super::{
    Answer, Ask, Vouched, Wire,
    message::{
        Append, Ballot, CLUSTER, HELLO_BYTES, Hello, QUESTION_BYTES, SMALL_QUESTION_BYTES, decode,
        encode,
    },
    trust::removed,
};
use crate::{
    Error, Replicated,
    engine::{LogId, Member, Tags, Types, Vote},
    lock::lock,
    members::MEMBERS,
    record::{self, Former},
    removed::Removed,
    voice::Voice,
};
use bytes::Bytes;
use futures::{
    StreamExt,
    io::{AsyncReadExt, ReadHalf, WriteHalf},
    stream,
};
use identity::PublicKey;
use openraft::{
    raft::{AppendEntriesRequest, TransferLeaderRequest},
    storage::{Snapshot, SnapshotMeta},
};
use protocol::port::{Incoming, Offence, Stream, StreamError, read_frame, write_frame};
use std::{
    collections::BTreeMap,
    io,
    sync::{Arc, Mutex},
    time::Duration,
};
use tokio::{sync::watch, task::JoinSet, time::timeout};

/// Streams of one member that are answered at once.
const STREAMS: usize = 64;

/// Tells whether a node may be a member: whether it is the same owner's.
pub type Admits = Arc<dyn Fn(&PublicKey) -> bool + Send + Sync>;

/// Answers what members ask. A cheap copy.
pub(crate) struct Server<M: Replicated> {
    pub(crate) voice: Voice<M>,
    pub(crate) admits: Admits,
    pub(crate) vouched: Vouched,
    /// Who was removed by the last entry of an earlier life, which may be applied later.
    pub(crate) earlier: Arc<Removed>,
    pub(crate) last: Option<u64>,
}

impl<M: Replicated> Clone for Server<M> {
    fn clone(&self) -> Self {
        Self {
            voice: self.voice.clone(),
            admits: self.admits.clone(),
            vouched: self.vouched.clone(),
            earlier: self.earlier.clone(),
            last: self.last,
        }
    }
}

type Reader = ReadHalf<Stream>;
type Writer = WriteHalf<Stream>;

/// What comes after the answer to a question.
enum After {
    Next,
    /// Nothing that is on its way fits any more.
    Close,
}

impl<M: Replicated> Server<M> {
    /// Answers until the network closes, or it is told to stop.
    pub(crate) async fn run(self, mut stop: watch::Receiver<bool>) -> Result<(), StreamError> {
        let mut incoming = self.wire().streams.accept(CLUSTER)?;
        let open: Arc<Mutex<BTreeMap<PublicKey, usize>>> = Arc::default();
        let mut answering = JoinSet::new();
        loop {
            tokio::select! {
                biased;
                _ = stop.wait_for(|stop| *stop) => return Ok(()),
                Some(_) = answering.join_next() => {}
                next = incoming.next() => {
                    let Some(Incoming { peer, stream }) = next else { return Ok(()) };
                    if !(self.admits)(&peer) {
                        tracing::debug!(%peer, "a stream of another owner's node is closed");
                        self.wire().streams.penalise(peer, Offence::Flooding);
                        continue;
                    }
                    {
                        let mut open = lock(&open);
                        let count = open.entry(peer).or_default();
                        if *count >= STREAMS {
                            self.wire().streams.penalise(peer, Offence::Flooding);
                            continue;
                        }
                        *count += 1;
                    }
                    let (server, open) = (self.clone(), open.clone());
                    answering.spawn(async move {
                        server.serve(peer, stream).await;
                        let mut open = lock(&open);
                        if let Some(count) = open.get_mut(&peer) {
                            *count -= 1;
                            if *count == 0 {
                                open.remove(&peer);
                            }
                        }
                    });
                }
            }
        }
    }

    pub(super) fn wire(&self) -> &Wire {
        &self.voice.wire
    }

    async fn serve(&self, peer: PublicKey, stream: Stream) {
        let (mut reader, mut writer) = stream.split();
        let patience = self.wire().patience;
        let hello = timeout(patience, read_frame(&mut reader, HELLO_BYTES)).await;
        let Ok(Ok(Some(hello))) = hello else { return };
        let Ok(hello) = decode::<Hello>(&hello, HELLO_BYTES) else {
            return self.wire().streams.penalise(peer, Offence::Malformed);
        };
        if let Some(refused) = self.refusal(peer, &hello) {
            let reason = refused.reason();
            tracing::warn!(member = %peer.short(), reason, "a node is not listened to");
            return refuse(&refused, (reader, writer), patience).await;
        }
        // Whoever opens a stream has a question; the next one may come much later.
        let first = timeout(patience, self.question(peer, &hello, &mut reader)).await;
        let mut asked = first.ok().flatten();
        while let Some(ask) = asked {
            let after = match ask {
                // The first of many: the stream is the leader's from here on.
                Ask::Append(first) if hello.cluster.is_some() => {
                    return self.append(peer, first, (reader, writer)).await;
                }
                ask => self.answer(peer, &hello, ask, &mut writer).await,
            };
            if matches!(after, After::Close) {
                return;
            }
            asked = self.question(peer, &hello, &mut reader).await;
        }
    }

    /// The next question, unless who asked has gone or says what is none.
    async fn question(&self, peer: PublicKey, hello: &Hello, reader: &mut Reader) -> Option<Ask> {
        // Entries and states come from members only.
        let may_tell = hello.cluster.is_some() && self.is_trusted(peer).await;
        let limit_bytes = if may_tell { QUESTION_BYTES } else { SMALL_QUESTION_BYTES };
        let offence = match read_frame(reader, limit_bytes).await {
            Ok(question) => match decode::<Ask>(&question?, limit_bytes) {
                Ok(ask) => return Some(ask),
                Err(_) => Offence::Malformed,
            },
            Err(error) if error.kind() == io::ErrorKind::InvalidData => Offence::Oversized,
            Err(_) => return None,
        };
        self.wire().streams.penalise(peer, offence);
        None
    }

    /// Why a peer is not listened to.
    fn refusal(&self, peer: PublicKey, hello: &Hello) -> Option<Answer> {
        let refused = |reason: String| Some(Answer::Refused { reason });
        let belongs = self.wire().belongs();
        match (hello.cluster, belongs.cluster) {
            (Some(theirs), Some(ours)) if theirs != ours => {
                let former = belongs.former.iter().find(|former| former.cluster == theirs);
                if let Some(Former { until, .. }) = former {
                    return Some(Answer::Recovered { into: ours, at: *until });
                }
                return refused(format!(
                    "it means cluster {theirs}, this is {ours}: a node is a member of one cluster"
                ));
            }
            _ => {}
        }
        // Whoever was removed begins with an empty disk, whichever member removed it.
        if hello.cluster.is_none() && !self.is_member(&peer) {
            self.wire().seen.forget(&peer);
        }
        let vote = self.wire().glance.vote();
        let odd = self.wire().seen.check(peer, &hello.standing, vote).err();
        odd.and_then(|odd| refused(odd.to_string()))
    }

    async fn answer(&self, peer: PublicKey, hello: &Hello, ask: Ask, writer: &mut Writer) -> After {
        let answer = match ask {
            Ask::Standing => Answer::Standing(self.wire().standing()),
            Ask::Join { labels } => self.join(peer, labels).await,
            // Whoever was not let in has nothing else to ask, and nothing to tell.
            _ if hello.cluster.is_none() || self.wire().cluster().is_none() => {
                Answer::Refused { reason: "it was not let into this cluster".into() }
            }
            Ask::Vote(_) | Ask::PreVote(_) | Ask::Transfer { .. }
                if self.wire().behind().is_some() =>
            {
                let behind = self.wire().behind().map(|behind| behind.to_string());
                Answer::Refused { reason: behind.unwrap_or_default() }
            }
            Ask::Vote(ballot) => self.vote(peer, ballot, true).await,
            Ask::PreVote(ballot) => self.vote(peer, ballot, false).await,
            Ask::Snapshot { vote, snapshot } => match self.may_lead(peer, vote.into()).await {
                Ok(()) => self.install(vote.into(), snapshot).await,
                Err(refused) => refused,
            },
            Ask::Transfer { vote, to, last } => match self.may_lead(peer, vote.into()).await {
                Ok(()) => {
                    let last = last.map(LogId::from);
                    self.transfer(TransferLeaderRequest::new(vote.into(), Member(to), last)).await
                }
                Err(refused) => refused,
            },
            _ if self.is_removed(&peer) => removed(peer),
            _ if !self.is_member(&peer) => Answer::Refused {
                reason: format!("{peer} is no member of this cluster: polity cluster add"),
            },
            Ask::Propose { input } => self.propose(peer, input).await,
            Ask::HandOver { to } => managed(self.voice.hand_over(to).await),
            Ask::Remove { node } => managed(self.voice.remove(node).await),
            Ask::LetIn { node } => managed(self.voice.let_in(node).await),
            Ask::ReadIndex => match self.voice.read_index_here().await {
                Ok(index) => Answer::ReadIndex { index },
                Err(error) => failed(error),
            },
            Ask::Append(_) => {
                Answer::Refused { reason: "entries come on streams of their own".into() }
            }
        };
        match write_frame(writer, &encode(&answer)).await {
            Ok(()) => After::Next,
            Err(_) => After::Close,
        }
    }

    async fn vote(&self, peer: PublicKey, ballot: Ballot, for_good: bool) -> Answer {
        if let Err(refused) = self.may_stand(peer, ballot.vote()) {
            return refused;
        }
        if !self.wire().may_elect(ballot.last()) {
            let reason = "it was let in by an entry that the candidate lacks".into();
            return Answer::Refused { reason };
        }
        // A leader has only members stand in its place.
        let ballot = if self.is_member(&peer) { ballot } else { ballot.unasked() };
        let engine = &self.voice.engine;
        let voted = match for_good {
            true => engine.vote(ballot.into()).await,
            false => engine.pre_vote(ballot.into()).await,
        };
        voted.map_or_else(|error| Answer::Refused { reason: error.to_string() }, Answer::from)
    }

    async fn transfer(&self, request: TransferLeaderRequest<Types>) -> Answer {
        match self.voice.engine.handle_transfer_leader(request).await {
            Ok(Ok(())) => Answer::Transferred,
            Ok(Err(error)) => Answer::Refused { reason: error.to_string() },
            Err(fatal) => Answer::Refused { reason: fatal.to_string() },
        }
    }

    /// Takes entries, as long as they come and follow each other.
    async fn append(&self, peer: PublicKey, first: Append, (reader, mut writer): (Reader, Writer)) {
        if let Err(refused) = self.may_lead(peer, first.vote()).await {
            // Whether it hears that is its own affair.
            drop(write_frame(&mut writer, &encode(&refused)).await);
            return;
        }
        let Ok(first) = first.request() else {
            return self.wire().streams.penalise(peer, Offence::Malformed);
        };
        let further =
            stream::unfold((self.clone(), reader), move |(server, mut reader)| async move {
                let request = server.next_append(peer, &mut reader).await?;
                Some((request, (server, reader)))
            });
        let input = stream::once(async move { first }).chain(further).boxed();
        let mut results = std::pin::pin!(self.voice.engine.stream_append(input));
        while let Some(result) = results.next().await {
            let Ok(result) = result else { return };
            let goes_on = result.is_ok();
            let written = write_frame(&mut writer, &encode(&Answer::from(result))).await;
            // After an answer that is no success nothing fits that is still on its way.
            if written.is_err() || !goes_on {
                return;
            }
        }
    }

    async fn next_append(
        &self,
        peer: PublicKey,
        reader: &mut Reader,
    ) -> Option<AppendEntriesRequest<Types>> {
        // What is not as it should be ends the stream; the leader begins another one.
        let question = read_frame(reader, QUESTION_BYTES).await.ok()??;
        let Ok(Ask::Append(append)) = decode::<Ask>(&question, QUESTION_BYTES) else { return None };
        // It may have been removed since the stream began.
        self.may_lead(peer, append.vote()).await.ok()?;
        append.request().ok()
    }

    async fn install(&self, vote: Vote, bytes: Bytes) -> Answer {
        let kept = match record::kept_of(&bytes) {
            Ok(kept) => kept,
            Err(error) => return Answer::Refused { reason: error.to_string() },
        };
        let meta = SnapshotMeta { last_log_id: kept.applied, last_membership: kept.members };
        let index = meta.last_log_id.map_or(0, |id| id.index);
        let snapshot = Snapshot { meta, snapshot: bytes };
        let response = match self.voice.engine.install_full_snapshot(vote, snapshot).await {
            Ok(response) => response,
            Err(fatal) => return Answer::Refused { reason: fatal.to_string() },
        };
        // The engine answers at once if it was told of this snapshot before, although that one may not
        // be durable yet. Persist before you speak.
        if response.vote == vote {
            let voice = &self.voice;
            // What was applied came by the snapshot or by entries, which are applied before they are
            // durable here.
            let kept = async {
                voice.applied(index).await?;
                voice.settling.settled().await
            };
            if let Err(error) = kept.await {
                return Answer::Refused { reason: error.to_string() };
            }
        }
        Answer::Installed { vote: response.vote.into() }
    }

    async fn propose(&self, peer: PublicKey, input: Bytes) -> Answer {
        // What nobody can read must not come into the log: all members would stop at it.
        if let Err(error) = record::input_of::<M::Input>(&input) {
            self.wire().streams.penalise(peer, Offence::Malformed);
            return Answer::Refused { reason: error.to_string() };
        }
        match self.voice.say_here(input).await {
            Ok(index) => Answer::Done { index },
            // It ended on the way: the input may be in its log.
            Err(Error::Stopped | Error::Failed(_)) => Answer::Unknown,
            Err(error) => failed(error),
        }
    }

    async fn join(&self, peer: PublicKey, labels: BTreeMap<String, String>) -> Answer {
        if let Err(error) = self.voice.leads() {
            return failed(error);
        }
        if self.is_removed(&peer) {
            return removed(peer);
        }
        let belongs = self.wire().belongs();
        let Some(cluster) = belongs.cluster else {
            return Answer::Refused { reason: "this node is in no cluster itself".into() };
        };
        let members =
            self.voice.engine.voter_ids().count() + self.voice.engine.learner_ids().count();
        if members >= MEMBERS {
            let reason = format!("the cluster has {members} members, at most {MEMBERS} are taken");
            return Answer::Refused { reason };
        }
        let origin = self.voice.origin.clone();
        let tags = Tags(labels);
        match self.voice.engine.add_learner(Member(peer), tags, false).await {
            Ok(written) => {
                tracing::info!(member = %peer.short(), "is let into the cluster");
                let at = Some(Box::new(written.log_id.into()));
                Answer::Joined { cluster, name: belongs.name, origin, at }
            }
            Err(error) => Answer::Refused { reason: error.to_string() },
        }
    }
}

/// Says why, and reads nothing but the little that may be on its way: a stream that is closed before
/// may take the answer with it.
async fn refuse(refused: &Answer, (mut reader, mut writer): (Reader, Writer), patience: Duration) {
    let refusing = async {
        write_frame(&mut writer, &encode(refused)).await?;
        read_frame(&mut reader, HELLO_BYTES).await
    };
    // Whether it hears that is its own affair.
    drop(timeout(patience, refusing).await);
}

fn managed(done: Result<(), Error>) -> Answer {
    done.map_or_else(failed, |()| Answer::Managed)
}

fn failed(error: Error) -> Answer {
    match error {
        Error::NotLeader { leader } => Answer::NotLeader { leader },
        Error::Unknown => Answer::Unknown,
        other => Answer::Refused { reason: other.to_string() },
    }
}
