//! `polity job list`.

use super::super::Context;
use crate::{connect, exit::Exit, failure::Failure, out, text};
use api::{JobState, JobSummary, NodeApi};

pub(super) async fn run(context: &Context<'_>) -> Result<Exit, Failure> {
    let node = connect::node(&context.data()?)?;
    let jobs = node.jobs().await?;
    context.out.data(&jobs, || table(&jobs))?;
    Ok(Exit::Success)
}

/// Jobs, one for each line.
pub(in crate::commands) fn table(jobs: &[JobSummary]) -> String {
    let rows: Vec<_> = jobs.iter().map(row).collect();
    out::table(&["JOB", "SIGNED", "STATE", "PRIORITY", "TASKS", "FINAL", "NOT AGREED"], &rows)
}

fn row(job: &JobSummary) -> Vec<String> {
    let state = match job.state {
        JobState::Running if job.paused => "paused",
        JobState::Running => "running",
        JobState::Finished => "finished",
    };
    vec![
        text::short(job.job),
        text::moment(job.issued),
        state.into(),
        match job.state {
            JobState::Running => job.priority.to_string(),
            JobState::Finished => "-".into(),
        },
        job.tasks.to_string(),
        job.settled.to_string(),
        job.unsettled.to_string(),
    ]
}
