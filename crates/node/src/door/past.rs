//! What is told about a finished job: from its receipt, and what its home kept beside it.

use super::{
    internal,
    jobs::{audits_of, name_of, shown},
    live,
};
use api::{
    ApiError, DisputeState, JobDetail, JobState, JobSummary, JobTimes, Placing, ReplicaDetail,
    ReplicaState, TaskDetail, TaskState,
};
use identity::PublicKey;
use ledger::Ledger;
use protocol::{
    Attempt, Height, Outcome, Priority, Receipt, Report, TaskIndex, Unsettled, draw::Skip,
};
use std::collections::BTreeMap;
use work::{Left, Summary};

pub(super) fn summary(summary: &Summary) -> JobSummary {
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
        priority: Priority::default(),
        deadline: None,
        paused: false,
        running: 0,
    }
}

/// The block whose beacon drew, as the receipt's agreements say.
pub(super) fn drawn_in(receipt: &Receipt) -> Option<Height> {
    receipt.body.parts.first().map(|part| part.agreements.drawn)
}

/// A job and its tasks from `from` on.
///
/// # Errors
/// If its receipt does not hold.
pub(super) fn detail(
    ledger: &Ledger,
    kept: &Summary,
    receipt: &Receipt,
    from: TaskIndex,
) -> Result<JobDetail, ApiError> {
    let report = receipt.verify(None).map_err(internal)?;
    let past = Past::new(ledger, kept, receipt, &report);
    let order = receipt.body.order.clone();
    let tasks = shown(from, order.payload.tasks).filter_map(|task| past.task(task)).collect();
    let mut summary = summary(kept);
    summary.issued = order.payload.issued;
    Ok(JobDetail {
        summary,
        order,
        ordered: ledger.order_height(&report.job),
        drawn: drawn_in(receipt),
        after: Vec::new(),
        audits: audits_of(ledger, &report.job),
        times: JobTimes {
            admitted: Some(kept.admitted),
            first_commit: kept.times.first_commit,
            agreed: kept.times.agreed,
            settled: kept.times.settled,
            finished: Some(kept.finished),
        },
        offered: None,
        troubles: Vec::new(),
        missing: Vec::new(),
        placing: Placing::default(),
        tasks,
    })
}

/// A receipt, by task.
struct Past<'a> {
    ledger: &'a Ledger,
    receipt: &'a Receipt,
    report: &'a Report,
    outcomes: BTreeMap<TaskIndex, &'a Outcome>,
    skipped: BTreeMap<TaskIndex, &'a [Skip]>,
    left: BTreeMap<TaskIndex, &'a Left>,
}

impl<'a> Past<'a> {
    fn new(
        ledger: &'a Ledger,
        kept: &'a Summary,
        receipt: &'a Receipt,
        report: &'a Report,
    ) -> Self {
        let agreed = receipt.body.parts.iter().flat_map(|part| &part.agreements.tasks);
        Self {
            ledger,
            receipt,
            report,
            outcomes: receipt.body.outcomes.iter().map(|o| (o.task, o)).collect(),
            skipped: agreed.map(|agreed| (agreed.task, agreed.skipped.as_slice())).collect(),
            left: kept.left.iter().map(|left| (left.task, left)).collect(),
        }
    }

    fn task(&self, task: TaskIndex) -> Option<TaskDetail> {
        let (report, left) = (self.report, self.left.get(&task));
        let outcome = self.outcomes.get(&task);
        let state = match (report.settled.get(&task), outcome) {
            (Some(settled), Some(outcome)) => {
                let (end, height) = (outcome.end, settled.height);
                TaskState::Final { end, height, decided: settled.decided }
            }
            _ => TaskState::Unsettled { why: report.unsettled.get(&task)?.clone() },
        };
        let mut replicas = self.claimed(task);
        if replicas.is_empty() {
            replicas = left.map(|left| live::of_left(left)).unwrap_or_default();
        }
        let skipped = left.map(|left| left.skipped.as_slice());
        let skipped = self.skipped.get(&task).copied().or(skipped).unwrap_or_default();
        Some(TaskDetail {
            task,
            name: name_of(&self.receipt.body.table, task),
            state,
            replicas,
            skipped: skipped.to_vec(),
            awaited: left.map(|left| left.awaited.clone()).unwrap_or_default(),
            retry: None,
            began: None,
            agreed: None,
            fuel: outcome.map(|outcome| outcome.fuel),
            dispute: self.dispute(task),
        })
    }

    /// Who agreed, and who was refuted.
    fn claimed(&self, task: TaskIndex) -> Vec<ReplicaDetail> {
        let settled = self.report.settled.get(&task);
        let agreed = settled.into_iter().flat_map(|settled| &settled.executors);
        let refuted = self.report.refuted.get(&task).into_iter().flatten();
        let agreed = agreed.map(|(node, _)| (node, ReplicaState::Revealed));
        let refuted = refuted.map(|(node, _)| (node, ReplicaState::Refuted));
        let replica = |((node, state), attempt): ((&PublicKey, _), u16)| ReplicaDetail {
            state,
            ..live::revealed(Attempt(attempt), *node)
        };
        agreed.chain(refuted).zip(0..).map(replica).collect()
    }

    /// The dispute about a task: as the ledger has it, else as the receipt says.
    fn dispute(&self, task: TaskIndex) -> Option<DisputeState> {
        let report = self.report;
        if let Some(known) = self.ledger.dispute(&report.job, task) {
            return Some(super::standing::state_of(self.ledger, known));
        }
        if report.unsettled.get(&task) == Some(&Unsettled::Undecided) {
            return Some(DisputeState::Undecided { height: None });
        }
        let ruled = self.receipt.body.ruled.iter().find(|ruled| ruled.task == task)?;
        let refuted = report.refuted.get(&task).into_iter().flatten().map(|(node, _)| *node);
        let outcome = ruled.outcome;
        Some(DisputeState::Decided { outcome, height: None, refuted: refuted.collect() })
    }
}
