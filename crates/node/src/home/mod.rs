//! The home of jobs: carries out what `work` decides, and tells it what happened.

mod gate;
mod justice;
mod keep;
pub(crate) mod known;
mod lead;
mod letters;
mod mirror;
mod recall;
mod receipt;
#[cfg(test)]
mod tests;
mod told;
mod trouble;
mod watch;

pub(crate) use gate::{blob_error, unavailable};
pub(crate) use known::Known;
pub(crate) use receipt::Writing;
pub(crate) use trouble::Troubles;

use crate::{
    chain::{Chain, Submit},
    events::Hub,
    heard::Heard,
    measure::Own,
    metrics::Metrics,
    post::{Letter, Mail, Post},
};
use api::Step;
use cluster::{Cluster, Leading, Told};
use identity::{PublicKey, SecretKey};
use protocol::{
    Agreements, JobEvent, JobId, Time, ToHome, ToWorker, Tx,
    port::{Clock, StreamError, Streams},
};
use std::{collections::BTreeSet, sync::Arc, time::Instant};
use storage::Store;
use tokio::{
    sync::{Semaphore, mpsc},
    task::JoinSet,
};
use told::Events;
use work::{Effect, Input, Work};

/// Where a home could cheat. The default is honest.
pub(crate) trait Hosting: Send + Sync + 'static {
    /// What a worker is told, given what it should be told; or nothing at all.
    fn says(&self, _to: &PublicKey, honest: ToWorker) -> Option<ToWorker> {
        Some(honest)
    }
}

/// Tells everybody what `work` decides.
pub(crate) struct Plain;

impl Hosting for Plain {}

/// What the home needs of the node. A cheap copy.
#[derive(Clone)]
pub(crate) struct Home {
    pub(crate) key: SecretKey,
    pub(crate) chain: Chain,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) streams: Arc<dyn Streams>,
    pub(crate) post: Post,
    pub(crate) submit: Submit,
    pub(crate) store: Store,
    pub(crate) fetcher: storage::exchange::Fetcher,
    pub(crate) hub: Arc<Hub>,
    pub(crate) known: Arc<Known>,
    pub(crate) cluster: Cluster<Work>,
    /// Shares of outputs that are fetched at once.
    pub(crate) keeping: Arc<Semaphore>,
    pub(crate) hosting: Arc<dyn Hosting>,
    pub(crate) troubles: Arc<Troubles>,
    pub(crate) writing: Arc<Writing>,
    /// What peers say of themselves.
    pub(crate) heard: Heard,
    /// What this node measured of itself.
    pub(crate) own: Own,
    pub(crate) metrics: Arc<Metrics>,
}

/// How many shares of outputs are fetched at once.
pub(crate) const KEEPING: usize = 16;

/// How long a peer that does not listen counts as away: longer than it is waited for.
const LOST_MS: u64 = 10_000;

/// How long somebody waits for a leader, if there is none.
const SOON_MS: u64 = 10_000;
/// Pause before something is tried again that needs a leader.
const AGAIN_MS: u64 = 100;

/// Why the home cannot go on.
#[derive(Debug, thiserror::Error)]
pub(crate) enum HomeError {
    /// The replicated log.
    #[error(transparent)]
    Cluster(#[from] cluster::Error),
    /// The chain.
    #[error(transparent)]
    Chain(#[from] crate::chain::ChainError),
    /// The network.
    #[error(transparent)]
    Streams(#[from] StreamError),
}

/// Runs the home until its channels close: what its cluster's leader does while this node leads,
/// and what every member does all the time.
///
/// # Errors
/// What this node cannot live with.
pub(crate) async fn run(
    home: Home,
    mut effects: mpsc::Receiver<Told<Effect>>,
    letters: mpsc::Receiver<Letter<ToHome>>,
    lost: mpsc::Receiver<PublicKey>,
) -> Result<(), HomeError> {
    let mut roles: JoinSet<Result<(), HomeError>> = JoinSet::new();
    roles.spawn(home.clone().read_letters(letters));
    roles.spawn(home.clone().watch_lost(lost));
    let mirroring = home.clone();
    roles.spawn(async move { Ok(mirroring.answer_mirrors().await?) });
    roles.spawn(home.clone().lead_when_elected());
    let mut before = JoinSet::new();
    before.spawn(home.clone().before());
    let mut events = Events::new();
    let mut jobs = JoinSet::new();
    loop {
        tokio::select! {
            next = effects.recv() => {
                let Some(Told { index, jumped, took, effects }) = next else { return Ok(()) };
                home.metrics.decided(took, &effects);
                if jumped {
                    events.jump(&home);
                }
                let mut results = Vec::new();
                for effect in effects {
                    match effect {
                        Effect::Event { job, event } => {
                            home.metrics.happened(&event);
                            if let JobEvent::Finished { receipt, .. } = &event {
                                jobs.spawn(home.clone().learn(job, *receipt));
                            }
                            events.tell(&home.hub, index, (job, event));
                        }
                        Effect::Keep { outcome, from, .. } => results.push((outcome, from)),
                        effect => home.carry_out(effect, &mut jobs).await?,
                    }
                }
                for (from, outcomes) in keep::by_source(results) {
                    jobs.spawn(home.clone().keep(outcomes, from));
                }
            }
            Some(known) = before.join_next() => events.restore(&home.hub, known.map_err(panicked)??),
            Some(ended) = roles.join_next() => ended.map_err(panicked)??,
            Some(ended) = jobs.join_next() => passing(ended.map_err(panicked)?)?,
        }
    }
}

/// What failed because another member leads by now is that member's to do.
fn passing(done: Result<(), HomeError>) -> Result<(), HomeError> {
    match done {
        Err(HomeError::Cluster(error)) if error.may_pass() => {
            tracing::debug!(%error, "left to whoever leads now");
            Ok(())
        }
        done => done,
    }
}

fn panicked(error: tokio::task::JoinError) -> HomeError {
    if error.is_panic() {
        std::panic::resume_unwind(error.into_panic());
    }
    HomeError::Cluster(cluster::Error::Stopped)
}

impl Home {
    async fn carry_out(
        &self,
        effect: Effect,
        jobs: &mut JoinSet<Result<(), HomeError>>,
    ) -> Result<(), HomeError> {
        match effect {
            Effect::Send { to, message } => {
                if let Some(message) = self.hosting.says(&to, message) {
                    self.post.send(to, Mail::Worker(Box::new(message))).await;
                }
            }
            // Told on its way here.
            Effect::Event { .. } => {}
            Effect::Publish(agreements) => {
                jobs.spawn(self.clone().publish(agreements));
            }
            Effect::Keep { outcome, from, .. } => {
                jobs.spawn(self.clone().keep(vec![outcome], from));
            }
            Effect::Order(order) => {
                jobs.spawn(self.clone().place(order));
            }
            Effect::Draw { job } => {
                jobs.spawn(self.clone().draw(job));
            }
            Effect::Dispute(dispute) => {
                jobs.spawn(self.clone().dispute(dispute));
            }
            Effect::Accuse(contradiction) => {
                jobs.spawn(self.clone().accuse(contradiction));
            }
            Effect::Finished { job } => {
                jobs.spawn(self.clone().write_receipt(job));
            }
            Effect::Refused { job, error } => {
                tracing::error!(%job, %error, "an admitted order had no room");
            }
        }
        Ok(())
    }

    /// Puts agreements before the validators. If nobody takes them now, `work` says it again.
    async fn publish(self, agreements: Box<Agreements>) -> Result<(), HomeError> {
        let job = agreements.order.payload.id();
        let tx = Tx::Agree(agreements);
        let digest = tx.digest();
        let refusal = match self.chain.check(&tx) {
            Ok(checked) => self.chain.ledger().check_tx(&checked).err(),
            Err(error) => Some(error.into()),
        };
        match refusal {
            Some(ledger::Refusal::Final { .. }) => {
                tracing::debug!(%job, %digest, "on the ledger already");
                return Ok(());
            }
            Some(refusal) if !refusal.is_passing() => {
                tracing::warn!(%job, %digest, %refusal, "the ledger would refuse this agreement");
                let reason = refusal.to_string();
                return Ok(self.tell(Input::RefusedByLedger { job, tx: digest, reason }).await?);
            }
            _ => {}
        }
        match (self.submit)(tx).await {
            Ok(()) => self.troubles.over(&job, Step::Publish),
            Err(reason) => {
                tracing::info!(%job, %digest, reason, "no validator took the agreement; trying again");
                self.note(job, Step::Publish, reason);
            }
        }
        Ok(())
    }

    /// A peer that does not listen counts as away for a while, and is told everything again then.
    async fn watch_lost(self, mut lost: mpsc::Receiver<PublicKey>) -> Result<(), HomeError> {
        let mut pausing: JoinSet<PublicKey> = JoinSet::new();
        let mut away = BTreeSet::new();
        loop {
            tokio::select! {
                next = lost.recv() => {
                    let Some(peer) = next else { return Ok(()) };
                    if !self.chain.admits(&peer) || !away.insert(peer) {
                        continue;
                    }
                    tracing::warn!(peer = %peer.short(), "a peer is connected and does not listen");
                    self.tell_as_leader(Input::Disconnected(peer)).await?;
                    let back = self.clock.pause(LOST_MS);
                    pausing.spawn(async move {
                        back.await;
                        peer
                    });
                }
                Some(back) = pausing.join_next() => {
                    let peer = back.map_err(panicked)?;
                    away.remove(&peer);
                    if self.streams.peers().contains(&peer) {
                        self.tell_as_leader(Input::Connected(peer)).await?;
                    }
                }
            }
        }
    }

    /// Remembers what could not be done for a job.
    fn note(&self, job: JobId, step: Step, reason: impl ToString) {
        self.troubles.note(job, step, self.clock.now(), reason);
    }

    /// Tells `work`, durably, by way of whoever leads; for as long as it takes until somebody does.
    /// It may be told more than once.
    pub(crate) async fn tell(&self, input: Input) -> Result<(), cluster::Error> {
        let begun = Instant::now();
        let told = self.cluster.insist(input, Time(u64::MAX)).await;
        self.metrics.told(begun, &told);
        told
    }

    /// The same for somebody who waits: only for so long.
    pub(crate) async fn tell_soon(&self, input: Input) -> Result<(), cluster::Error> {
        let begun = Instant::now();
        let told = self.cluster.insist(input, self.clock.now().after_ms(SOON_MS)).await;
        self.metrics.told(begun, &told);
        told
    }

    /// Tells what only the leader can know.
    async fn tell_as_leader(&self, input: Input) -> Result<(), cluster::Error> {
        if !matches!(self.cluster.leads().now(), Leading::Yes(_)) {
            return Ok(());
        }
        let begun = Instant::now();
        let told = self.cluster.propose(input).await;
        self.metrics.told(begun, &told);
        match told {
            // The next leader finds it out for itself.
            Err(error) if error.may_pass() => Ok(()),
            told => told,
        }
    }
}
