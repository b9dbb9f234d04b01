//! What workers say: what anybody could say is answered without the log, and what is not about this
//! home's work never reaches it.

use super::{Home, HomeError, panicked};
use crate::post::{Letter, Mail};
use identity::PublicKey;
use protocol::{Attempt, JobId, TaskIndex, ToHome, ToWorker, limits, port::Offence};
use std::collections::BTreeSet;
use tokio::{sync::mpsc, task::JoinSet};
use work::{Input, Work};

/// Letters that are read at once.
const LETTERS: usize = 64;

/// A message whose signatures and roots hold, and what it is about.
struct Said {
    job: JobId,
    replicas: Vec<(TaskIndex, Attempt)>,
    input: Input,
}

impl Home {
    pub(super) async fn read_letters(
        self,
        mut letters: mpsc::Receiver<Letter<ToHome>>,
    ) -> Result<(), HomeError> {
        // Letters of different nodes share a write to disk. One node sends one at a time.
        let mut reading: JoinSet<Result<(), HomeError>> = JoinSet::new();
        loop {
            tokio::select! {
                letter = letters.recv(), if reading.len() < LETTERS => {
                    let Some(letter) = letter else { return Ok(()) };
                    reading.spawn(self.clone().read(letter));
                }
                Some(read) = reading.join_next() => read.map_err(panicked)??,
            }
        }
    }

    pub(super) async fn read(self, letter: Letter<ToHome>) -> Result<(), HomeError> {
        let Letter { from, message, done } = letter;
        if self.chain.admits(&from) {
            match self.check(from, message) {
                Ok(said) => self.take(from, said).await?,
                Err(offence) => self.streams.penalise(from, offence),
            }
        } else {
            tracing::debug!(peer = %from.short(), "a stranger has nothing to tell a home");
        }
        // The sender may be gone by now.
        let _gone = done.send(());
        Ok(())
    }

    /// Everything that a signature or a root can say about a worker's message is checked here;
    /// what it means is for `work`.
    fn check(&self, node: PublicKey, message: ToHome) -> Result<Said, Offence> {
        let network = self.chain.network();
        let own = |by: PublicKey| if by == node { Ok(()) } else { Err(Offence::BadSignature) };
        Ok(match message {
            ToHome::Committed(batch) => {
                own(batch.statement.by)?;
                let job = batch.statement.payload.job;
                batch.check(&job, network).map_err(|_| Offence::BadSignature)?;
                let replicas = batch.leaves.iter().map(|leaf| (leaf.task, leaf.attempt)).collect();
                Said { job, replicas, input: Input::Committed { node, batch } }
            }
            ToHome::Revealed { batch, outcomes } => {
                own(batch.statement.by)?;
                if outcomes.len() != batch.leaves.len() {
                    return Err(Offence::Malformed);
                }
                let job = batch.statement.payload.job;
                batch.check(&job, network).map_err(|_| Offence::BadSignature)?;
                let replicas = batch.leaves.iter().map(|leaf| (leaf.task, leaf.attempt)).collect();
                Said { job, replicas, input: Input::Revealed { node, batch, outcomes } }
            }
            ToHome::NoResult { job, replicas } => {
                if replicas.len() > limits::BATCH_LEAVES {
                    return Err(Offence::Malformed);
                }
                let named = replicas.iter().map(|(task, attempt, _)| (*task, *attempt)).collect();
                Said { job, replicas: named, input: Input::NoResult { node, job, replicas } }
            }
        })
    }

    /// Tells `work`, if it asked this node. A node that asks about a job that is over is told so.
    async fn take(&self, node: PublicKey, said: Said) -> Result<(), HomeError> {
        let Said { job, replicas, input } = said;
        match self.gave(&job, &node, &replicas).await? {
            Some(true) => {}
            Some(false) => {
                tracing::debug!(%job, node = %node.short(), "a node speaks of what it was not given");
                return Ok(());
            }
            None => {
                let tasks: BTreeSet<_> = replicas.into_iter().map(|(task, _)| task).collect();
                let over = ToWorker::Close { job, tasks: tasks.into_iter().collect() };
                if let Some(over) = self.hosting.says(&node, over) {
                    self.post.send(node, Mail::Worker(Box::new(over))).await;
                }
                return Ok(());
            }
        }
        match self.tell(input).await {
            Err(cluster::Error::TooLarge { size_bytes, limit_bytes }) => {
                tracing::info!(%job, node = %node.short(), size_bytes, limit_bytes,
                    "a message is too large for the log");
                self.streams.penalise(node, Offence::Oversized);
                Ok(())
            }
            told => Ok(told?),
        }
    }

    /// Whether a node was given any of these replicas, by all that the cluster knows: a member that
    /// was elsewhere for a while may not know it yet.
    async fn gave(
        &self,
        job: &JobId,
        node: &PublicKey,
        replicas: &[(TaskIndex, Attempt)],
    ) -> Result<Option<bool>, cluster::Error> {
        let gave = |work: &Work| work.gave(job, node, replicas.iter().copied());
        if let (Some(true), _) = self.cluster.look(gave) {
            return Ok(Some(true));
        }
        loop {
            match self.cluster.read(gave).await {
                Err(error) if error.may_pass() => {
                    tracing::debug!(%error, "waits for a leader of its cluster");
                    self.clock.pause(super::AGAIN_MS).await;
                }
                read => return read,
            }
        }
    }
}
