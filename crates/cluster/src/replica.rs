//! The state machine: a mind, and how far it has come.

use crate::{
    Error, Replicated,
    engine::{
        Command, Entry, LeaderId, LogId, Member, Meta, Payload, Snapshot, StoredMembership, Types,
    },
    fault::Fault,
    lock::{read, write},
    record::{self, Kept},
    removed::Removed,
    snapshot::{Pace, Snapshots, Taken, aside},
};
use bytes::Bytes;
use futures::{Stream, TryStreamExt};
use identity::PublicKey;
use openraft::{
    OptionalSend,
    storage::{EntryResponder, RaftStateMachine},
};
use protocol::Time;
use std::{
    any::Any,
    io,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Arc, RwLock, RwLockReadGuard, RwLockWriteGuard},
    time::{Duration, Instant},
};
use tokio::sync::{mpsc, watch};

/// A mind and what it has taken so far.
pub(crate) struct State<M> {
    pub(crate) mind: M,
    /// The latest stamp: a new leader's clock may be behind the last one's.
    now: Time,
    applied: Option<LogId>,
    members: StoredMembership,
    /// Who is not let in again.
    removed: Removed,
}

impl<M> State<M> {
    /// Whether a node was removed, and nobody has said since that it may come again.
    pub(crate) fn is_removed(&self, node: &PublicKey) -> bool {
        self.removed.has(node)
    }

    /// The last entry that was applied.
    pub(crate) fn index(&self) -> u64 {
        self.applied.map_or(0, |id| id.index)
    }
}

/// A state that others may look at between two entries.
pub(crate) struct Shared<M>(Arc<RwLock<State<M>>>);

impl<M> Clone for Shared<M> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<M> Shared<M> {
    pub(crate) fn new(mind: M) -> Self {
        let state = State {
            mind,
            now: Time::default(),
            applied: None,
            members: StoredMembership::default(),
            removed: Removed::default(),
        };
        Self(Arc::new(RwLock::new(state)))
    }

    // A mind that panics stops the cluster before the lock is released, so there is no poison.
    pub(crate) fn read(&self) -> RwLockReadGuard<'_, State<M>> {
        read(&self.0)
    }

    fn write(&self) -> RwLockWriteGuard<'_, State<M>> {
        write(&self.0)
    }
}

impl<M: Replicated> Shared<M> {
    /// The state as it is between two entries, in bytes.
    pub(crate) fn kept(&self) -> Kept {
        self.kept_with(|_| ()).0
    }

    /// The same, with a look at the mind at that moment.
    pub(crate) fn kept_with<T>(&self, look: impl FnOnce(&M) -> T) -> (Kept, T) {
        let state = self.read();
        let kept = Kept {
            applied: state.applied,
            members: state.members.clone(),
            now: state.now,
            mind: record::mind_bytes(&state.mind),
            removed: state.removed.clone(),
        };
        (kept, look(&state.mind))
    }
}

/// What the mind wants, or what it says to everybody.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Told<E> {
    /// The entry at which it said so.
    pub index: u64,
    /// A state was taken from another member: what was said between the last entry and this one
    /// was never heard here.
    pub jumped: bool,
    /// How long the entry took, the reading of it among that.
    pub took: Duration,
    /// While this node leads, everything that is to be done; else what everybody is told.
    pub effects: Vec<E>,
}

/// The ends of a replica that others hold.
pub(crate) struct Ends<M: Replicated> {
    pub(crate) state: Shared<M>,
    pub(crate) effects: mpsc::Receiver<Told<M::Effect>>,
    pub(crate) deadline: watch::Receiver<Option<Time>>,
    pub(crate) applied: watch::Receiver<u64>,
}

/// What a replica is told of this node's earlier life.
#[derive(Clone, Copy)]
pub(crate) struct Past {
    /// The last term: what this node led then was carried out then.
    pub(crate) term: u64,
    /// The last entry: what was said up to there was heard then.
    pub(crate) last: Option<u64>,
}

/// Applies entries to a mind and hands its effects out while this node leads.
pub(crate) struct Replica<M: Replicated> {
    me: Member,
    past: Past,
    /// The time in office whose effects are handed out.
    leads: Option<LeaderId>,
    state: Shared<M>,
    effects: mpsc::Sender<Told<M::Effect>>,
    deadline: watch::Sender<Option<Time>>,
    applied: watch::Sender<u64>,
    stop: watch::Receiver<bool>,
    snapshots: Snapshots,
    pace: Pace,
    fault: Fault,
}

impl<M: Replicated> Replica<M> {
    pub(crate) fn new(
        me: Member,
        past: Past,
        mind: M,
        effect_queue: usize,
        stop: watch::Receiver<bool>,
        snapshots: Snapshots,
    ) -> (Self, Ends<M>) {
        let (effects, carried) = mpsc::channel(effect_queue);
        let (deadline, due) = watch::channel(None);
        let (applied, reached) = watch::channel(0);
        let state = Shared::new(mind);
        let ends = Ends { state: state.clone(), effects: carried, deadline: due, applied: reached };
        let fault = snapshots.fault.clone();
        let leads = None;
        let replica = Self {
            me,
            past,
            leads,
            state,
            effects,
            deadline,
            applied,
            stop,
            snapshots,
            pace: Pace::default(),
            fault,
        };
        (replica, ends)
    }

    /// Takes one entry; returns the effects that are to be handed out.
    fn take(&mut self, entry: Entry) -> Result<Vec<M::Effect>, io::Error> {
        let leader = entry.log_id.leader_id;
        let mut effects = Vec::new();
        let mut guard = self.state.write();
        let state = &mut *guard;
        match entry.payload {
            Payload::Blank => {}
            Payload::Membership(members) => {
                state.removed.change(state.members.membership(), &members);
                state.members = StoredMembership::new(Some(entry.log_id), members);
            }
            Payload::Normal(Command::Removed { node, removed }) => state.removed.set(node, removed),
            Payload::Normal(Command::Input { at, leads, input }) => {
                if leads && leader.node_id == self.me && leader.term > self.past.term {
                    self.leads = Some(leader);
                }
                let input = record::input_of(&input).map_err(|e| self.fault.fail(e))?;
                state.now = state.now.max(at);
                let (mind, now) = (&mut state.mind, state.now);
                let step = catch_unwind(AssertUnwindSafe(|| mind.step(now, input, &mut effects)));
                step.map_err(|panic| {
                    let (index, reason) = (entry.log_id.index, reason_of(&*panic));
                    self.fault.fail(format!("its state broke at entry {index}: {reason}"))
                })?;
            }
        }
        state.applied = Some(entry.log_id);
        let deadline = state.mind.next_deadline();
        drop(guard);
        self.deadline.send_if_modified(|known| std::mem::replace(known, deadline) != deadline);
        if self.leads != Some(leader) {
            let news = self.past.last.is_none_or(|last| entry.log_id.index > last);
            effects.retain(|effect| news && M::is_told_everywhere(effect));
        }
        Ok(effects)
    }

    /// Waits for room, for as long as it takes: an effect that was asked for is never dropped, unless
    /// this node stops. Then it is asked for again by whoever leads next.
    async fn hand_out(&mut self, told: Told<M::Effect>) -> Result<(), io::Error> {
        tokio::select! {
            biased;
            _ = self.stop.wait_for(|stop| *stop) => Ok(()),
            sent = self.effects.send(told) => {
                sent.map_err(|_| self.fault.fail("nobody carries its effects out any more"))
            }
        }
    }
}

/// What a panic says.
fn reason_of(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("it panicked")
}

impl<M: Replicated> RaftStateMachine<Types> for Replica<M> {
    type SnapshotData = Bytes;
    type SnapshotBuilder = Taken;

    async fn applied_state(&mut self) -> Result<(Option<LogId>, StoredMembership), io::Error> {
        let state = self.state.read();
        Ok((state.applied, state.members.clone()))
    }

    async fn apply<Strm>(&mut self, mut entries: Strm) -> Result<(), io::Error>
    where
        Strm: Stream<Item = Result<EntryResponder<Types>, io::Error>> + Unpin + OptionalSend,
    {
        while let Some((entry, responder)) = entries.try_next().await? {
            let index = entry.log_id.index;
            let begun = Instant::now();
            let effects = self.take(entry)?;
            let took = begun.elapsed();
            self.applied.send_replace(index);
            if let Some(responder) = responder {
                responder.send(());
            }
            if !effects.is_empty() {
                self.hand_out(Told { index, jumped: false, took, effects }).await?;
            }
        }
        Ok(())
    }

    async fn try_create_snapshot_builder(&mut self, force: bool) -> Option<Taken> {
        match self.pace.is_due(force) {
            true => Some(self.get_snapshot_builder().await),
            false => None,
        }
    }

    async fn get_snapshot_builder(&mut self) -> Taken {
        let kept = aside(|| self.state.kept());
        self.pace.took(kept.mind.len());
        Taken::new(self.snapshots.clone(), kept)
    }

    async fn install_snapshot(&mut self, meta: &Meta, snapshot: Bytes) -> Result<(), io::Error> {
        let read = || -> Result<State<M>, Error> {
            let Kept { applied, members, now, mind, removed } = record::kept_of(&snapshot)?;
            Ok(State { mind: record::mind_of(&mind)?, now, applied, members, removed })
        };
        let state = aside(read).map_err(|e| self.fault.fail(e))?;
        self.snapshots.keep(meta, snapshot).await?;
        self.deadline.send_replace(state.mind.next_deadline());
        *self.state.write() = state;
        let index = meta.last_log_id.map_or(0, |id| id.index);
        self.applied.send_replace(index);
        // At a start the engine hands over what was here already.
        if self.past.last.is_some_and(|last| index <= last) {
            return Ok(());
        }
        let (took, effects) = (Duration::ZERO, Vec::new());
        self.hand_out(Told { index, jumped: true, took, effects }).await
    }

    async fn get_current_snapshot(&mut self) -> Result<Option<Snapshot>, io::Error> {
        self.snapshots.current().await
    }
}
