//! Results that are known already: found at the node, and verified here before they are taken.

use super::{
    manifest::{KnownIn, Manifest},
    results::{Done, Results},
};
use crate::{
    data,
    exit::Exit,
    failure::Failure,
    machine, text,
    verify::{self, Pins, shows},
};
use api::{Code, KnownTask, NodeApi, path};
use bytes::Bytes;
use futures::{StreamExt, stream};
use protocol::{JobId, Outcome, Placement, Receipt, Report, TaskIndex, TaskKey, Time, limits};
use std::{
    collections::{HashMap, HashSet},
    time::Duration,
};

/// Receipts that are looked at for one run; those with the most tasks.
const RECEIPTS: usize = 256;
/// Bytes of all of them.
const RECEIPTS_BYTES: usize = 256 << 20;
/// Receipts that could not be used are named up to here.
pub(crate) const REFUSALS: usize = 3;
/// Receipts that are fetched at once.
const FETCHES: usize = 4;

/// What a result must be to stand for one that is asked for now.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Wanted<'a> {
    /// What the results of the tasks of the run are functions of, in their order.
    pub(crate) keys: &'a [TaskKey],
    /// Replicas that must have agreed, at least.
    pub(crate) k: u16,
    /// How they must have been drawn.
    pub(crate) placement: Placement,
}

/// Results that need no order.
#[derive(Clone, Debug, Default)]
pub(crate) struct Known {
    /// Receipts, those with the most tasks first.
    pub(crate) parts: Vec<Part>,
    /// Jobs whose receipts could not be used, and why.
    pub(crate) refused: Vec<(JobId, Failure)>,
}

/// A receipt that holds, and what it knows of the run.
#[derive(Clone, Debug)]
pub(crate) struct Part {
    pub(crate) job: JobId,
    /// The receipt file.
    pub(crate) bytes: Bytes,
    /// When the last of its tasks was accepted, if the node said so.
    pub(crate) time: Option<Time>,
    /// Places in the run, tasks of the job, and what they gave.
    pub(crate) tasks: Vec<(usize, TaskIndex, Outcome)>,
    /// What its replicas show, if they all are of one owner.
    pub(crate) shows: Option<String>,
}

/// Asks the node what is known of these tasks; fetches the receipts and verifies them against what
/// is pinned.
pub(crate) async fn ask(
    node: &impl NodeApi,
    pins: &Pins,
    wanted: &Wanted<'_>,
) -> Result<Known, Failure> {
    let mut answers = Vec::with_capacity(wanted.keys.len());
    for keys in wanted.keys.chunks(path::KEYS) {
        answers.extend(node.known(keys.to_vec()).await?);
    }
    let groups = group(&answers, wanted.k);
    let fetched = stream::iter(groups.iter().map(|(job, _)| node.receipt(*job)));
    let mut fetched = std::pin::pin!(fetched.buffered(FETCHES));
    let mut known = Known::default();
    let mut bytes_left = RECEIPTS_BYTES;
    for (job, tasks) in &groups {
        let Some(receipt) = fetched.next().await else { break };
        let bytes = match receipt {
            Ok(bytes) => bytes,
            // It can be had no more: the tasks run again.
            Err(error) if is_gone(error.code) => {
                known.refused.push((*job, error.into()));
                continue;
            }
            Err(error) => return Err(error.into()),
        };
        let Some(left) = bytes_left.checked_sub(bytes.len()) else { break };
        bytes_left = left;
        let asked: Vec<_> =
            tasks.iter().map(|(at, known)| (*at, wanted.keys[*at], known.task)).collect();
        let time = tasks.iter().map(|(_, known)| known.time).max();
        match take(bytes, *job, asked, (wanted.placement, time), pins).await? {
            Ok(part) => known.parts.push(part),
            Err(failure) => known.refused.push((*job, failure)),
        }
    }
    Ok(known)
}

fn is_gone(code: Code) -> bool {
    matches!(code, Code::NotFound | Code::NotFinished | Code::ObjectUnavailable)
}

/// What is known, by the jobs that know it; those that know the most first, and no more than are
/// looked at.
fn group(answers: &[Option<KnownTask>], k: u16) -> Vec<(JobId, Vec<(usize, KnownTask)>)> {
    let mut groups = HashMap::<JobId, Vec<(usize, KnownTask)>>::new();
    for (at, answer) in answers.iter().enumerate() {
        if let Some(known) = answer.filter(|known| known.verification.k >= k) {
            groups.entry(known.job).or_default().push((at, known));
        }
    }
    let mut groups: Vec<_> = groups.into_iter().collect();
    groups.sort_by_key(|(job, tasks)| (std::cmp::Reverse(tasks.len()), *job));
    groups.truncate(RECEIPTS);
    groups
}

/// Verifies a receipt, on a thread of its own: it may be large.
async fn take(
    bytes: Bytes,
    job: JobId,
    asked: Vec<(usize, TaskKey, TaskIndex)>,
    (placement, time): (Placement, Option<Time>),
    pins: &Pins,
) -> Result<Result<Part, Failure>, Failure> {
    let pins = pins.clone();
    let taken = tokio::task::spawn_blocking(move || {
        let (receipt, report) = hold(&bytes, &job, &pins)?;
        if placement == Placement::Sealed && report.placement != placement {
            return Err(refused("its executors were not drawn as is asked for"));
        }
        let tasks: Vec<_> = asked
            .into_iter()
            .filter(|(_, key, task)| key_of(&receipt, *task) == Some(*key))
            .filter_map(|(at, _, task)| Some((at, task, good(&receipt, &report, task)?.clone())))
            .collect();
        match tasks.is_empty() {
            true => Err(refused("it does not have what it was said to have")),
            false => {
                let shows = shows::of_receipt(&receipt.body.genesis, &report);
                Ok(Part { job, bytes, time, tasks, shows })
            }
        }
    });
    taken.await.map_err(Failure::internal)
}

fn refused(reason: &str) -> Failure {
    Failure::new(Exit::Unverified, reason)
}

/// A receipt that holds, of this job, of a network that is pinned.
pub(crate) fn hold(bytes: &[u8], job: &JobId, pins: &Pins) -> Result<(Receipt, Report), Failure> {
    match verify::hold(bytes, pins) {
        Ok((_, _, None)) => Err(refused("its network is not pinned")),
        Ok((_, report, _)) if report.job != *job => Err(refused("it is of another job")),
        Ok((receipt, report, _)) => Ok((receipt, report)),
        Err(error) => Err(refused(&error.to_string())),
    }
}

fn key_of(receipt: &Receipt, task: TaskIndex) -> Option<TaskKey> {
    let body = &receipt.body;
    let spec = body.table.task_of(task)?;
    Some(body.order.payload.key_of(&body.table, &spec))
}

/// What a task gave, if it was accepted and ended with 0.
pub(crate) fn good<'a>(
    receipt: &'a Receipt,
    report: &Report,
    task: TaskIndex,
) -> Option<&'a Outcome> {
    let outcomes = &receipt.body.outcomes;
    let found = outcomes.binary_search_by_key(&task, |outcome| outcome.task).ok()?;
    let is_settled = report.settled.contains_key(&task);
    Some(&outcomes[found]).filter(|outcome| is_settled && outcome.end.is_success())
}

impl Known {
    /// How many tasks are known.
    pub(crate) fn count(&self) -> usize {
        self.parts.iter().map(|part| part.tasks.len()).sum()
    }

    /// The places of the run that are not known.
    pub(crate) fn rest(&self, tasks: usize) -> Vec<usize> {
        let places = self.parts.iter().flat_map(|part| &part.tasks).map(|(at, ..)| *at);
        let known: HashSet<_> = places.collect();
        (0..tasks).filter(|at| !known.contains(at)).collect()
    }

    /// What a directory says of it. `name` says what a place of the run is called.
    pub(crate) fn listed(&self, name: impl Fn(usize) -> String) -> Vec<KnownIn> {
        let tasks =
            |part: &Part| part.tasks.iter().map(|(at, task, _)| (*task, name(*at))).collect();
        self.parts.iter().map(|part| KnownIn { job: part.job, tasks: tasks(part) }).collect()
    }

    /// What the tasks gave, by their names in the run.
    pub(crate) fn done(&self, name: impl Fn(usize) -> String) -> Vec<Done> {
        let tasks = self.parts.iter().flat_map(|part| &part.tasks);
        tasks.map(|(at, _, outcome)| Done { name: name(*at), outcome: outcome.clone() }).collect()
    }

    /// What a person is told.
    pub(crate) fn sentence(&self, tasks: usize) -> String {
        let count = self.count();
        let number = |count: usize| text::number(count as u64);
        let of = if count == tasks && tasks > 1 {
            format!("all {} tasks are", number(tasks))
        } else if tasks == 1 {
            "the task is".into()
        } else if count == 1 {
            format!("1 of {} tasks is", number(tasks))
        } else {
            format!("{} of {} tasks are", number(count), number(tasks))
        };
        let rest = match tasks - count {
            0 => "nothing to run".into(),
            rest => format!("{} to run", number(rest)),
        };
        let from = text::plural(self.parts.len(), "receipt");
        format!("{of} known from {from} ({}); {rest} (--fresh runs all)", self.whence())
    }

    fn whence(&self) -> String {
        let ago = |time: Time| {
            let since = Duration::from_millis(machine::now().since_ms(time));
            format!(", {} ago", text::lasting(since))
        };
        let first = self.parts.first().map(|part| {
            format!("job …{}{}", text::short(part.job), part.time.map(ago).unwrap_or_default())
        });
        match self.parts.len() {
            0 | 1 => first.unwrap_or_default(),
            more => format!("{} and {} more", first.unwrap_or_default(), more - 1),
        }
    }
}

/// What a directory says to be known, from the receipts that are in it.
pub(crate) fn kept(results: &Results, pins: &Pins) -> Result<Vec<Done>, Failure> {
    let Manifest { known, .. } = results.manifest();
    let mut all = Vec::new();
    for KnownIn { job, tasks } in known {
        let path = results.known_receipt(job);
        let bytes = data::read_bounded(&path, limits::RECEIPT_BYTES as u64)
            .map_err(|error| Failure::file(&path, &error))?;
        let wrong = |reason: String| {
            Failure::new(Exit::Unverified, format!("{}: {reason}", path.display()))
                .next("start anew in another directory")
        };
        let (receipt, report) = hold(&bytes, job, pins).map_err(|e| wrong(e.message))?;
        for (task, name) in tasks {
            let outcome = good(&receipt, &report, *task);
            let outcome = outcome.ok_or_else(|| wrong(format!("it does not have {name}")))?;
            all.push(Done { name: name.clone(), outcome: outcome.clone() });
        }
    }
    Ok(all)
}

#[cfg(test)]
mod tests {
    use super::*;
    use objects::{Cid, Codec};
    use protocol::{Height, Verification};

    fn job(n: u8) -> JobId {
        JobId(Cid::of(Codec::DagCbor, &[n]))
    }

    fn known(of: u8, k: u16) -> Option<KnownTask> {
        let verification = Verification { k, n: 3 };
        let (task, height, time) = (TaskIndex(0), Height(1), Time(5));
        Some(KnownTask { job: job(of), task, verification, height, time })
    }

    #[test]
    fn jobs_that_know_more_come_first_and_less_agreement_is_left_out() {
        let answers = [known(1, 2), known(2, 2), None, known(2, 3), known(3, 1)];
        let groups = group(&answers, 2);
        let shown: Vec<_> = groups
            .iter()
            .map(|(job, tasks)| (*job, tasks.iter().map(|(at, _)| *at).collect::<Vec<_>>()))
            .collect();
        assert_eq!(shown, [(job(2), vec![1, 3]), (job(1), vec![0])]);
        let answers: Vec<_> = (0..RECEIPTS + 9)
            .map(|at| {
                KnownTask { job: JobId(Cid::of(Codec::Raw, &at.to_be_bytes())), ..known(1, 1)? }
                    .into()
            })
            .collect();
        assert_eq!(group(&answers, 1).len(), RECEIPTS);
    }

    #[test]
    fn what_is_known_is_said_in_one_sentence() {
        let outcome = crate::job::course::tests::outcome(0, protocol::End::Exit(0));
        let part = |of: u8, places: std::ops::Range<usize>| Part {
            job: job(of),
            bytes: Bytes::new(),
            time: None,
            tasks: places.map(|at| (at, TaskIndex(0), outcome.clone())).collect(),
            shows: None,
        };
        let one = Known { parts: vec![part(1, 0..1990)], ..Known::default() };
        let short = text::short(job(1));
        let said = format!(
            "1,990 of 2,000 tasks are known from 1 receipt (job …{short}); 10 to run (--fresh runs all)"
        );
        assert_eq!(one.sentence(2000), said);
        assert_eq!(one.rest(1992), [1990, 1991]);
        assert!(one.sentence(1990).starts_with("all 1,990 tasks are known"));
        assert!(one.sentence(1990).contains("nothing to run"));
        let two = Known { parts: vec![part(1, 0..1), part(2, 1..2)], ..Known::default() };
        assert!(two.sentence(3).contains("from 2 receipts (job …"), "{}", two.sentence(3));
        assert!(two.sentence(3).contains("and 1 more"), "{}", two.sentence(3));
    }
}
