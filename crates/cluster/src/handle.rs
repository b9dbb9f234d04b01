//! The handle of a running cluster.

use crate::{
    ClusterStatus, Error, Image, MemberStatus, Replicated,
    driver::Role,
    engine::Member,
    lock::lock,
    record,
    replica::Shared,
    steward::{is_at_rest, silent_ms},
    voice::Voice,
};
use identity::PublicKey;
use openraft::async_runtime::watch::WatchReceiver;
use protocol::Time;
use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
};
use tokio::{sync::watch, task::JoinSet};

/// Pause before something is said again that found no leader.
const AGAIN_MS: u64 = 50;

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
    pub(crate) voice: Voice<M>,
    pub(crate) state: Shared<M>,
    pub(crate) stop: watch::Sender<bool>,
    pub(crate) stop_server: watch::Sender<bool>,
    /// What answers other members: it ends before the engine does.
    pub(crate) server: Mutex<JoinSet<()>>,
    pub(crate) tasks: Mutex<JoinSet<()>>,
}

/// How fresh a look at the state was that did not ask the leader.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stale {
    /// The last entry that was applied here. Others may have applied more.
    pub applied: u64,
    /// Who leads, as far as this node knows.
    pub leader: Option<PublicKey>,
}

/// Whether this node leads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Leading {
    /// It does, in this term, and the mind knows.
    Yes(u64),
    /// Another one does, or nobody.
    No(Option<PublicKey>),
    /// The cluster has ended here.
    Ended,
}

impl From<Role> for Leading {
    fn from(role: Role) -> Self {
        match role {
            Role::Leads(leader) => Self::Yes(leader.term),
            Role::Follows(leader) => Self::No(leader),
            Role::Stopped => Self::Ended,
        }
    }
}

/// Tells who leads, and waits for changes of that.
pub struct Leads(watch::Receiver<Role>);

impl Leads {
    /// Who leads now.
    pub fn now(&mut self) -> Leading {
        (*self.0.borrow_and_update()).into()
    }

    /// Waits for a change; false if there will be none.
    pub async fn changed(&mut self) -> bool {
        self.0.changed().await.is_ok()
    }
}

impl<M: Replicated> Cluster<M> {
    pub(crate) fn new(inner: Inner<M>) -> Self {
        Self { inner: Arc::new(inner) }
    }

    /// Tells the mind, by way of the leader if that is another member. Resolves when the input is
    /// durable and applied here; its effects may still be on their way. Inputs of many callers
    /// share one write to disk.
    ///
    /// A caller that stops waiting does not take its input back. Whoever receives the effects must
    /// not wait for this call while it does not receive: with a full queue of effects nothing is
    /// applied.
    ///
    /// # Errors
    /// [`Error::NotLeader`], [`Error::Unreachable`] and [`Error::TooLarge`]: not taken.
    /// [`Error::Unknown`]: leadership was lost on the way. [`Error::Stopped`] and
    /// [`Error::Failed`]: the cluster has ended; the input may be in the log.
    pub async fn propose(&self, input: M::Input) -> Result<(), Error> {
        let index = self.inner.voice.propose(record::input_bytes(&input)).await?;
        self.inner.voice.applied(index).await
    }

    /// Tells the mind as [`Self::propose`] does, again and again until `until` while nobody leads or
    /// the leader is lost. So it may be taken more than once.
    ///
    /// # Errors
    /// The last one, when the time is over or trying again is of no use.
    pub async fn insist(&self, input: M::Input, until: Time) -> Result<(), Error> {
        let Voice { role, clock, .. } = &self.inner.voice;
        let mut role = role.clone();
        let input = record::input_bytes(&input);
        loop {
            role.borrow_and_update();
            let error = match self.inner.voice.propose(input.clone()).await {
                Ok(index) => return self.inner.voice.applied(index).await,
                Err(error) if error.may_pass() && clock.now() < until => error,
                Err(error) => return Err(error),
            };
            tracing::debug!(%error, "says it again");
            let pause = clock.pause(AGAIN_MS);
            tokio::select! {
                biased;
                () = pause => {}
                changed = role.changed() => if changed.is_err() {
                    return Err(self.inner.voice.fault.error());
                },
            }
        }
    }

    /// Looks at the mind, which has taken at least every input that was acknowledged anywhere
    /// before this call (a linearizable read). No input is applied while `f` runs: keep it short.
    ///
    /// # Errors
    /// [`Error::NotLeader`] or [`Error::Unreachable`] if nobody leads for longer than an election
    /// takes; [`Error::Stopped`] or [`Error::Failed`].
    pub async fn read<T: Send>(&self, f: impl FnOnce(&M) -> T + Send) -> Result<T, Error> {
        self.read_at(|_, mind| f(mind)).await
    }

    /// The same, with the last entry that the state has taken.
    ///
    /// # Errors
    /// As [`Self::read`].
    pub async fn read_at<T: Send>(&self, f: impl FnOnce(u64, &M) -> T + Send) -> Result<T, Error> {
        let index = self.patiently(|| self.inner.voice.read_index()).await?;
        self.inner.voice.applied(index).await?;
        let state = self.inner.state.read();
        Ok(f(state.index(), &state.mind))
    }

    /// Looks at the mind as it is here, which may be behind. It asks nobody and does not fail.
    pub fn look<T>(&self, f: impl FnOnce(&M) -> T) -> (T, Stale) {
        let leader = self.leader();
        let state = self.inner.state.read();
        (f(&state.mind), Stale { applied: state.index(), leader })
    }

    /// A copy of the state, which has taken at least every input that was acknowledged anywhere
    /// before this call, with what `look` sees in it.
    ///
    /// # Errors
    /// As [`Self::read`]; [`Error::TooLarge`] if it has more bytes than a snapshot may.
    pub async fn image<T: Send + 'static>(
        &self,
        look: impl FnOnce(&M) -> T + Send + 'static,
    ) -> Result<(Image, T), Error> {
        let index = self.patiently(|| self.inner.voice.read_index()).await?;
        self.inner.voice.applied(index).await?;
        let (belongs, origin) = (self.inner.voice.wire.belongs(), self.inner.voice.origin.clone());
        let state = self.inner.state.clone();
        let take = move || {
            let (kept, seen) = state.kept_with(look);
            Ok((Image::of(belongs, &kept, origin)?, seen))
        };
        tokio::task::spawn_blocking(take).await.map_err(|error| Error::Failed(error.to_string()))?
    }

    /// Who leads, as far as this node knows.
    pub fn leader(&self) -> Option<PublicKey> {
        match *self.inner.voice.role.borrow() {
            Role::Leads(_) => Some(self.inner.voice.wire.me),
            Role::Follows(leader) => leader,
            Role::Stopped => None,
        }
    }

    /// Tells when this node begins or ceases to lead.
    pub fn leads(&self) -> Leads {
        Leads(self.inner.voice.role.clone())
    }

    /// Lets another member lead: this one, or the one that has most.
    ///
    /// # Errors
    /// [`Error::Members`] if there is none that could; [`Error::NotLeader`] or
    /// [`Error::Unreachable`] if nobody leads now.
    pub async fn hand_over(&self, to: Option<PublicKey>) -> Result<(), Error> {
        self.patiently(|| self.inner.voice.hand_over(to)).await
    }

    /// Tries again for a while when nobody leads: an election takes no longer.
    async fn patiently<T, F>(&self, ask: impl Fn() -> F) -> Result<T, Error>
    where
        F: Future<Output = Result<T, Error>>,
    {
        let Voice { clock, choice, .. } = &self.inner.voice;
        let until = clock.now().after_ms(choice.election_ms * 20);
        loop {
            match ask().await {
                Err(error) if error.may_pass() && clock.now() < until => {
                    tracing::debug!(%error, "asks for it again");
                    clock.pause(AGAIN_MS).await;
                }
                done => return done,
            }
        }
    }

    /// Takes a member out of the cluster. Another one leads first if it leads. It is not let in again
    /// before [`Self::let_in`]; neither is a node that was no member.
    ///
    /// # Errors
    /// As [`Self::hand_over`].
    pub async fn remove(&self, node: PublicKey) -> Result<(), Error> {
        self.patiently(|| self.inner.voice.remove(node)).await
    }

    /// Says that a node that was removed may be let in again. It joins with an empty disk.
    ///
    /// # Errors
    /// As [`Self::hand_over`].
    pub async fn let_in(&self, node: PublicKey) -> Result<(), Error> {
        self.patiently(|| self.inner.voice.let_in(node)).await
    }

    /// Gives a member these labels, by which failure domains are told apart. Only the leader can.
    ///
    /// # Errors
    /// As [`Self::hand_over`].
    pub async fn label(
        &self,
        node: PublicKey,
        labels: BTreeMap<String, String>,
    ) -> Result<(), Error> {
        self.inner.voice.label(node, labels).await
    }

    /// What this node knows of its cluster.
    pub fn status(&self) -> ClusterStatus {
        let voice = &self.inner.voice;
        let metrics = voice.engine.metrics().borrow_watched().clone();
        let belongs = voice.wire.belongs();
        let membership = metrics.membership_config.membership();
        let voters: Vec<Member> = membership.voter_ids().collect();
        let me = Member(voice.wire.me);
        let member = |(member, tags): (&Member, &crate::engine::Tags)| {
            let has = metrics.replication.as_ref().and_then(|all| *all.get(member)?);
            let mine = *member == me;
            MemberStatus {
                node: member.0,
                votes: voters.contains(member),
                labels: tags.0.clone(),
                has: if mine { metrics.last_log_index } else { has.map(|id| id.index) },
                silent_ms: if mine { Some(0) } else { silent_ms(&metrics, member) },
            }
        };
        let index = |id: Option<crate::engine::LogId>| id.map_or(0, |id| id.index);
        ClusterStatus {
            cluster: belongs.cluster,
            name: belongs.name,
            leader: self.leader(),
            term: metrics.current_term,
            last: metrics.last_log_index.unwrap_or(0),
            committed: index(metrics.local_committed),
            applied: index(metrics.last_applied),
            snapshot: index(metrics.snapshot),
            at_rest: is_at_rest(&metrics),
            behind: voice.wire.behind(),
            members: membership.nodes().map(member).collect(),
        }
    }

    /// Tells when something about this member's part of the cluster changes.
    #[cfg(test)]
    pub(crate) fn metrics(
        &self,
    ) -> openraft::type_config::alias::WatchReceiverOf<
        crate::engine::Types,
        openraft::RaftMetrics<crate::engine::Types>,
    > {
        self.inner.voice.engine.metrics()
    }

    /// Becomes `Some` when the cluster was recovered without this member.
    #[cfg(test)]
    pub(crate) fn behind(&self) -> watch::Receiver<Option<crate::LeftBehind>> {
        self.inner.voice.wire.watch_behind()
    }

    /// Becomes `Some(reason)` when the cluster is dead; this node must stop then. It stays `None`
    /// if the cluster is shut down.
    pub fn failed(&self) -> watch::Receiver<Option<String>> {
        self.inner.voice.fault.watch()
    }

    /// Hands no effects out from now on: whoever carried them out may end. What was not received is
    /// asked for again by whoever leads next.
    pub fn retire(&self) {
        self.inner.stop.send_replace(true);
    }

    /// Stops taking inputs and waits until the log is at rest. Effects that were not received are
    /// asked for again at the next start.
    ///
    /// # Errors
    /// [`Error::Failed`] if the cluster had failed before.
    pub async fn shutdown(self) -> Result<(), Error> {
        let inner = &*self.inner;
        inner.voice.room.close();
        inner.stop_server.send_replace(true);
        join(&inner.server).await?;
        inner.stop.send_replace(true);
        let stopped = inner.voice.engine.shutdown().await;
        // The writer ends when the engine has let go of everything that writes.
        join(&inner.tasks).await?;
        stopped.map_err(|e| Error::Failed(e.to_string()))?;
        match inner.voice.fault.error() {
            Error::Stopped => Ok(()),
            failed => Err(failed),
        }
    }
}

/// Waits for the end of all tasks.
async fn join(tasks: &Mutex<JoinSet<()>>) -> Result<(), Error> {
    let mut tasks = std::mem::take(&mut *lock(tasks));
    while let Some(ended) = tasks.join_next().await {
        ended.map_err(|e| Error::Failed(e.to_string()))?;
    }
    Ok(())
}
