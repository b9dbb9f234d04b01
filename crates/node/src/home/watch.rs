//! What the chain says about this home's jobs, read block by block so that nothing is missed.

use super::{Home, HomeError};
use crate::chain::settled_in;
use ledger::DisputeStatus;
use protocol::{Block, Claim, Height, JobEvent, JobId, Placement, Ruled, TaskIndex, Tx};
use std::collections::BTreeMap;
use work::{Input, JobRecord, TaskStatus, Work};

impl Home {
    /// Reads final blocks from where a live job may have something to learn.
    pub(super) async fn watch_chain(self) -> Result<(), HomeError> {
        let mut head = self.chain.head();
        let first_live = self.cluster.read(first_live).await?;
        let mut next = first_live.unwrap_or(*head.borrow()).next();
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
            let (ours, _) = self.cluster.look(|work| work.job(&job).is_some());
            if ours {
                let tasks = agreements.tasks.iter().map(|agreed| agreed.task).collect();
                self.tell(Input::Included { job, tasks, tx: digest, height }).await?;
            }
        }
        Ok(())
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

fn first_live(work: &Work) -> Option<Height> {
    work.jobs().filter_map(|(_, record)| record.drawn()).min()
}

pub(super) fn events_of_all(work: &Work) -> Vec<(JobId, Vec<JobEvent>)> {
    work.jobs().map(|(id, record)| (*id, events_of(record))).collect()
}

/// How jobs ended whose receipts are stored.
pub(super) fn finished_events(work: &Work) -> Vec<(JobId, Vec<JobEvent>)> {
    let ended = |summary: &work::Summary| {
        let (settled, unsettled) = (summary.settled, summary.unsettled);
        let event = JobEvent::Finished { settled, unsettled, receipt: summary.receipt };
        (summary.job, vec![event])
    };
    work.finished().map(ended).collect()
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
