//! The engine's way to other members.

use super::{
    Answer, Ask, Line, Silence, Wire,
    line::{in_time, read_answer},
    message::{Append, encode},
};
use crate::{
    engine::{Member, Snapshot, Tags, Types, Vote},
    record::VoteRecord,
};
use bytes::Bytes;
use futures::{
    FutureExt, Stream, StreamExt,
    future::{BoxFuture, Fuse},
    io::{ReadHalf, WriteHalf},
    stream::{self, BoxStream},
};
use openraft::{
    OptionalSend, RaftNetworkFactory, RaftNetworkV2,
    errors::{NetworkError, RPCError, ReplicationClosed, StreamingError, Unreachable},
    network::RPCOption,
    raft::{
        AppendEntriesRequest, AppendEntriesResponse, SnapshotResponse, StreamAppendResult,
        TransferLeaderRequest, TransferLeaderResponse, VoteRequest, VoteResponse,
    },
};
use protocol::port::write_frame;
use std::{future::Future, sync::Arc, time::Duration};
use tokio::{sync::mpsc, time::Instant};

/// Questions about entries that wait for their answers, on one stream.
const PIPELINE: usize = 64;
/// Pause before somebody is asked again that did not answer.
const PAUSE: Duration = Duration::from_millis(100);

/// Makes the engine's clients.
pub(crate) struct Peers {
    pub(crate) wire: Arc<Wire>,
}

impl RaftNetworkFactory<Types> for Peers {
    type Network = Peer;

    async fn new_client(&mut self, target: Member, _: &Tags) -> Peer {
        Peer { wire: self.wire.clone(), target, asking: None, appending: None, failed: None }
    }
}

/// One member, as the engine speaks to it. Streams are kept while they work.
pub(crate) struct Peer {
    wire: Arc<Wire>,
    target: Member,
    asking: Option<Line>,
    /// Once entries were sent on a stream, nothing else is.
    appending: Option<Line>,
    /// When it was last asked in vain.
    failed: Option<Instant>,
}

impl Peer {
    /// A stream, opened unless there is one. Whoever does not answer is not asked again at once.
    async fn line(&mut self, kept: Option<Line>) -> Result<Line, RPCError<Types>> {
        if let Some(line) = kept {
            return Ok(line);
        }
        if let Some(failed) = self.failed.take() {
            tokio::time::sleep_until(failed + PAUSE).await;
        }
        Line::open(&self.wire, self.target.0).await.map_err(|e| {
            self.failed = Some(Instant::now());
            self.silent(e)
        })
    }

    async fn ask(&mut self, ask: Ask) -> Result<Answer, RPCError<Types>> {
        let kept = self.asking.take();
        let mut line = self.line(kept).await?;
        let answer = line.ask(&self.wire, &ask).await.map_err(|e| self.silent(e))?;
        self.asking = Some(line);
        Ok(answer)
    }

    /// Whoever was left behind asks nobody for a vote.
    fn may_stand(&self) -> Result<(), RPCError<Types>> {
        match self.wire.behind() {
            Some(behind) => Err(unreachable(self.target, behind)),
            None => Ok(()),
        }
    }

    fn silent(&self, why: Silence) -> RPCError<Types> {
        if let Silence::Odd(odd) = &why {
            tracing::error!(member = %self.target, "{odd}");
        }
        unreachable(self.target, why)
    }
}

fn unreachable(target: Member, why: impl std::fmt::Display) -> RPCError<Types> {
    tracing::debug!(member = %target, %why, "a member of the cluster does not answer");
    RPCError::Unreachable(Unreachable::from_string(format!("{target}: {why}")))
}

fn odd_answer(target: Member, answer: &Answer) -> RPCError<Types> {
    unreachable(target, answer.reason())
}

impl RaftNetworkV2<Types> for Peer {
    type SnapshotData = Bytes;

    async fn append_entries(
        &mut self,
        request: AppendEntriesRequest<Types>,
        _: RPCOption,
    ) -> Result<AppendEntriesResponse<Types>, RPCError<Types>> {
        let kept = self.appending.take();
        let mut line = self.line(kept).await?;
        let ask = Ask::Append(request.into());
        let answer = line.ask(&self.wire, &ask).await.map_err(|e| self.silent(e))?;
        let result = answer.appended().map_err(|other| odd_answer(self.target, &other))?;
        self.appending = result.is_ok().then_some(line);
        Ok(result.into())
    }

    fn stream_append<'s, S>(
        &'s mut self,
        input: S,
        _: RPCOption,
    ) -> BoxFuture<
        's,
        Result<BoxStream<'s, Result<StreamAppendResult<Types>, RPCError<Types>>>, RPCError<Types>>,
    >
    where
        S: Stream<Item = AppendEntriesRequest<Types>> + OptionalSend + Unpin + 'static,
    {
        async move {
            let kept = self.appending.take();
            let line = self.line(kept).await?;
            let session = Session::begin(self, line, input);
            let answers = stream::unfold(Some(session), |session| async move {
                let mut session = session?;
                match session.next().await {
                    Next::Answer(result) => {
                        let goes_on = matches!(result, Ok(Ok(_)));
                        Some((result, goes_on.then_some(session)))
                    }
                    Next::End => {
                        session.end();
                        None
                    }
                }
            });
            Ok(answers.boxed())
        }
        .boxed()
    }

    async fn vote(
        &mut self,
        request: VoteRequest<Types>,
        _: RPCOption,
    ) -> Result<VoteResponse<Types>, RPCError<Types>> {
        let target = self.target;
        self.may_stand()?;
        let answer = self.ask(Ask::Vote(request.into())).await?;
        answer.voted().map_err(|other| odd_answer(target, &other))
    }

    async fn pre_vote(
        &mut self,
        request: VoteRequest<Types>,
        _: RPCOption,
    ) -> Result<VoteResponse<Types>, RPCError<Types>> {
        let target = self.target;
        self.may_stand()?;
        let answer = self.ask(Ask::PreVote(request.into())).await?;
        answer.voted().map_err(|other| odd_answer(target, &other))
    }

    async fn full_snapshot(
        &mut self,
        vote: Vote,
        snapshot: Snapshot,
        cancel: impl Future<Output = ReplicationClosed> + OptionalSend + 'static,
        _: RPCOption,
    ) -> Result<SnapshotResponse<Types>, StreamingError<Types>> {
        let kept = self.asking.take();
        let mut line = self.line(kept).await?;
        let ask = Ask::Snapshot { vote: vote.into(), snapshot: snapshot.snapshot };
        let answer = tokio::select! {
            biased;
            // It may be large, and goes as fast as it goes; the engine says when it is in vain.
            answer = line.ask_patiently(&ask) => answer.map_err(|e| self.silent(e))?,
            closed = cancel => return Err(StreamingError::Closed(closed)),
        };
        self.asking = Some(line);
        match answer {
            Answer::Installed { vote } => Ok(SnapshotResponse::new(Vote::from(vote))),
            other => Err(odd_answer(self.target, &other).into()),
        }
    }

    async fn transfer_leader(
        &mut self,
        request: TransferLeaderRequest<Types>,
        _: RPCOption,
    ) -> Result<TransferLeaderResponse<Types>, RPCError<Types>> {
        let ask = Ask::Transfer {
            vote: VoteRecord::from(*request.from_leader()),
            to: request.to_node_id().0,
            last: request.last_log_id().copied().map(Into::into),
        };
        match self.ask(ask).await? {
            Answer::Transferred => Ok(Ok(())),
            other => {
                let why = format!("{}: {}", self.target, other.reason());
                Err(RPCError::Network(NetworkError::from_string(why)))
            }
        }
    }
}

enum Next {
    Answer(Result<StreamAppendResult<Types>, RPCError<Types>>),
    /// Everything that was asked has been answered.
    End,
}

type Writer = WriteHalf<protocol::port::Stream>;
type Writing<'s> = Fuse<BoxFuture<'s, Result<Writer, Silence>>>;

/// Entries on their way to a member: questions are written as they come, answers are read in their
/// order meanwhile.
struct Session<'s> {
    wire: Arc<Wire>,
    target: Member,
    /// Where the stream is put back once nothing is under way on it.
    home: &'s mut Option<Line>,
    writing: Writing<'s>,
    written: Option<Writer>,
    reader: ReadHalf<protocol::port::Stream>,
    /// One for each question that has no answer yet, with its leader.
    asked: mpsc::Receiver<Vote>,
}

impl<'s> Session<'s> {
    fn begin<S>(peer: &'s mut Peer, line: Line, mut input: S) -> Self
    where
        S: Stream<Item = AppendEntriesRequest<Types>> + OptionalSend + Unpin + 'static,
    {
        let Line { reader, mut writer } = line;
        let (asking, asked) = mpsc::channel(PIPELINE);
        let writing = async move {
            while let Some(request) = input.next().await {
                let vote = request.vote;
                if asking.send(vote).await.is_err() {
                    break;
                }
                let ask = encode(&Ask::Append(Append::from(request)));
                write_frame(&mut writer, &ask).await?;
            }
            Ok(writer)
        };
        Self {
            wire: peer.wire.clone(),
            target: peer.target,
            home: &mut peer.appending,
            writing: writing.boxed().fuse(),
            written: None,
            reader,
            asked,
        }
    }

    async fn next(&mut self) -> Next {
        let Self { wire, target, writing, written, reader, asked, .. } = self;
        let answer = async {
            let Some(vote) = asked.recv().await else { return Ok(None) };
            Ok(Some((vote, in_time(wire, read_answer(reader)).await?)))
        };
        let mut answer = std::pin::pin!(answer);
        let answered: Result<Option<(Vote, Answer)>, Silence> = loop {
            tokio::select! {
                biased;
                answered = &mut answer => break answered,
                done = &mut *writing, if written.is_none() => match done {
                    Ok(writer) => *written = Some(writer),
                    Err(silence) => break Err(silence),
                },
            }
        };
        match answered {
            Ok(None) => Next::End,
            Ok(Some((vote, answer))) => Next::Answer(match answer.appended() {
                Ok(result) => {
                    if let Ok(last) = &result {
                        wire.seen.acked(target.0, vote, *last);
                    }
                    Ok(result)
                }
                Err(other) => Err(odd_answer(*target, &other)),
            }),
            Err(silence) => Next::Answer(Err(unreachable(*target, silence))),
        }
    }

    /// Nothing is under way any more: the stream is used again.
    fn end(self) {
        if let Some(writer) = self.written {
            *self.home = Some(Line { reader: self.reader, writer });
        }
    }
}
