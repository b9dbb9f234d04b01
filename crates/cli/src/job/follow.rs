//! Follows a job to where a person waits for it, and writes results as they come.

use super::{
    course::{Course, Stage, Wait},
    names::Names,
    progress::Progress,
    results::Results,
};
use crate::{exit::Exit, failure::Failure, out::Out};
use api::{ApiError, Code, JobEvents, NodeApi};
use futures::{
    FutureExt, Stream, StreamExt,
    future::BoxFuture,
    stream::{self, FuturesUnordered},
};
use protocol::{JobEvent, JobId, Outcome, TaskIndex, Unsettled};
use std::{collections::VecDeque, time::Duration};
use tokio::time::{Instant, sleep, sleep_until};

/// Shares of results that are written at once.
const WRITERS: usize = 4;
/// Tasks whose results are fetched together.
const SHARE: usize = 64;
/// How often a lost node is asked again during one job, once a second.
const TRIES: u32 = 120;
const PAUSE: Duration = Duration::from_secs(1);
/// How much longer than the job lives a person waits for its end.
const GRACE: Duration = Duration::from_secs(10);

/// How a person waits.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Patience {
    pub(crate) wait: Wait,
    /// How long the job lives, if that was said.
    pub(crate) timeout: Option<Duration>,
}

/// How the waiting ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Why {
    Done,
    TimedOut,
    Interrupted,
}

/// What came of it.
#[derive(Debug)]
pub(crate) struct Ending {
    pub(crate) course: Course,
    pub(crate) why: Why,
    /// Tasks whose results are not there, and why.
    pub(crate) troubles: Vec<(TaskIndex, Failure)>,
}

impl Ending {
    /// The exit code, as far as the receipt does not matter.
    pub(crate) fn exit(&self) -> Exit {
        let expired =
            |(_, stage): (_, &Stage)| matches!(stage, Stage::Unsettled(Unsettled::Expired));
        match self.why {
            Why::Interrupted => Exit::Interrupted,
            Why::TimedOut => Exit::Timeout,
            Why::Done if self.course.stages().any(expired) => Exit::Timeout,
            Why::Done => match self.course.exit() {
                Exit::NotAgreed => Exit::NotAgreed,
                _ if !self.troubles.is_empty() => Exit::Unverified,
                exit => exit,
            },
        }
    }
}

/// Follows `job` from its events on. Results of a task are written when it arrives where
/// `patience` waits, apart from a first outcome, which has no files yet.
pub(crate) async fn follow<N: NodeApi>(
    node: &N,
    job: JobId,
    events: JobEvents,
    results: &Results,
    patience: Patience,
    names: &Names,
    out: Out,
) -> Result<Ending, Failure> {
    let Patience { wait, timeout } = patience;
    let table = results.table();
    let mut course = Course::new(table.tasks.len());
    let mut progress = Progress::new(out, table.tasks.len());
    let mut events = std::pin::pin!(steady(node, job, events));
    let mut writing = FuturesUnordered::<BoxFuture<'_, _>>::new();
    let mut due = VecDeque::<Outcome>::new();
    let mut troubles = Vec::new();
    let mut interrupt = std::pin::pin!(tokio::signal::ctrl_c());
    let deadline = timeout.map(|timeout| Instant::now() + timeout + GRACE);
    let why = loop {
        while writing.len() < WRITERS {
            if due.is_empty() {
                break;
            }
            let share: Vec<_> = due.drain(..due.len().min(SHARE)).collect();
            writing.push(async move { results.write(node, &share).await }.boxed());
        }
        let done = course.is_done(wait);
        if done && writing.is_empty() {
            break Why::Done;
        }
        tokio::select! {
            event = events.next(), if !done => {
                let event = event.unwrap_or_else(|| Err(ApiError::new(
                    Code::Cut, "the node stopped telling about the job",
                )))?;
                let arrived = course.take(&event, wait);
                if wait != Wait::Outcome {
                    due.extend(arrived.iter().filter_map(|task| course.outcome(*task).cloned()));
                }
                progress.tell(&event, &course, table, names);
            }
            Some(missing) = writing.next(), if !writing.is_empty() => {
                for (task, failure) in missing {
                    progress.say(&format!("results of task {task} are missing: {failure}"));
                    troubles.push((task, failure));
                }
            }
            () = sleep_until(deadline.unwrap_or_else(Instant::now)), if deadline.is_some() => {
                break Why::TimedOut;
            }
            interrupted = &mut interrupt => {
                interrupted.map_err(Failure::internal)?;
                break Why::Interrupted;
            }
        }
    };
    drop(writing);
    progress.close();
    Ok(Ending { course, why, troubles })
}

/// The events of a job; if the node goes away and comes back, from the start again.
fn steady<N: NodeApi>(
    node: &N,
    job: JobId,
    first: JobEvents,
) -> impl Stream<Item = Result<JobEvent, ApiError>> + '_ {
    stream::unfold((Some(first), 0), move |(events, mut tried)| async move {
        let mut events = events?;
        loop {
            let mut error = match events.next().await {
                Some(Ok(event)) => return Some((Ok(event), (Some(events), tried))),
                Some(Err(error)) => error,
                None => return None,
            };
            events = loop {
                if !is_passing(&error) || tried == TRIES {
                    return Some((Err(error), (None, tried)));
                }
                // The first time at once: a connection may break for no reason.
                if tried > 0 {
                    sleep(PAUSE).await;
                }
                tried += 1;
                match node.events(job).await {
                    Ok(events) => break events,
                    Err(other) => error = other,
                }
            };
        }
    })
}

fn is_passing(error: &ApiError) -> bool {
    matches!(error.code, Code::Cut | Code::Unreachable | Code::Unavailable)
}
