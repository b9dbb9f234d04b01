//! Messages and effects as words of a trace.

use protocol::{Agreements, Attempt, JobEvent, TaskIndex, ToHome, ToWorker};

fn list<T>(items: impl IntoIterator<Item = T>, show: impl Fn(T) -> String) -> String {
    items.into_iter().map(show).collect::<Vec<_>>().join(" ")
}

fn replica(task: TaskIndex, attempt: Attempt) -> String {
    format!("{task}#{attempt}")
}

/// Replicas are `task#attempt`.
pub(super) fn to_worker(message: &ToWorker) -> String {
    match message {
        ToWorker::Assign { replicas, .. } => {
            format!("assign {}", list(replicas, |(task, attempt)| replica(*task, *attempt)))
        }
        ToWorker::Sets { sets, commits, .. } => {
            let set = |(task, members): &(TaskIndex, Vec<protocol::Member>)| {
                let attempts = members.iter().map(|member| member.attempt.to_string());
                format!("{task}#{}", attempts.collect::<Vec<_>>().join("+"))
            };
            format!("sets {} ({} batches)", list(sets, set), commits.len())
        }
        ToWorker::Close { tasks, .. } => format!("close {}", list(tasks, TaskIndex::to_string)),
    }
}

pub(super) fn to_home(message: &ToHome) -> String {
    match message {
        ToHome::Committed(batch) => {
            format!("committed {}", list(&batch.leaves, |leaf| replica(leaf.task, leaf.attempt)))
        }
        ToHome::Revealed { batch, .. } => {
            format!("revealed {}", list(&batch.leaves, |leaf| replica(leaf.task, leaf.attempt)))
        }
        ToHome::NoResult { replicas, .. } => {
            let show = |(task, attempt, reason): &(_, _, protocol::NoResult)| {
                format!("{}={reason:?}", replica(*task, *attempt))
            };
            format!("no result {}", list(replicas, show))
        }
    }
}

pub(super) fn agreements(agreements: &Agreements) -> String {
    format!(
        "tasks {} ({} commit and {} reveal batches)",
        list(&agreements.tasks, |agreed| agreed.task.to_string()),
        agreements.commits.len(),
        agreements.reveals.len()
    )
}

/// `name` gives the short name of a node.
pub(super) fn event(event: &JobEvent, name: impl Fn(&identity::PublicKey) -> String) -> String {
    match event {
        JobEvent::Admitted { tasks, drawn: Some(drawn), verification, .. } => {
            format!("admitted {tasks} tasks, {verification}, drawn at {drawn}")
        }
        JobEvent::Admitted { tasks, drawn: None, verification, .. } => {
            format!("admitted {tasks} tasks, {verification}, to be ordered first")
        }
        JobEvent::Held { after } => format!("held for {} jobs", after.len()),
        JobEvent::Drawn { drawn } => format!("drawn at {drawn}"),
        JobEvent::Disputed { task } => format!("{task} is disputed"),
        JobEvent::Ruled { task, outcome, refuted } => {
            let how = if outcome.is_some() { "decided" } else { "not decided" };
            format!("{task} is {how}, refuted: {}", list(refuted, name))
        }
        JobEvent::Started { task, attempt, node } => {
            format!("started {} on {}", replica(*task, *attempt), name(node))
        }
        JobEvent::Skipped { task, node, reason } => {
            format!("skipped {} for {task}: {reason:?}", name(node))
        }
        JobEvent::Outcome { task, node, end } => {
            format!("outcome of {task} from {}: {end}", name(node))
        }
        JobEvent::Agreed { outcome, executors } => {
            format!("agreed {} by {}", outcome.task, list(executors, name))
        }
        JobEvent::Unsettled { task, why } => format!("unsettled {task}: {why:?}"),
        JobEvent::UnsettledRange { from, count, why } => {
            format!("unsettled {count} tasks from {from}: {why:?}")
        }
        JobEvent::Paused => "paused".into(),
        JobEvent::Resumed => "resumed".into(),
        JobEvent::Final { tasks, height } => {
            format!("final {} at {height}", list(tasks, TaskIndex::to_string))
        }
        JobEvent::Finished { settled, unsettled, .. } => {
            format!("finished: {settled} settled, {unsettled} unsettled")
        }
    }
}
