//! What is told about a job that is under way.

use super::{
    jobs::{audits_of, name_of, shown},
    placing,
};
use api::{
    DisputeState, JobDetail, JobState, JobSummary, JobTimes, ReplicaDetail, ReplicaState,
    TaskDetail, TaskState,
};
use identity::PublicKey;
use ledger::Ledger;
use protocol::{Attempt, JobId, NoResult, TaskIndex, TaskTable};
use std::collections::BTreeSet;
use work::{JobRecord, Left, ReplicaView, TaskStatus, TaskView, Work};

pub(super) fn summary(job: JobId, record: &JobRecord) -> JobSummary {
    let progress = record.progress();
    let terms = &record.order().payload.terms;
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
        priority: terms.priority,
        deadline: terms.deadline,
        paused: record.is_paused(),
        running: progress.running,
    }
}

/// A job and its tasks from `from` on; what is known of it beside the log is left out, and so are
/// the names of tasks.
pub(super) fn detail(
    work: &Work,
    (job, ledger): (JobId, &Ledger),
    from: TaskIndex,
) -> Option<JobDetail> {
    let record = work.job(&job)?;
    let disputed: BTreeSet<_> = record.disputed().into_iter().collect();
    let asked = Asked { work, job, ledger, record, disputed };
    let tasks = shown(from, record.order().payload.tasks);
    let placing = placing::of(work, &job, tasks.clone());
    let times = record.times();
    Some(JobDetail {
        summary: summary(job, record),
        order: record.order().clone(),
        ordered: ledger.order_height(&job),
        drawn: record.drawn(),
        after: record.held().copied().collect(),
        audits: audits_of(ledger, &job),
        times: JobTimes {
            admitted: Some(record.admitted()),
            first_commit: times.first_commit,
            agreed: times.agreed,
            settled: times.settled,
            finished: None,
        },
        offered: record.offered(),
        troubles: Vec::new(),
        missing: Vec::new(),
        placing,
        tasks: tasks.filter_map(|task| asked.task(task)).collect(),
    })
}

/// Puts the names of tasks in.
pub(super) fn name(detail: &mut JobDetail, table: &TaskTable) {
    for task in &mut detail.tasks {
        task.name = name_of(table, task.task);
    }
}

/// A job that somebody asks about.
struct Asked<'a> {
    work: &'a Work,
    job: JobId,
    ledger: &'a Ledger,
    record: &'a JobRecord,
    disputed: BTreeSet<TaskIndex>,
}

impl Asked<'_> {
    fn task(&self, task: TaskIndex) -> Option<TaskDetail> {
        let record = self.record;
        let disputed = self.disputed.contains(&task);
        let mut fuel = None;
        let state = match record.status(task)? {
            TaskStatus::Running { .. } if disputed => TaskState::Disputed,
            TaskStatus::Waiting => TaskState::Waiting { why: why_waiting(record) },
            TaskStatus::Running { short: true, .. } => TaskState::Waiting {
                why: "too few nodes of different owners can be asked now".into(),
            },
            TaskStatus::Running { .. } => TaskState::Running,
            TaskStatus::Agreed(outcome) => {
                fuel = Some(outcome.fuel);
                TaskState::Agreed { end: outcome.end }
            }
            TaskStatus::Final(outcome, height) => {
                fuel = Some(outcome.fuel);
                let decided = record.is_decided(task);
                TaskState::Final { end: outcome.end, height, decided }
            }
            TaskStatus::Unsettled(why) => TaskState::Unsettled { why: why.clone() },
        };
        let TaskView { replicas, awaited, retry } =
            self.work.view(&self.job, task).unwrap_or_default();
        let mut replicas: Vec<_> = replicas.iter().map(replica).collect();
        let mut skipped = record.skips(task);
        if replicas.is_empty() {
            let agreed = record.replicas(task).into_iter();
            replicas = agreed.map(|(attempt, node, _)| revealed(attempt, node)).collect();
        }
        if let Some(left) = record.left(task) {
            replicas = of_left(left);
            skipped.clone_from(&left.skipped);
        }
        let times = record.times_of(task);
        Some(TaskDetail {
            task,
            name: String::new(),
            state,
            replicas,
            skipped,
            awaited,
            retry,
            began: times.began,
            agreed: times.agreed,
            fuel,
            dispute: self.dispute(task),
        })
    }

    /// The dispute about a task: as the ledger has it, or as this home filed it.
    fn dispute(&self, task: TaskIndex) -> Option<DisputeState> {
        if let Some(known) = self.ledger.dispute(&self.job, task) {
            return Some(super::standing::state_of(self.ledger, known));
        }
        let refused = self.record.dispute_refusals().find(|(refused, _)| *refused == task);
        let filed = self.disputed.contains(&task) || refused.is_some();
        filed.then(|| DisputeState::Filed { refused: refused.map(|(_, reason)| reason.into()) })
    }
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

fn replica(view: &ReplicaView) -> ReplicaDetail {
    let state = match view.status {
        work::ReplicaStatus::Assigned => ReplicaState::Assigned,
        work::ReplicaStatus::Committed => ReplicaState::Committed,
        work::ReplicaStatus::Revealed => ReplicaState::Revealed,
        work::ReplicaStatus::Lost => ReplicaState::Lost,
    };
    ReplicaDetail {
        attempt: view.attempt,
        node: view.node,
        state,
        since: Some(view.since),
        due: view.due,
        no_result: view.no_result,
    }
}

/// A replica of which no more is known than that it is part of what was agreed on.
pub(super) fn revealed(attempt: Attempt, node: PublicKey) -> ReplicaDetail {
    let state = ReplicaState::Revealed;
    ReplicaDetail { attempt, node, state, since: None, due: None, no_result: None }
}

/// The replicas of a task that ended without agreement, as far as that is kept.
pub(super) fn of_left(left: &Left) -> Vec<ReplicaDetail> {
    let replica = |node: PublicKey, state, no_result: Option<NoResult>| ReplicaDetail {
        attempt: Attempt(0),
        node,
        state,
        since: None,
        due: None,
        no_result,
    };
    let said = left.no_results.iter();
    let said = said.map(|(node, reason)| replica(*node, ReplicaState::Lost, Some(*reason)));
    let silent = left.silent.iter().map(|node| replica(*node, ReplicaState::Assigned, None));
    let mut all: Vec<_> = said.chain(silent).collect();
    for (attempt, replica) in (0..).zip(&mut all) {
        replica.attempt = Attempt(attempt);
    }
    all
}
