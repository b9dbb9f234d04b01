//! What is told about jobs: live ones from `work`, finished ones from their receipts.

use super::{Door, internal};
use crate::home::unavailable;
use api::{
    ApiError, AuditCount, Code, DisputeState, JobDetail, JobState, JobSummary, ReplicaDetail,
    ReplicaState, TaskDetail, TaskState, path,
};
use bytes::Bytes;
use ledger::Ledger;
use objects::{Cid, FileWalker};
use protocol::{
    Attempt, Height, JobEvent, JobId, Outcome, Placement, Receipt, Report, TaskIndex, TaskTable,
    Unsettled, limits,
};
use std::collections::BTreeMap;
use work::{JobRecord, Summary, TaskStatus};

pub(super) fn unknown(job: &JobId) -> ApiError {
    ApiError::new(Code::NotFound, format!("this node takes care of no job {job}"))
        .next("polity job list")
}

/// Where a job is found.
enum Found {
    Live(Box<JobRecord>),
    Finished(Summary),
}

impl Door {
    async fn find_job(&self, job: JobId) -> Result<Found, ApiError> {
        let find = move |work: &work::Work| {
            let live = work.job(&job).cloned().map(|record| Found::Live(Box::new(record)));
            let finished = || work.finished().find(|summary| summary.job == job).cloned();
            live.or_else(|| finished().map(Found::Finished))
        };
        let found = self.home.cluster.read(find).await.map_err(unavailable)?;
        found.ok_or_else(|| unknown(&job))
    }

    pub(super) async fn all_jobs(&self) -> Result<Vec<JobSummary>, ApiError> {
        let list = |work: &work::Work| {
            let live = work.jobs().map(|(id, record)| live_summary(*id, record));
            let mut all: Vec<_> = live.chain(work.finished().map(finished_summary)).collect();
            all.sort_by_key(|summary| std::cmp::Reverse((summary.issued, summary.job)));
            all.truncate(path::JOBS);
            all
        };
        self.home.cluster.read(list).await.map_err(unavailable)
    }

    pub(super) async fn job_detail(
        &self,
        job: JobId,
        from: TaskIndex,
    ) -> Result<JobDetail, ApiError> {
        match self.find_job(job).await? {
            Found::Live(record) => {
                let table = self.table(record.order().payload.table).await?;
                Ok(live_detail((job, &self.home.chain.ledger()), &record, &table, from))
            }
            Found::Finished(summary) => {
                let receipt = self.read_receipt(summary.receipt).await?;
                finished_detail(&self.home.chain.ledger(), &summary, &receipt, from)
            }
        }
    }

    /// The events of a job whose own log is gone: a finished one. `None` if it goes on.
    pub(super) async fn past_events(&self, job: JobId) -> Result<Option<Vec<JobEvent>>, ApiError> {
        let summary = match self.find_job(job).await? {
            Found::Live(_) => return Ok(None),
            Found::Finished(summary) => summary,
        };
        let receipt = self.read_receipt(summary.receipt).await?;
        let report = receipt.verify(None).map_err(internal)?;
        let order = &receipt.body.order.payload;
        let mut events = vec![JobEvent::Admitted {
            job,
            tasks: order.tasks,
            drawn: drawn_in(&receipt).filter(|_| order.placement == Placement::Fast),
            verification: order.verification,
        }];
        if let Some(drawn) = drawn_in(&receipt).filter(|_| order.placement == Placement::Sealed) {
            events.push(JobEvent::Drawn { drawn });
        }
        for ruled in &receipt.body.ruled {
            let refuted = report.refuted.get(&ruled.task).into_iter().flatten();
            let refuted = refuted.map(|(node, _)| *node).collect();
            let (task, outcome) = (ruled.task, Some(ruled.outcome));
            events.push(JobEvent::Disputed { task });
            events.push(JobEvent::Ruled { task, outcome, refuted });
        }
        for outcome in &receipt.body.outcomes {
            let settled = &report.settled[&outcome.task];
            let executors = settled.executors.iter().map(|(node, _)| *node).collect();
            events.push(JobEvent::Agreed { outcome: outcome.clone(), executors });
        }
        for (task, why) in &receipt.body.unsettled {
            events.push(JobEvent::Unsettled { task: *task, why: why.clone() });
        }
        for part in &receipt.body.parts {
            let tasks = part.agreements.tasks.iter().map(|agreed| agreed.task).collect();
            events.push(JobEvent::Final { tasks, height: part.header.height });
        }
        let Summary { settled, unsettled, receipt, .. } = summary;
        events.push(JobEvent::Finished { settled, unsettled, receipt });
        Ok(Some(events))
    }

    pub(super) async fn receipt_of(&self, job: JobId) -> Result<Bytes, ApiError> {
        let found = match self.find_job(job).await {
            // Of what is known there is a receipt, also when the job itself is forgotten.
            Err(error) if error.code == Code::NotFound => {
                let receipt = self.home.known.receipt(&job).await.map_err(internal)?;
                return self.file(receipt.ok_or(error)?).await;
            }
            found => found?,
        };
        match found {
            Found::Live(_) => {
                Err(ApiError::new(Code::NotFinished, format!("{job} is not finished"))
                    .next(format!("polity job get {job}")))
            }
            Found::Finished(summary) => self.file(summary.receipt).await,
        }
    }

    async fn read_receipt(&self, cid: Cid) -> Result<Receipt, ApiError> {
        Receipt::decode(&self.file(cid).await?).map_err(internal)
    }

    async fn table(&self, cid: Cid) -> Result<TaskTable, ApiError> {
        TaskTable::decode(&self.block_of_content(cid).await?).map_err(internal)
    }

    async fn file(&self, root: Cid) -> Result<Bytes, ApiError> {
        let mut walker = FileWalker::new(root, limits::RECEIPT_BYTES as u64);
        let mut content = Vec::new();
        while let Some(cid) = walker.wanted() {
            let block = self.block_of_content(cid).await?;
            content.extend_from_slice(&walker.give(cid, block).map_err(internal)?);
        }
        Ok(content.into())
    }
}

fn live_summary(job: JobId, record: &JobRecord) -> JobSummary {
    let progress = record.progress();
    JobSummary {
        job,
        submitter: record.order().by,
        issued: record.order().payload.issued,
        state: JobState::Running,
        tasks: record.order().payload.tasks,
        agreed: progress.agreed + progress.settled,
        settled: progress.settled,
        unsettled: progress.unsettled,
        receipt: None,
    }
}

fn finished_summary(summary: &Summary) -> JobSummary {
    JobSummary {
        job: summary.job,
        submitter: summary.submitter,
        issued: summary.admitted,
        state: JobState::Finished,
        tasks: summary.settled + summary.unsettled,
        agreed: summary.settled,
        settled: summary.settled,
        unsettled: summary.unsettled,
        receipt: Some(summary.receipt),
    }
}

fn shown(from: TaskIndex, tasks: u32) -> impl Iterator<Item = TaskIndex> {
    (from.0..tasks).take(path::TASKS).map(TaskIndex)
}

fn name_of(table: &TaskTable, task: TaskIndex) -> String {
    table.tasks.get(task.0 as usize).map(|spec| spec.name.clone()).unwrap_or_default()
}

/// The block whose beacon drew, as the receipt's agreements say.
fn drawn_in(receipt: &Receipt) -> Option<Height> {
    receipt.body.parts.first().map(|part| part.agreements.drawn)
}

fn audits_of(ledger: &Ledger, job: &JobId) -> AuditCount {
    let ledger::AuditCount { picked, audited } = ledger.audited(job);
    AuditCount { picked, audited }
}

/// The dispute about a task of a live job: as the ledger has it, or as this home filed it.
fn dispute_of(
    (job, ledger): (&JobId, &Ledger),
    record: &JobRecord,
    task: TaskIndex,
) -> Option<DisputeState> {
    if let Some(known) = ledger.dispute(job, task) {
        return Some(super::standing::state_of(ledger, known));
    }
    let refused = record.dispute_refusals().find(|(refused, _)| *refused == task);
    let filed = record.disputed().contains(&task) || refused.is_some();
    filed.then(|| DisputeState::Filed { refused: refused.map(|(_, reason)| reason.into()) })
}

fn live_detail(
    (job, ledger): (JobId, &Ledger),
    record: &JobRecord,
    table: &TaskTable,
    from: TaskIndex,
) -> JobDetail {
    let tasks = shown(from, record.order().payload.tasks)
        .filter_map(|task| {
            let dispute = dispute_of((&job, ledger), record, task);
            let disputed = record.disputed().contains(&task);
            let state = match record.status(task)? {
                TaskStatus::Running { .. } if disputed => TaskState::Disputed,
                TaskStatus::Waiting => TaskState::Waiting { why: why_waiting(record) },
                TaskStatus::Running { short: true, .. } => TaskState::Waiting {
                    why: "too few nodes of different owners can be asked now".into(),
                },
                TaskStatus::Running { .. } => TaskState::Running,
                TaskStatus::Agreed(outcome) => TaskState::Agreed { end: outcome.end },
                TaskStatus::Final(outcome, height) => {
                    let decided = record.is_decided(task);
                    TaskState::Final { end: outcome.end, height, decided }
                }
                TaskStatus::Unsettled(why) => TaskState::Unsettled { why: why.clone() },
            };
            let replicas = record.replicas(task).into_iter().map(replica).collect();
            let (name, skipped) = (name_of(table, task), record.skips(task));
            Some(TaskDetail { task, name, state, replicas, skipped, dispute })
        })
        .collect();
    let (order, drawn) = (record.order().clone(), record.drawn());
    let (ordered, audits) = (ledger.order_height(&job), audits_of(ledger, &job));
    let after = record.held().copied().collect();
    JobDetail { summary: live_summary(job, record), order, ordered, drawn, after, audits, tasks }
}

/// Why nobody was asked yet.
fn why_waiting(record: &JobRecord) -> String {
    let mut held = record.held();
    match (held.next(), held.count()) {
        (Some(job), 0) => format!("held until job {job} has ended well"),
        (Some(job), more) => format!("held until job {job} and {more} more have ended well"),
        (None, _) if record.drawn().is_none() => "its executors are not drawn yet".into(),
        (None, _) => "nobody was asked yet: others come first".into(),
    }
}

fn replica(
    (attempt, node, state): (Attempt, identity::PublicKey, work::ReplicaStatus),
) -> ReplicaDetail {
    let state = match state {
        work::ReplicaStatus::Assigned => ReplicaState::Assigned,
        work::ReplicaStatus::Committed => ReplicaState::Committed,
        work::ReplicaStatus::Revealed => ReplicaState::Revealed,
        work::ReplicaStatus::Lost => ReplicaState::Lost,
    };
    ReplicaDetail { attempt, node, state }
}

/// The dispute about a task of a finished job: as the ledger has it, else as the receipt says.
fn past_dispute(
    ledger: &Ledger,
    (receipt, report): (&Receipt, &Report),
    task: TaskIndex,
) -> Option<DisputeState> {
    if let Some(known) = ledger.dispute(&report.job, task) {
        return Some(super::standing::state_of(ledger, known));
    }
    if report.unsettled.get(&task) == Some(&Unsettled::Undecided) {
        return Some(DisputeState::Undecided { height: None });
    }
    let ruled = receipt.body.ruled.iter().find(|ruled| ruled.task == task)?;
    let refuted = report.refuted.get(&task).into_iter().flatten().map(|(node, _)| *node).collect();
    Some(DisputeState::Decided { outcome: ruled.outcome, height: None, refuted })
}

fn finished_detail(
    ledger: &Ledger,
    summary: &Summary,
    receipt: &Receipt,
    from: TaskIndex,
) -> Result<JobDetail, ApiError> {
    let report = receipt.verify(None).map_err(internal)?;
    let ends: BTreeMap<TaskIndex, &Outcome> =
        receipt.body.outcomes.iter().map(|outcome| (outcome.task, outcome)).collect();
    let skipped: BTreeMap<TaskIndex, _> = receipt
        .body
        .parts
        .iter()
        .flat_map(|part| &part.agreements.tasks)
        .map(|agreed| (agreed.task, &agreed.skipped))
        .collect();
    let detail = |task: TaskIndex| {
        let state = match (report.settled.get(&task), ends.get(&task)) {
            (Some(settled), Some(outcome)) => {
                let (end, height) = (outcome.end, settled.height);
                TaskState::Final { end, height, decided: settled.decided }
            }
            _ => TaskState::Unsettled { why: report.unsettled.get(&task)?.clone() },
        };
        let executors = report.settled.get(&task).map(|settled| settled.executors.as_slice());
        let agreed = executors.unwrap_or_default().iter().map(|who| (who, ReplicaState::Revealed));
        let refuted = report.refuted.get(&task).into_iter().flatten();
        let refuted = refuted.map(|who| (who, ReplicaState::Refuted));
        let replicas = agreed
            .chain(refuted)
            .zip(0..)
            .map(|(((node, _), state), attempt)| ReplicaDetail {
                attempt: Attempt(attempt),
                node: *node,
                state,
            })
            .collect();
        let skipped = skipped.get(&task).map(|skips| skips.to_vec()).unwrap_or_default();
        let name = name_of(&receipt.body.table, task);
        let dispute = past_dispute(ledger, (receipt, &report), task);
        Some(TaskDetail { task, name, state, replicas, skipped, dispute })
    };
    let order = receipt.body.order.clone();
    let tasks = shown(from, order.payload.tasks).filter_map(detail).collect();
    let drawn = drawn_in(receipt);
    let mut summary = finished_summary(summary);
    summary.issued = order.payload.issued;
    let (ordered, audits) = (ledger.order_height(&report.job), audits_of(ledger, &report.job));
    let after = Vec::new();
    Ok(JobDetail { summary, order, ordered, drawn, after, audits, tasks })
}
