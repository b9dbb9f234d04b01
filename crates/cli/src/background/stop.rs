//! Stopping a node by its process, and never another process.

use super::spawn::is_readable;
use crate::{
    connect,
    data::{DataDir, Process},
    failure::Failure,
    text,
};
use api::{ClusterApi, JobState, NodeApi};
use rustix::{
    io::Errno,
    process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal},
};
use std::time::{Duration, Instant};

/// How long a node may take to stop.
const STOP: Duration = Duration::from_secs(60);

/// Stops a node gracefully, and waits until its process is over.
pub(crate) fn stop(process: &Process) -> Result<(), Failure> {
    let failed = |error: Errno| {
        Failure::internal(format!("process {} cannot be stopped: {error}", process.pid))
    };
    let pid = Pid::from_raw(process.pid).ok_or_else(|| Failure::internal("0 is no process"))?;
    let held = match pidfd_open(pid, PidfdFlags::empty()) {
        Ok(held) => held,
        Err(Errno::SRCH) => return Ok(()),
        Err(error) => return Err(failed(error)),
    };
    // What is held now stays the same process. Is it the one that is meant?
    if !process.is_running() {
        return Ok(());
    }
    pidfd_send_signal(&held, Signal::TERM).map_err(failed)?;
    if is_readable(&held, Instant::now() + STOP).map_err(Failure::internal)? {
        return Ok(());
    }
    let waited = text::lasting(STOP);
    let pid = process.pid;
    Err(Failure::internal(format!("the node (pid {pid}) has not stopped after {waited}"))
        .next(format!("nothing is lost if it is killed: kill -9 {pid}")))
}

/// Jobs of a node that have not ended, and that no other member of its cluster goes on with.
pub(crate) async fn jobs_running(data: &DataDir) -> Result<usize, Failure> {
    let node = connect::running(data)?;
    if node.cluster().await?.members.len() > 1 {
        return Ok(0);
    }
    let jobs = node.jobs().await?;
    Ok(jobs.iter().filter(|job| job.state == JobState::Running).count())
}
