//! Speaking to the log of the cluster: inputs and looks, here or by way of the leader.

use crate::{
    Error, Replicated,
    driver::{Engine, Role},
    engine::{Command, LeaderId},
    fault::Fault,
    lock::lock,
    replica::Shared,
    steward::Choice,
    store::Settling,
    wire::{Answer, Ask, Line, Silence, Wire},
};
use bytes::Bytes;
use identity::PublicKey;
use openraft::{
    ReadPolicy,
    errors::{ClientWriteError, LinearizableReadError, RaftError},
    impls::ProgressResponder,
};
use protocol::port::Clock;
use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
};
use tokio::sync::{Semaphore, watch};

/// Streams to the leader that are kept for the next input.
const IDLE_LINES: usize = 16;

/// What is needed to speak to the log. A cheap copy.
pub(crate) struct Voice<M: Replicated> {
    pub(crate) engine: Engine<M>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) role: watch::Receiver<Role>,
    pub(crate) fault: Fault,
    /// Room for inputs on their way, in KiB.
    pub(crate) room: Arc<Semaphore>,
    pub(crate) input_bytes: usize,
    pub(crate) wire: Arc<Wire>,
    pub(crate) lines: Lines,
    /// The state in which the cluster began, in its bytes.
    pub(crate) origin: Bytes,
    pub(crate) settling: Settling,
    /// What this node has applied.
    pub(crate) applied: watch::Receiver<u64>,
    pub(crate) choice: Choice,
    pub(crate) state: Shared<M>,
}

impl<M: Replicated> Clone for Voice<M> {
    fn clone(&self) -> Self {
        Self {
            engine: self.engine.clone(),
            clock: self.clock.clone(),
            role: self.role.clone(),
            fault: self.fault.clone(),
            room: self.room.clone(),
            input_bytes: self.input_bytes,
            wire: self.wire.clone(),
            lines: self.lines.clone(),
            origin: self.origin.clone(),
            settling: self.settling.clone(),
            applied: self.applied.clone(),
            choice: self.choice.clone(),
            state: self.state.clone(),
        }
    }
}

/// Streams to other members that nobody uses now. A cheap copy.
#[derive(Clone, Default)]
pub(crate) struct Lines(Arc<Mutex<BTreeMap<PublicKey, Vec<Line>>>>);

impl Lines {
    fn take(&self, to: PublicKey) -> Option<Line> {
        lock(&self.0).get_mut(&to)?.pop()
    }

    fn put(&self, to: PublicKey, line: Line) {
        let mut all = lock(&self.0);
        // Those of somebody who led before are of no use.
        all.retain(|other, _| *other == to);
        let lines = all.entry(to).or_default();
        if lines.len() < IDLE_LINES {
            lines.push(line);
        }
    }
}

/// Says `command` as `leader` and waits until it is durable and applied. Gives its index.
pub(crate) async fn say<M: Replicated>(
    engine: &Engine<M>,
    fault: &Fault,
    leader: LeaderId,
    command: Command,
) -> Result<u64, Error> {
    let (responder, applied) = ProgressResponder::complete_only();
    let sent = engine.write(command).with_leader(leader).responder(responder).await;
    sent.map_err(|_| fault.error())?;
    match applied.await {
        Ok(Ok(written)) => Ok(written.log_id.index),
        Ok(Err(ClientWriteError::ForwardToLeader(to))) => {
            Err(Error::NotLeader { leader: to.leader_id.map(|member| member.0) })
        }
        Ok(Err(_)) => Err(Error::Unknown),
        Err(_) => Err(fault.error()),
    }
}

impl<M: Replicated> Voice<M> {
    /// Who leads, if it is this node.
    pub(crate) fn leads(&self) -> Result<LeaderId, Error> {
        match *self.role.borrow() {
            Role::Leads(leader) => Ok(leader),
            Role::Follows(leader) => Err(Error::NotLeader { leader }),
            Role::Stopped => Err(self.fault.error()),
        }
    }

    /// Says an input: as the leader, or by way of it. Gives an index that is not below the entry's.
    pub(crate) async fn propose(&self, input: Bytes) -> Result<u64, Error> {
        match self.say_here(input.clone()).await {
            Err(Error::NotLeader { leader: Some(leader) }) if leader != self.wire.me => {
                match self.ask(leader, &Ask::Propose { input }).await? {
                    Answer::Done { index } => Ok(index),
                    other => Err(refused(leader, other)),
                }
            }
            said => said,
        }
    }

    /// Says an input as the leader.
    pub(crate) async fn say_here(&self, input: Bytes) -> Result<u64, Error> {
        let (size_bytes, limit_bytes) = (input.len(), self.input_bytes);
        if size_bytes > limit_bytes {
            return Err(Error::TooLarge { size_bytes, limit_bytes });
        }
        let leader = self.leads()?;
        let kib = u32::try_from(size_bytes / 1024 + 1).unwrap_or(u32::MAX);
        let _room = self.room.acquire_many(kib).await.map_err(|_| self.fault.error())?;
        let command = Command::Input { at: self.clock.now(), leads: false, input };
        self.say_as(leader, command).await
    }

    /// Says a command as the leader, for as long as this node is it.
    pub(crate) async fn say_as(&self, leader: LeaderId, command: Command) -> Result<u64, Error> {
        let mut role = self.role.clone();
        tokio::select! {
            biased;
            said = say(&self.engine, &self.fault, leader, command) => said,
            // Without a majority it could be for ever; whether it was said is seen later.
            over = role.wait_for(|role| *role != Role::Leads(leader)) => {
                let ended = over.map_or(true, |role| *role == Role::Stopped);
                match self.fault.error() {
                    Error::Stopped if !ended => Err(Error::Unknown),
                    ended => Err(ended),
                }
            }
        }
    }

    /// The index up to which a member must have applied so that a look there is linearizable.
    pub(crate) async fn read_index(&self) -> Result<u64, Error> {
        match self.leads() {
            Ok(_) => self.read_index_here().await,
            Err(Error::NotLeader { leader: Some(leader) }) if leader != self.wire.me => {
                match self.ask(leader, &Ask::ReadIndex).await? {
                    Answer::ReadIndex { index } => Ok(index),
                    other => Err(refused(leader, other)),
                }
            }
            Err(error) => Err(error),
        }
    }

    pub(crate) async fn read_index_here(&self) -> Result<u64, Error> {
        self.leads()?;
        let ready = self.engine.get_read_log_id(ReadPolicy::ReadIndex).await;
        ready.map(|(read, _)| read.index()).map_err(|error| match error {
            RaftError::APIError(LinearizableReadError::ForwardToLeader(to)) => {
                Error::NotLeader { leader: to.leader_id.map(|member| member.0) }
            }
            RaftError::APIError(_) => Error::NotLeader { leader: None },
            RaftError::Fatal(_) => self.fault.error(),
        })
    }

    /// Waits until this node has applied everything up to `index`.
    pub(crate) async fn applied(&self, index: u64) -> Result<(), Error> {
        let mut applied = self.applied.clone();
        // It ends with the replica, and that with the engine.
        let reached = applied.wait_for(|applied| *applied >= index).await;
        reached.map(drop).map_err(|_| self.fault.error())
    }

    /// Asks another member. Streams are kept for the next question.
    pub(crate) async fn ask(&self, to: PublicKey, ask: &Ask) -> Result<Answer, Error> {
        let silent =
            |silence: Silence| Error::Unreachable { member: to, reason: silence.to_string() };
        // A stream that was kept may have broken since: what was asked on it is asked again only if
        // nothing can have come of it.
        if let Some(mut line) = self.lines.take(to) {
            match line.ask(&self.wire, ask).await {
                Ok(answer) => {
                    self.lines.put(to, line);
                    return Ok(answer);
                }
                Err(_) if matches!(ask, Ask::Propose { .. }) => return Err(Error::Unknown),
                Err(silence) => tracing::debug!(member = %to.short(), %silence, "asked again"),
            }
        }
        let mut line = Line::open(&self.wire, to).await.map_err(silent)?;
        match line.ask(&self.wire, ask).await {
            Ok(answer) => {
                self.lines.put(to, line);
                Ok(answer)
            }
            Err(_) if matches!(ask, Ask::Propose { .. }) => Err(Error::Unknown),
            Err(silence) => Err(silent(silence)),
        }
    }
}

/// What an answer means that is not the one that was hoped for.
fn refused(member: PublicKey, answer: Answer) -> Error {
    match answer {
        Answer::NotLeader { leader } => {
            Error::NotLeader { leader: leader.filter(|l| *l != member) }
        }
        Answer::Unknown => Error::Unknown,
        other => Error::Unreachable { member, reason: other.reason() },
    }
}
