//! What the home puts before the validators beside agreements: sealed orders, disputes, accusations.

use super::{Home, HomeError};
use api::Step;
use identity::Signed;
use ledger::Refusal;
use protocol::{Accusation, Contradiction, Dispute, Job, JobId, TaskIndex, Time, Tx};
use work::Input;

/// How often a claim that came after the verdict is offered again, and the pause between.
const LATE_TRIES: u32 = 20;
const LATE_MS: u64 = 3_000;

impl Home {
    /// Has a sealed order ordered. If nobody takes it now, `work` says it again.
    pub(super) async fn place(self, order: Box<Signed<Job>>) -> Result<(), HomeError> {
        let job = order.payload.id();
        if self.chain.ledger().order_height(&job).is_none() {
            self.offer_for((job, Step::Order), Tx::Order(order)).await;
        }
        Ok(())
    }

    /// Files a dispute, or tells `work` that there can be none.
    pub(super) async fn dispute(self, dispute: Box<Dispute>) -> Result<(), HomeError> {
        let (job, task) = (dispute.order.payload.id(), dispute.task);
        let tx = Tx::Dispute(Box::new(Signed::new(*dispute, self.chain.network(), &self.key)));
        match self.offer_for((job, Step::Dispute), tx.clone()).await {
            None => self.file_late((job, task), tx).await,
            // Others filed it before, and it may have ended: no further block would tell.
            Some(Refusal::NothingNew | Refusal::Undecided { .. }) => {
                self.tell_ruling(job, task).await?;
            }
            Some(refusal) if self.may_pass(&refusal) => {}
            Some(refusal) => {
                let reason = refusal.to_string();
                tracing::warn!(%job, %task, reason, "the ledger takes no dispute about this task");
                self.tell(Input::DisputeRefused { job, task, reason }).await?;
            }
        }
        Ok(())
    }

    /// Whether the ledger may take later what it refuses now. A right that is due back comes with
    /// the next block.
    fn may_pass(&self, refusal: &Refusal) -> bool {
        let due = |until: &Time| *until <= self.clock.now();
        refusal.is_passing() || matches!(refusal, Refusal::Barred { until, .. } if due(until))
    }

    /// What somebody claimed after the verdict is said by `work` once: it is offered until the
    /// ledger has it.
    async fn file_late(&self, (job, task): (JobId, TaskIndex), tx: Tx) {
        let ledger = self.chain.ledger();
        let decided = ledger.dispute(&job, task).is_some_and(|record| record.outcome().is_some());
        for _ in 0..if decided { LATE_TRIES } else { 0 } {
            self.clock.pause(LATE_MS).await;
            if self.offer(Some(job.to_string()), tx.clone()).await.is_some() {
                return;
            }
        }
    }

    /// Accuses a node of contradicting itself.
    pub(super) async fn accuse(self, contradiction: Box<Contradiction>) -> Result<(), HomeError> {
        let (network, job) = (self.chain.network(), job_of(&contradiction));
        let against = match contradiction.check(network) {
            Ok((against, _)) => against,
            Err(error) => {
                tracing::error!(job, %error, "a contradiction proves nothing; it is kept back");
                return Ok(());
            }
        };
        let issued = self.clock.now();
        let accusation = Accusation { against, contradiction: *contradiction, issued };
        let accusation = Signed::new(accusation, network, &self.key);
        self.offer(job, Tx::Accuse(Box::new(accusation))).await;
        Ok(())
    }

    /// The same for a job; what comes in the way is remembered for whoever asks.
    async fn offer_for(&self, (job, step): (JobId, Step), tx: Tx) -> Option<Refusal> {
        match self.try_to_offer(Some(job.to_string()), tx).await {
            (Some(refusal), Ok(())) if refusal.is_passing() => {
                self.note(job, step, &refusal);
                Some(refusal)
            }
            (refusal, Ok(())) => {
                self.troubles.over(&job, step);
                refusal
            }
            (refusal, Err(reason)) => {
                self.note(job, step, reason);
                refusal
            }
        }
    }

    /// Offers a transaction to the validators unless the ledger would refuse it. Gives the refusal.
    async fn offer(&self, job: Option<String>, tx: Tx) -> Option<Refusal> {
        self.try_to_offer(job, tx).await.0
    }

    /// Gives the refusal, and why no validator took it.
    async fn try_to_offer(
        &self,
        job: Option<String>,
        tx: Tx,
    ) -> (Option<Refusal>, Result<(), String>) {
        let refusal = match self.chain.check(&tx) {
            Ok(checked) => self.chain.ledger().check_tx(&checked).err(),
            Err(error) => Some(error.into()),
        };
        if refusal.as_ref().is_some_and(|refusal| !refusal.is_passing()) {
            return (refusal, Ok(()));
        }
        let digest = tx.digest();
        let taken = (self.submit)(tx).await;
        if let Err(reason) = &taken {
            tracing::info!(job, %digest, reason, "no validator took the transaction; trying again");
        }
        (refusal, taken)
    }
}

/// The job about which a node contradicts itself; validators do so in their votes as well.
fn job_of(contradiction: &Contradiction) -> Option<String> {
    let job = match contradiction {
        Contradiction::Commits { first, .. } => first.job(),
        Contradiction::Reveals { first, .. } => first.job(),
        Contradiction::Opening { commit, .. } => commit.job(),
        _ => return None,
    };
    Some(job.to_string())
}
