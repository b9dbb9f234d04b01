//! What is told about jobs: live ones from `work`, finished ones from their receipts.

use super::{Door, internal, live, past};
use crate::home::unavailable;
use api::{ApiError, AuditCount, Code, JobDetail, JobSummary, TaskDetail, path};
use bytes::Bytes;
use ledger::Ledger;
use objects::{Cid, FileWalker};
use protocol::{
    JobEvent, JobId, NoResult, Placement, Receipt, TaskIndex, TaskSpec, TaskTable, limits,
    port::Blobs,
};
use std::{borrow::Cow, collections::BTreeSet};
use work::Summary;

pub(super) fn unknown(job: &JobId) -> ApiError {
    ApiError::new(Code::NotFound, format!("this node takes care of no job {job}"))
        .next("see which there are with: polity job list")
}

/// Where a job is found.
enum Found {
    Live,
    Finished(Summary),
}

impl Door {
    async fn find_job(&self, job: JobId) -> Result<Found, ApiError> {
        let find = move |work: &work::Work| {
            let live = work.job(&job).map(|_| Found::Live);
            let finished = || work.finished().find(|summary| summary.job == job).cloned();
            live.or_else(|| finished().map(Found::Finished))
        };
        let found = self.home.cluster.read(find).await.map_err(unavailable)?;
        found.ok_or_else(|| unknown(&job))
    }

    pub(super) async fn all_jobs(&self) -> Result<Vec<JobSummary>, ApiError> {
        let list = |work: &work::Work| {
            let live = work.jobs().map(|(id, record)| live::summary(*id, record));
            let mut all: Vec<_> = live.chain(work.finished().map(past::summary)).collect();
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
        let ledger = self.home.chain.ledger();
        let state = ledger.clone();
        let live = move |work: &work::Work| live::detail(work, (job, &state), from);
        let live = self.home.cluster.read(live).await.map_err(unavailable)?;
        if let Some(mut detail) = live {
            self.look_beside(&mut detail).await;
            return Ok(detail);
        }
        match self.find_job(job).await? {
            // It began in this moment.
            Found::Live => Err(unknown(&job)),
            Found::Finished(summary) => {
                let receipt = self.read_receipt(summary.receipt).await?;
                past::detail(&ledger, &summary, &receipt, from)
            }
        }
    }

    /// Adds what is known of a live job outside of the log: names, troubles, what is missing.
    async fn look_beside(&self, detail: &mut JobDetail) {
        detail.troubles = self.home.troubles.of(&detail.summary.job);
        let job = &detail.order.payload;
        let lacks = |task: &&TaskDetail| {
            let said = task.replicas.iter().filter_map(|replica| replica.no_result);
            said.into_iter().any(|reason| reason == NoResult::MissingObject)
        };
        let lacking: Vec<_> = detail.tasks.iter().filter(lacks).map(|task| task.task).collect();
        let mut wanted = BTreeSet::new();
        match self.table(job.table).await {
            Ok(table) => {
                live::name(detail, &table);
                let specs = lacking.iter().filter_map(|task| table.task_of(*task));
                let inputs = |spec: Cow<'_, TaskSpec>| {
                    spec.inputs.iter().map(|input| input.cid).chain(spec.stdin).collect::<Vec<_>>()
                };
                wanted.extend(specs.flat_map(inputs));
            }
            Err(_) => {
                wanted.insert(job.table);
                for task in &mut detail.tasks {
                    task.name = task.task.to_string();
                }
            }
        }
        if wanted.is_empty() && lacking.is_empty() {
            return;
        }
        wanted.insert(detail.order.payload.program);
        let wanted: Vec<_> = wanted.into_iter().take(path::CIDS).collect();
        // A store that does not answer is seen elsewhere.
        let here = self.home.store.has(wanted.clone()).await.unwrap_or_default();
        let missing = wanted.into_iter().zip(here).filter(|(_, here)| !here);
        detail.missing = missing.map(|(cid, _)| cid).collect();
    }

    /// The events of a job whose own log is gone: a finished one. `None` if it goes on.
    pub(super) async fn past_events(&self, job: JobId) -> Result<Option<Vec<JobEvent>>, ApiError> {
        let summary = match self.find_job(job).await? {
            Found::Live => return Ok(None),
            Found::Finished(summary) => summary,
        };
        let receipt = self.read_receipt(summary.receipt).await?;
        let report = receipt.verify(None).map_err(internal)?;
        let order = &receipt.body.order.payload;
        let mut events = vec![JobEvent::Admitted {
            job,
            tasks: order.tasks,
            drawn: past::drawn_in(&receipt).filter(|_| order.placement == Placement::Fast),
            verification: order.verification,
        }];
        if let Some(drawn) =
            past::drawn_in(&receipt).filter(|_| order.placement == Placement::Sealed)
        {
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
            Found::Live => Err(ApiError::new(Code::NotFinished, format!("{job} is not finished"))
                .next(format!("polity job get {job}"))),
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

pub(super) fn shown(from: TaskIndex, tasks: u32) -> impl Iterator<Item = TaskIndex> + Clone {
    (from.0..tasks).take(path::TASKS).map(TaskIndex)
}

pub(super) fn name_of(table: &TaskTable, task: TaskIndex) -> String {
    table.name(task.0 as usize).map(Cow::into_owned).unwrap_or_default()
}

pub(super) fn audits_of(ledger: &Ledger, job: &JobId) -> AuditCount {
    let ledger::AuditCount { picked, audited } = ledger.audited(job);
    AuditCount { picked, audited }
}
