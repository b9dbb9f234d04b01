//! What the chain says about this home's jobs, read block by block so that nothing is missed.

use super::{Home, HomeError};
use crate::chain::settled_in;
use ledger::DisputeStatus;
use protocol::{Block, Claim, Height, JobEvent, JobId, Placement, Ruled, TaskIndex, Time, Tx};
use std::collections::BTreeMap;
use work::{Input, JobRecord, TaskStatus, Work};

/// How much the clocks of a home and of a proposer may differ.
const CLOCKS_MS: u64 = 60_000;

impl Home {
    /// Reads final blocks from where a live job may have something to learn.
    pub(super) async fn watch_chain(self) -> Result<(), HomeError> {
        let mut head = self.chain.head();
        let last = *head.borrow();
        let mut next = self.begin_reading(last).await?.next();
        let mut roster = self.tell_roster().await?;
        loop {
            let last = *head.borrow_and_update();
            while next <= last {
                let Some((block, _)) = self.chain.block(next).await? else { break };
                self.read_block(&block).await?;
                next = next.next();
            }
            // Whoever is sanctioned or released is so by the passing of blocks.
            if self.chain.ledger().roster_since() != roster {
                roster = self.tell_roster().await?;
            }
            self.tell_rulings().await?;
            self.tell_draws().await?;
            if head.changed().await.is_err() {
                return Ok(());
            }
        }
    }

    async fn read_block(&self, block: &Block) -> Result<(), HomeError> {
        let height = block.header.height;
        for (job, digest, tx) in settled_in(block) {
            let Tx::Agree(agreements) = tx else { continue };
            // What the leader put before the validators is in its own state.
            let offered = |work: &Work| Some(work.job(&job)?.has_offered(&digest));
            match self.cluster.look(offered).0 {
                Some(true) => {
                    let tasks = agreements.tasks.iter().map(|agreed| agreed.task).collect();
                    self.tell(Input::Included { job, tasks, tx: digest, height }).await?;
                }
                // This cluster goes on from a state that is older than the ledger.
                Some(false) => {
                    tracing::info!(%job, %digest, tasks = agreements.tasks.len(), "found on the ledger");
                    let agreements = agreements.clone();
                    self.tell(Input::Found { agreements, height }).await?;
                }
                None => {}
            }
        }
        Ok(())
    }

    /// The block after which there may be something about live jobs.
    async fn begin_reading(&self, head: Height) -> Result<Height, HomeError> {
        let (drawn, admitted) = self.cluster.read(first_live).await?;
        let drawn = drawn.unwrap_or(head);
        let Some(admitted) = admitted else { return Ok(drawn) };
        // A job without a draw here may have been drawn in a state that was lost.
        let admitted = Time(admitted.0.saturating_sub(CLOCKS_MS));
        let (mut low, mut high) = (Height(0), head);
        while low < high {
            let middle = Height(low.0 + (high.0 - low.0).div_ceil(2));
            match self.chain.block(middle).await? {
                Some((block, _)) if block.header.time <= admitted => low = middle,
                Some(_) => high = Height(middle.0 - 1),
                None => return Ok(drawn),
            }
        }
        Ok(drawn.min(low))
    }

    /// Tells how disputes ended that `work` waits for.
    async fn tell_rulings(&self) -> Result<(), HomeError> {
        for (job, task) in self.cluster.read(Work::disputed).await? {
            self.tell_ruling(job, task).await?;
        }
        Ok(())
    }

    /// Tells how a dispute ended, if it did.
    pub(super) async fn tell_ruling(&self, job: JobId, task: TaskIndex) -> Result<(), HomeError> {
        let ledger = self.chain.ledger();
        let outcome = match ledger.dispute(&job, task).map(|record| record.status) {
            Some(DisputeStatus::Decided { outcome, .. }) => Some(outcome),
            Some(DisputeStatus::Undecided { .. }) => None,
            Some(DisputeStatus::Open) | None => return Ok(()),
        };
        Ok(self.tell(Input::Ruled { job, task, outcome }).await?)
    }

    /// Draws sealed orders once the block after theirs is final.
    async fn tell_draws(&self) -> Result<(), HomeError> {
        let sealed = self.cluster.read(Work::sealed).await?;
        let ledger = self.chain.ledger();
        for job in sealed {
            let Some(drawn) = ledger.order_height(&job).map(Height::next) else { continue };
            let (Some(beacon), Some(roster)) = (ledger.beacon_at(drawn), ledger.roster_at(drawn))
            else {
                continue;
            };
            let (beacon, roster) = (*beacon, roster.as_ref().clone());
            self.tell(Input::Drawn { job, drawn, beacon, roster }).await?;
        }
        Ok(())
    }

    async fn tell_roster(&self) -> Result<Height, HomeError> {
        let ledger = self.chain.ledger();
        let height = ledger.roster_since();
        let roster = ledger.roster().as_ref().clone();
        self.tell(Input::Roster { height, roster }).await?;
        Ok(height)
    }
}

/// The first draw of a live job, and when the first was admitted that has none.
fn first_live(work: &Work) -> (Option<Height>, Option<Time>) {
    let records = || work.jobs().map(|(_, record)| record);
    let undrawn = records().filter(|record| record.drawn().is_none());
    (records().filter_map(JobRecord::drawn).min(), undrawn.map(JobRecord::admitted).min())
}

pub(super) fn events_of_all(work: &Work) -> Vec<(JobId, Vec<JobEvent>)> {
    work.jobs().map(|(id, record)| (*id, events_of(record))).collect()
}

/// What is known to have happened to a job, from its record.
fn events_of(record: &JobRecord) -> Vec<JobEvent> {
    let order = record.order();
    let job = order.payload.id();
    let verification = order.payload.verification;
    let tasks = order.payload.tasks;
    let sealed = order.payload.placement == Placement::Sealed;
    let drawn = record.drawn().filter(|_| !sealed);
    let mut events = vec![JobEvent::Admitted { job, tasks, drawn, verification }];
    let held: Vec<_> = record.held().copied().collect();
    if !held.is_empty() {
        events.push(JobEvent::Held { after: held });
    }
    if let Some(drawn) = record.drawn().filter(|_| sealed) {
        events.push(JobEvent::Drawn { drawn });
    }
    for task in record.disputed() {
        events.push(JobEvent::Disputed { task });
    }
    for Ruled { task, outcome, claims } in record.ruled() {
        let others = claims.iter().filter(|claim| claim.reveal.leaf.outcome != outcome);
        let refuted = others.map(Claim::node).collect();
        events.push(JobEvent::Disputed { task });
        events.push(JobEvent::Ruled { task, outcome: Some(outcome), refuted });
    }
    let mut finals: BTreeMap<Height, Vec<TaskIndex>> = BTreeMap::new();
    for (from, count, why) in record.never_begun() {
        let why = why.clone();
        events.push(match count {
            1 => JobEvent::Unsettled { task: from, why },
            count => JobEvent::UnsettledRange { from, count, why },
        });
    }
    for task in record.begun() {
        let (outcome, height) = match record.status(task) {
            Some(TaskStatus::Agreed(outcome)) => (outcome, None),
            Some(TaskStatus::Final(outcome, height)) => (outcome, Some(height)),
            Some(TaskStatus::Unsettled(why)) => {
                events.push(JobEvent::Unsettled { task, why: why.clone() });
                continue;
            }
            _ => continue,
        };
        let executors = record.executors(task);
        events.push(JobEvent::Agreed { outcome: outcome.clone(), executors });
        if let Some(height) = height {
            finals.entry(height).or_default().push(task);
        }
    }
    let told = finals.into_iter().map(|(height, tasks)| JobEvent::Final { tasks, height });
    events.extend(told);
    events
}
