//! Follows a job to where a person waits for it, and writes results as they come.

use super::{
    course::{Course, Stage, Wait},
    names::Names,
    progress::Progress,
    results::{Done, Results},
};
use crate::{exit::Exit, failure::Failure, out::Out, text};
use api::{ApiError, Code, JobEvents, NodeApi};
use futures::{
    FutureExt, Stream, StreamExt,
    future::BoxFuture,
    stream::{self, BoxStream, FuturesUnordered},
};
use protocol::{JobEvent, JobId, TaskTable, Unsettled};
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
/// How long nothing may be heard before it is said where the reason is to be had.
const STILL: Duration = Duration::from_secs(20);

/// A job that is listened to.
pub(crate) struct Followed {
    pub(crate) job: JobId,
    pub(crate) table: TaskTable,
    /// Whether it goes on the ledger before the draw.
    pub(crate) sealed: bool,
    pub(crate) events: JobEvents,
}

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
    /// The job that was followed, if there was one.
    pub(crate) job: Option<JobId>,
    /// Its tasks.
    pub(crate) table: TaskTable,
    pub(crate) course: Course,
    pub(crate) why: Why,
    /// Names of tasks whose results are not there, and why.
    pub(crate) troubles: Vec<(String, Failure)>,
    /// Whose nodes are, if there was anything to say of one.
    pub(crate) names: Names,
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

/// Follows a job from its events on, and writes what is known already meanwhile. Results of a task
/// are written when it arrives where `patience` waits, apart from a first outcome, which has no
/// files yet.
pub(crate) async fn follow<N: NodeApi>(
    node: &N,
    followed: Option<Followed>,
    known: &[Done],
    results: &Results,
    patience: Patience,
    out: Out,
) -> Result<Ending, Failure> {
    let Patience { wait, timeout } = patience;
    let (job, table, sealed, mut events) = listen(node, followed);
    let mut course = Course::new(table.len());
    let mut progress = Progress::new(out, table.len(), sealed);
    let mut names = Names::default();
    let mut writing = FuturesUnordered::<BoxFuture<'_, _>>::new();
    let mut due: VecDeque<Done> = known.iter().cloned().collect();
    let mut troubles = Vec::new();
    let mut interrupt = std::pin::pin!(tokio::signal::ctrl_c());
    let deadline = timeout.map(|timeout| Instant::now() + timeout + GRACE);
    // Once: a task may take longer than that.
    let mut still = job.map(|job| (job, Instant::now() + STILL));
    let why = loop {
        while writing.len() < WRITERS && !due.is_empty() {
            let share: Vec<_> = due.drain(..due.len().min(SHARE)).collect();
            writing.push(async move { results.write(node, &share).await }.boxed());
        }
        let done = job.is_none() || course.is_done(wait);
        if done && writing.is_empty() {
            break Why::Done;
        }
        tokio::select! {
            event = events.next(), if !done => {
                let event = event.unwrap_or_else(|| Err(ApiError::new(
                    Code::Cut, "the node stopped telling about the job",
                )))?;
                if names.is_empty() && refutes(&event) {
                    // Without names nodes are called by their keys.
                    names = Names::ask(node).await.unwrap_or_default();
                }
                still = still.map(|(job, _)| (job, Instant::now() + STILL));
                let arrived = course.take(&event, wait);
                if wait != Wait::Outcome {
                    due.extend(arrived.iter().filter_map(|task| {
                        let name = table.name(task.0 as usize)?.into_owned();
                        Some(Done { name, outcome: course.outcome(*task)?.clone() })
                    }));
                }
                progress.tell(&event, &course, &table, &names);
            }
            Some(missing) = writing.next(), if !writing.is_empty() => {
                for (task, failure) in missing {
                    progress.say(&format!("results of {task} are missing: {failure}"));
                    troubles.push((task, failure));
                }
            }
            () = sleep_until(still.map_or_else(Instant::now, |(_, at)| at)), if still.is_some() && !done => {
                if let Some((job, _)) = still.take() {
                    let (long, job) = (STILL.as_secs(), text::short(job));
                    progress.say(&format!("no news for {long} s; why: polity job explain {job}"));
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
    drop(events);
    progress.close();
    Ok(Ending { job, table, course, why, troubles, names })
}

type Steady<'a> = BoxStream<'a, Result<JobEvent, ApiError>>;

/// The parts of what is followed; of nothing there is nothing to hear.
fn listen<N: NodeApi>(
    node: &N,
    followed: Option<Followed>,
) -> (Option<JobId>, TaskTable, bool, Steady<'_>) {
    match followed {
        Some(Followed { job, table, sealed, events }) => {
            (Some(job), table, sealed, steady(node, job, events).boxed())
        }
        None => {
            let table = TaskTable::of(Vec::new(), Vec::new());
            (None, table, false, stream::empty().boxed())
        }
    }
}

/// Whether an event says that a node lied.
fn refutes(event: &JobEvent) -> bool {
    matches!(event, JobEvent::Ruled { refuted, .. } if !refuted.is_empty())
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
