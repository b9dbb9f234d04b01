//! The same as plain text, once.

use super::facts::{self, Facts};
use crate::{out, text};

/// Everything that is known, in tables.
pub(super) fn text(facts: &Facts) -> String {
    let Some(answer) = facts.answer() else { return String::new() };
    let mut text = format!("{}\n{}\n", facts.title(), facts.cluster());
    let queue = facts.queue();
    let queue: Vec<_> =
        queue.iter().map(|(name, count)| format!("{name} {}", text::number(*count))).collect();
    text.push_str(&format!("queue: {}\n{}\n\n", queue.join(", "), facts.work()));
    let node = |node: &api::NodeInfo| {
        vec![
            format!("…{}", node.node.short()),
            text::cut(&node.owner_name, 14),
            facts::state(node, answer.status.clock).into(),
            facts::load(node),
            facts::speed(node),
            facts::distance(node),
        ]
    };
    let rows: Vec<_> = answer.nodes.iter().map(node).collect();
    text.push_str(&out::table(&["NODE", "OWNER", "STATE", "LOAD", "SPEED", "RTT"], &rows));
    if let Some(trouble) = facts.trouble() {
        text.push_str(&format!("\n{trouble}\n"));
        return text;
    }
    let jobs = facts::under_way(&answer.jobs);
    if jobs.is_empty() {
        text.push_str("\nno job is under way\n");
        return text;
    }
    let job = |job: &&api::JobSummary| {
        vec![
            text::short(job.job),
            job.priority.to_string(),
            facts::job_state(job).into(),
            text::number(job.tasks.into()),
            text::number(job.running.into()),
            text::number(job.settled.into()),
            text::number(job.unsettled.into()),
        ]
    };
    let rows: Vec<_> = jobs.iter().map(job).collect();
    let head = ["JOB", "PRIORITY", "STATE", "TASKS", "RUNNING", "FINAL", "FAILED"];
    text.push('\n');
    text.push_str(&out::table(&head, &rows));
    text
}
