//! Which job a person means: a whole id, the beginning or the end of one, or `last`.

use crate::{
    failure::Failure,
    pick::{Kind, pick},
};
use api::{JobDetail, NodeApi};
use protocol::{JobId, TaskIndex};

const JOBS: Kind = Kind { one: "job", several: "jobs", list: "polity job list" };

/// The job that `text` names.
pub(crate) async fn job(node: &impl NodeApi, text: &str) -> Result<JobId, Failure> {
    if let Ok(job) = text.parse() {
        return Ok(job);
    }
    let jobs = node.jobs().await?;
    if text == "last" {
        let last = jobs.iter().max_by_key(|job| (job.issued, job.job));
        return last.map(|job| job.job).ok_or_else(|| {
            Failure::usage("this node has no jobs").next("give it one with: polity run PROGRAM")
        });
    }
    pick(text, &JOBS, jobs.iter().map(|job| job.job))
}

/// A job with all its tasks.
pub(crate) async fn detail(node: &impl NodeApi, job: JobId) -> Result<JobDetail, Failure> {
    let mut detail = node.job(job, TaskIndex(0)).await?;
    while detail.tasks.len() < detail.summary.tasks as usize {
        let next = u32::try_from(detail.tasks.len()).map_err(Failure::internal)?;
        let more = node.job(job, TaskIndex(next)).await?;
        if more.tasks.is_empty() {
            break;
        }
        detail.tasks.extend(more.tasks);
    }
    Ok(detail)
}
