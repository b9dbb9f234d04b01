//! The handle of a running cluster.

use crate::{
    Error, Replicated,
    driver::{Engine, Role, say},
    engine::{Command, LeaderId},
    fault::Fault,
    record,
    replica::Shared,
};
use openraft::{
    ReadPolicy,
    errors::{LinearizableReadError, RaftError},
};
use protocol::port::Clock;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::{
    sync::{Semaphore, watch},
    task::JoinSet,
};

/// A cluster that replicates a mind. A cheap copy.
///
/// When the last copy is dropped without [`Cluster::shutdown`], its tasks are aborted: as with a
/// crash, what was acknowledged is in the log.
pub struct Cluster<M: Replicated> {
    inner: Arc<Inner<M>>,
}

impl<M: Replicated> Clone for Cluster<M> {
    fn clone(&self) -> Self {
        Self { inner: self.inner.clone() }
    }
}

pub(crate) struct Inner<M: Replicated> {
    pub(crate) engine: Engine<M>,
    pub(crate) state: Shared<M>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) role: watch::Receiver<Role>,
    pub(crate) fault: Fault,
    pub(crate) stop: watch::Sender<bool>,
    /// Room for inputs on their way, in KiB.
    pub(crate) room: Semaphore,
    pub(crate) input_bytes: usize,
    pub(crate) tasks: Mutex<JoinSet<()>>,
}

impl<M: Replicated> Cluster<M> {
    pub(crate) fn new(inner: Inner<M>) -> Self {
        Self { inner: Arc::new(inner) }
    }

    /// Tells the mind. Resolves when the input is durable and applied; its effects may still be on
    /// their way. Inputs of many callers share one write to disk.
    ///
    /// A caller that stops waiting does not take its input back. Whoever receives the effects must
    /// not wait for this call while it does not receive: with a full queue of effects nothing is
    /// applied.
    ///
    /// # Errors
    /// [`Error::NotLeader`] and [`Error::TooLarge`]: not taken. [`Error::Unknown`]: leadership was
    /// lost on the way. [`Error::Stopped`] and [`Error::Failed`]: the cluster has ended; the input
    /// may be in the log.
    pub async fn propose(&self, input: M::Input) -> Result<(), Error> {
        let inner = &*self.inner;
        let input = record::input_bytes(&input);
        let (size_bytes, limit_bytes) = (input.len(), inner.input_bytes);
        if size_bytes > limit_bytes {
            return Err(Error::TooLarge { size_bytes, limit_bytes });
        }
        let kib = u32::try_from(size_bytes / 1024 + 1).unwrap_or(u32::MAX);
        let _room = inner.room.acquire_many(kib).await.map_err(|_| inner.fault.error())?;
        let leader = self.leads()?;
        let command = Command { at: inner.clock.now(), leads: false, input };
        say(&inner.engine, &inner.fault, leader, command).await
    }

    /// Looks at the mind, which has taken at least every input that was acknowledged before this
    /// call (a linearizable read on the leader). No input is applied while `f` runs: keep it short.
    ///
    /// # Errors
    /// [`Error::NotLeader`], [`Error::Stopped`] or [`Error::Failed`].
    pub async fn read<T: Send>(&self, f: impl FnOnce(&M) -> T + Send) -> Result<T, Error> {
        let inner = &*self.inner;
        self.leads()?;
        let ready = inner.engine.ensure_linearizable(ReadPolicy::ReadIndex).await;
        ready.map_err(|error| match error {
            RaftError::APIError(LinearizableReadError::ForwardToLeader(to)) => {
                Error::NotLeader { leader: to.leader_id.map(|member| member.0) }
            }
            RaftError::APIError(LinearizableReadError::QuorumNotEnough(_)) => {
                Error::NotLeader { leader: None }
            }
            RaftError::Fatal(_) => inner.fault.error(),
        })?;
        Ok(f(&inner.state.read().mind))
    }

    /// Becomes `Some(reason)` when the cluster is dead; this node must stop then. It stays `None`
    /// if the cluster is shut down.
    pub fn failed(&self) -> watch::Receiver<Option<String>> {
        self.inner.fault.watch()
    }

    /// Stops taking inputs and waits until the log is at rest. Effects that were not received are
    /// asked for again at the next start.
    ///
    /// # Errors
    /// [`Error::Failed`] if the cluster had failed before.
    pub async fn shutdown(self) -> Result<(), Error> {
        let inner = &*self.inner;
        inner.stop.send_replace(true);
        inner.room.close();
        let stopped = inner.engine.shutdown().await;
        let mut tasks = {
            let mut tasks = inner.tasks.lock().unwrap_or_else(PoisonError::into_inner);
            std::mem::take(&mut *tasks)
        };
        // The writer ends when the engine has let go of everything that writes.
        while let Some(ended) = tasks.join_next().await {
            ended.map_err(|e| Error::Failed(e.to_string()))?;
        }
        stopped.map_err(|e| Error::Failed(e.to_string()))?;
        match inner.fault.error() {
            Error::Stopped => Ok(()),
            failed => Err(failed),
        }
    }

    fn leads(&self) -> Result<LeaderId, Error> {
        match *self.inner.role.borrow() {
            Role::Leads(leader) => Ok(leader),
            Role::Follows(leader) => Err(Error::NotLeader { leader }),
            Role::Stopped => Err(self.inner.fault.error()),
        }
    }
}
