//! Which job a person means: a whole id, the begin or the end of one, or `last`.

use crate::failure::Failure;
use api::{JobDetail, NodeApi};
use protocol::{JobId, TaskIndex};

/// Characters of an id that are enough.
const SHORTEST: usize = 4;

/// The job that `text` names.
pub(crate) async fn job(node: &impl NodeApi, text: &str) -> Result<JobId, Failure> {
    if let Ok(job) = text.parse() {
        return Ok(job);
    }
    let jobs = node.jobs().await?;
    let list = "see which there are with: polity job list";
    if text == "last" {
        let last = jobs.iter().max_by_key(|job| (job.issued, job.job));
        return last.map(|job| job.job).ok_or_else(|| {
            Failure::usage("this node has no jobs").next("give it one with: polity run PROGRAM")
        });
    }
    if text.len() < SHORTEST || !text.chars().all(|c| c.is_ascii_alphanumeric()) {
        return Err(Failure::usage(format!("'{text}' is no job")).next(list));
    }
    let is_meant = |id: &str| id.starts_with(text) || id.ends_with(text);
    let mut found = jobs.iter().map(|job| job.job).filter(|job| is_meant(&job.to_string()));
    match (found.next(), found.next()) {
        (Some(job), None) => Ok(job),
        (Some(_), Some(_)) => {
            Err(Failure::usage(format!("several jobs begin or end with '{text}'")).next(list))
        }
        (None, _) => Err(Failure::usage(format!("no job begins or ends with '{text}'")).next(list)),
    }
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
