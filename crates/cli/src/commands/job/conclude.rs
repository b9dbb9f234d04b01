//! From a job's events, and what was known before, to results, receipts and the exit code; for
//! `run`, `rerun` and `job get`.

use crate::{
    exit::Exit,
    failure::Failure,
    job::{
        collect::{Collect, Collected},
        course::{Course, Dispute, Stage, Wait},
        follow::{Ending, Followed, Patience, Why, follow},
        layout,
        names::Names,
        results::{Done, Results},
    },
    out::{self, Out, Tone},
    text,
    verify::{self, Pins, shows},
};
use api::NodeApi;
use bytes::Bytes;
use identity::PublicKey;
use protocol::{Genesis, JobId, Report, TaskIndex, TaskSpec, TaskTable};
use serde_json::{Value, json};
use std::{
    borrow::Cow,
    collections::{BTreeMap, HashMap, HashSet},
    path::PathBuf,
};

/// Tasks that are named in one line, at most.
const NAMED: usize = 3;
/// Tasks of which is told how they ended, at most.
const ENDED: usize = 20;

/// A whole run: what is followed, and what was known before.
pub(in crate::commands) struct Whole<'a> {
    /// Its tasks, in their order.
    pub(in crate::commands) table: &'a TaskTable,
    /// Results that need no order.
    pub(in crate::commands) known: Vec<Done>,
    /// The only receipt, if nothing was ordered and there is one.
    pub(in crate::commands) receipt: Option<Bytes>,
    /// What the replicas of what was known show, if they all are of one owner.
    pub(in crate::commands) shows: Option<String>,
    pub(in crate::commands) results: &'a Results,
    /// What is joined in the end.
    pub(in crate::commands) collect: &'a [Collect],
    /// All that is joined begins with the same line.
    pub(in crate::commands) header: bool,
    /// Do not print what the only task printed.
    pub(in crate::commands) quiet: bool,
}

/// What came of it.
struct Outcomes {
    ending: Ending,
    exit: Exit,
    /// The only receipt.
    receipt: Option<PathBuf>,
    /// Who lied about which tasks.
    refuted: BTreeMap<PublicKey, Vec<TaskIndex>>,
    shows: Option<String>,
}

/// Follows a job, if there is one to follow; keeps what it gives and what was known; verifies the
/// receipt, and says how it ended.
pub(in crate::commands) async fn conclude<N: NodeApi>(
    node: &N,
    genesis: &Genesis,
    whole: Whole<'_>,
    followed: Option<Followed>,
    patience: Patience,
    out: Out,
) -> Result<Exit, Failure> {
    let Whole { results, known, .. } = &whole;
    let ending = follow(node, followed, known, results, patience, out).await?;
    let mut came = settle(node, genesis, &whole, ending, patience, out).await?;
    if !came.refuted.is_empty() && came.ending.names.is_empty() {
        came.ending.names = Names::ask(node).await?;
    }
    say_refuted(&came, out);
    say_ending(&came, &whole, out);
    if let Some(shows) = &came.shows {
        out.say(shows);
    }
    let collected = collect(&came.ending, &whole, out)?;
    if out.json {
        let mut summary = summary(&came, &whole);
        summary["collected"] = collected;
        out.data(&summary, String::new)?;
    } else if whole.table.len() == 1 && patience.wait != Wait::Outcome && !whole.quiet {
        print_single(&whole, out)?;
    }
    Ok(came.exit)
}

/// Fetches and keeps the receipt, once there is one, and clears up.
async fn settle<N: NodeApi>(
    node: &N,
    genesis: &Genesis,
    whole: &Whole<'_>,
    ending: Ending,
    patience: Patience,
    out: Out,
) -> Result<Outcomes, Failure> {
    let results = whole.results;
    let (exit, refuted) = (ending.exit(), ending.course.refuted());
    let mut came = Outcomes { ending, exit, receipt: None, refuted, shows: whole.shows.clone() };
    match came.ending.job {
        Some(job) if came.ending.course.is_finished() && patience.wait == Wait::Final => {
            let bytes = node.receipt(job).await?;
            came.receipt = Some(results.keep_receipt(&bytes)?);
            match check_receipt(&bytes, genesis, job, &came.ending.course) {
                // What is proven counts more than what was told on the way.
                Ok(report) => {
                    came.refuted = refuted_in(&report);
                    came.shows = shows::of_receipt(genesis, &report);
                }
                Err(reason) => {
                    out.say(format!("{} the receipt: {reason}", out.paint(Tone::Bad, "FAIL:")));
                    came.exit = Exit::Unverified;
                }
            }
        }
        None if came.ending.why == Why::Done => match &whole.receipt {
            Some(bytes) => came.receipt = Some(results.keep_receipt(bytes)?),
            None => results.settle()?,
        },
        _ => results.clear()?,
    }
    Ok(came)
}

/// The receipt must hold, be of this job, and say what the events said.
fn check_receipt(
    bytes: &[u8],
    genesis: &Genesis,
    job: JobId,
    course: &Course,
) -> Result<Report, String> {
    let pins = Pins::one(genesis.network(), "data directory");
    let (_, report, _) = verify::hold(bytes, &pins).map_err(|error| error.to_string())?;
    agree(&report, job, course)?;
    Ok(report)
}

/// The nodes that a receipt names, and the tasks that they lied about.
fn refuted_in(report: &Report) -> BTreeMap<PublicKey, Vec<TaskIndex>> {
    let mut all: BTreeMap<_, Vec<_>> = BTreeMap::new();
    for (task, nodes) in &report.refuted {
        nodes.iter().for_each(|(node, _)| all.entry(*node).or_default().push(*task));
    }
    all
}

/// Who claimed wrong results, if anybody did.
fn say_refuted(came: &Outcomes, out: Out) {
    let Outcomes { ending: Ending { table, names, .. }, refuted, .. } = came;
    if refuted.is_empty() {
        return;
    }
    let row = |(node, tasks): (&PublicKey, &Vec<TaskIndex>)| {
        let name = |task: &TaskIndex| {
            let name = table.name(task.0 as usize);
            name.map_or_else(|| task.to_string(), Cow::into_owned)
        };
        let mut which: Vec<_> = tasks.iter().take(NAMED).map(name).collect();
        if tasks.len() > NAMED {
            which.push("…".into());
        }
        let owner = names.owner(node);
        let (owner, called) =
            owner.map(|(owner, name)| (text::short(owner), name.to_string())).unwrap_or_default();
        vec![text::short(node), owner, called, tasks.len().to_string(), which.join(" ")]
    };
    let rows: Vec<_> = refuted.iter().map(row).collect();
    out.say(out.paint(Tone::Bad, "Refuted by verdict of the validators:"));
    out.say(out::table(&["NODE", "OWNER", "NAME", "TASKS", ""], &rows).trim_end());
}

fn refuted_json(refuted: &BTreeMap<PublicKey, Vec<TaskIndex>>, names: &Names) -> Value {
    let one = |(node, tasks): (&PublicKey, &Vec<TaskIndex>)| {
        let owner = names.owner(node);
        json!({
            "node": node,
            "owner": owner.map(|(owner, _)| owner),
            "owner_name": owner.map(|(_, name)| name),
            "tasks": tasks,
        })
    };
    refuted.iter().map(one).collect()
}

fn agree(report: &Report, job: JobId, course: &Course) -> Result<(), String> {
    if report.job != job {
        return Err(format!("it is of another job, {}", report.job));
    }
    for (task, stage) in course.stages() {
        let settled = report.settled.get(&task).map(|settled| settled.outcome);
        let told = course.outcome(task).map(|outcome| outcome.digest());
        let same = match stage {
            Stage::Final(_) => settled.is_some() && settled == told,
            _ => settled.is_none(),
        };
        if !same {
            return Err(format!("it says something else of task {task} than the node did"));
        }
    }
    Ok(())
}

fn say_ending(came: &Outcomes, whole: &Whole<'_>, out: Out) {
    let ending = &came.ending;
    let dir = whole.results.dir().display();
    let job = ending.job.map(text::short);
    let back = match &job {
        Some(job) => format!("polity job get {job} -o {dir}"),
        None => "the same command once more".into(),
    };
    match (ending.why, &job) {
        (Why::Interrupted, Some(job)) => out.say(format!(
            "The job goes on. Come back with the same command, or with:\n  {back}\nTake it back \
             with:\n  polity job cancel {job}"
        )),
        (Why::Interrupted, None) => {
            out.say("Nothing was ordered. The same command fetches the rest.");
        }
        (Why::TimedOut, _) => {
            out.say(format!("The time is over; the job ends by itself. See with:\n  {back}"));
        }
        (Why::Done, _) => {}
    }
    if ending.why != Why::Done {
        return;
    }
    if !ending.troubles.is_empty() {
        let missing = text::plural(ending.troubles.len(), "task");
        out.say(format!("Results of {missing} are missing. Try again with:\n  {back}"));
    }
    let failed = failed(ending);
    for (name, end) in failed.iter().take(ENDED) {
        out.say(format!("{name}: {}", out.paint(Tone::Bad, end)));
    }
    if let Some(job) = &job {
        let lost = |(_, stage): (_, &Stage)| matches!(stage, Stage::Unsettled(_));
        if ending.course.stages().any(lost) {
            out.say(format!("Why it is so:\n  polity job explain {job}"));
        } else if !failed.is_empty() && whole.table.len() > 1 {
            let what = "What they printed, and what may help";
            out.say(format!("{what}:\n  polity job logs {job}\n  polity job explain {job}"));
        }
    }
    let known = whole.known.len();
    let counts = ending.course.counts();
    let (all, settled) = (counts.tasks + known, counts.settled + known);
    let of = format!("{} of {}", text::number(settled as u64), text::plural(all, "task"));
    match (&came.receipt, known, job) {
        (Some(receipt), 0, _) => {
            let receipt = receipt.display();
            out.say(format!(
                "{of} final; results and receipt are in {dir}\nCheck them any time, anywhere:\n  \
                 polity verify {receipt}"
            ));
        }
        (Some(_), ..) | (None, _, None) => {
            let before = match known == all {
                true => "known before".into(),
                false => format!("{} of them known before", text::number(known as u64)),
            };
            let receipts = if whole.receipt.is_some() { "receipt" } else { "receipts" };
            out.say(format!(
                "{of} final, {before}; results and {receipts} are in {dir}\nCheck them any time, \
                 anywhere:\n  polity verify {dir}"
            ));
        }
        (None, _, Some(_)) => out.say(format!("Not final yet. Fetch the receipt with:\n  {back}")),
    }
}

/// Tasks that did not end with 0, and how they ended.
fn failed(ending: &Ending) -> Vec<(Cow<'_, str>, String)> {
    let failed = ending.course.stages().filter_map(|(task, stage)| {
        let name = || ending.table.name(task.0 as usize).unwrap_or_default();
        match (stage, ending.course.end(task)) {
            (Stage::Unsettled(_), _) => None,
            (_, Some(end)) if !end.is_success() => Some((name(), end.to_string())),
            _ => None,
        }
    });
    failed.collect()
}

/// What is there of the tasks of the run that ended well, by their names.
fn done(ending: &Ending, whole: &Whole<'_>) -> HashMap<String, Done> {
    let missing: HashSet<_> = ending.troubles.iter().map(|(name, _)| name.as_str()).collect();
    let followed = ending.course.stages().filter_map(|(task, stage)| {
        let outcome = ending.course.outcome(task).filter(|outcome| outcome.end.is_success())?;
        let agreed = matches!(stage, Stage::Agreed | Stage::Final(_));
        let name = || ending.table.name(task.0 as usize).unwrap_or_default().into_owned();
        agreed.then(|| Done { name: name(), outcome: outcome.clone() })
    });
    let all = whole.known.iter().cloned().chain(followed);
    let there = all.filter(|done| !missing.contains(done.name.as_str()));
    there.map(|done| (done.name.clone(), done)).collect()
}

/// Joins what is to be joined.
fn collect(ending: &Ending, whole: &Whole<'_>, out: Out) -> Result<Value, Failure> {
    let mut all = Vec::new();
    if whole.collect.is_empty() {
        return Ok(all.into());
    }
    if ending.why != Why::Done {
        out.say("Nothing was collected: the same command does it in the end.");
        return Ok(all.into());
    }
    let done = done(ending, whole);
    let specs: Vec<Cow<'_, TaskSpec>> = whole.table.tasks().collect();
    let tasks: Vec<_> = specs.iter().map(|spec| (&**spec, done.get(&spec.name))).collect();
    let out_of = |tasks: &[&str]| {
        let mut named = tasks.iter().take(NAMED).copied().collect::<Vec<_>>().join(", ");
        if tasks.len() > NAMED {
            named.push_str(", …");
        }
        format!("{} ({named})", text::plural(tasks.len(), "task"))
    };
    let failed: Vec<_> = tasks
        .iter()
        .filter(|(_, done)| done.is_none())
        .map(|(spec, _)| spec.name.as_str())
        .collect();
    for one in whole.collect {
        let Collected { joined, without, other_header } =
            one.join(&tasks, whole.results, whole.header)?;
        let (count, of) = (text::number(joined as u64), text::plural(tasks.len(), "task"));
        let others = [
            ("left out, failed", failed.clone()),
            ("left out, without this output", without.iter().map(String::as_str).collect()),
            ("with another first line, kept", other_header.iter().map(String::as_str).collect()),
        ];
        let others = others.iter().filter(|(_, names)| !names.is_empty());
        let others: String =
            others.map(|(what, names)| format!("; {what}: {}", out_of(names))).collect();
        out.say(format!("{}: {count} of {of} collected{others}", one.text()));
        all.push(json!({
            "collect": one.text(),
            "joined": joined,
            "failed": failed,
            "without": without,
            "other_header": other_header,
        }));
    }
    Ok(all.into())
}

fn summary(came: &Outcomes, whole: &Whole<'_>) -> Value {
    let ending = &came.ending;
    let (results, course) = (whole.results, &ending.course);
    let mut tasks: Vec<_> = course
        .stages()
        .map(|(task, stage)| {
            let (state, height, why) = match stage {
                Stage::Waiting => ("waiting", None, None),
                Stage::Running => ("running", None, None),
                Stage::Seen(_) => ("outcome", None, None),
                Stage::Agreed => ("agreed", None, None),
                Stage::Final(height) => ("final", Some(height), None),
                Stage::Unsettled(why) => ("unsettled", None, Some(why)),
            };
            let dispute = course.dispute(task).map(|dispute| match dispute {
                Dispute::Open => "open",
                Dispute::Decided { .. } => "decided",
                Dispute::Undecided => "undecided",
            });
            let name = ending.table.name(task.0 as usize).unwrap_or_default();
            let value = json!({
                "task": task,
                "name": name,
                "state": state,
                "height": height,
                "why": why,
                "dispute": dispute,
                "end": course.end(task),
                "fuel": course.outcome(task).map(|outcome| outcome.fuel),
                "outputs": course.outcome(task).map(|outcome| &outcome.outputs),
            });
            (name, value)
        })
        .collect();
    tasks.extend(whole.known.iter().map(|done| {
        let value = json!({
            "task": done.outcome.task,
            "name": done.name,
            "state": "known",
            "job": done.outcome.job,
            "end": done.outcome.end,
            "fuel": done.outcome.fuel,
            "outputs": done.outcome.outputs,
        });
        (Cow::Borrowed(done.name.as_str()), value)
    }));
    let order: HashMap<_, _> =
        whole.table.tasks().enumerate().map(|(at, spec)| (spec.into_owned().name, at)).collect();
    tasks.sort_by_key(|(name, _)| order.get(name.as_ref()).copied().unwrap_or(usize::MAX));
    json!({
        "job": ending.job,
        "dir": results.dir(),
        "receipt": came.receipt,
        "exit": came.exit.code(),
        "tasks": tasks.into_iter().map(|(_, value)| value).collect::<Vec<_>>(),
        "known": whole.known.len(),
        "counts": course.counts(),
        "refuted": refuted_json(&came.refuted, &ending.names),
        "shows": came.shows,
    })
}

/// What the only task printed, where a person expects it.
fn print_single(whole: &Whole<'_>, out: Out) -> Result<(), Failure> {
    let (name, dir) = (whole.table.name(0).unwrap_or_default(), whole.results.dir());
    let read = |path: PathBuf| match std::fs::read(&path) {
        Ok(bytes) => Ok(bytes),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Vec::new()),
        Err(error) => Err(Failure::file(&path, &error)),
    };
    let stderr = read(dir.join(layout::printed("stderr", &name)))?;
    if !stderr.is_empty() {
        out.say(String::from_utf8_lossy(&stderr).trim_end());
    }
    out.printed(&read(dir.join(layout::printed("stdout", &name)))?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::job::course::tests::outcome;
    use identity::{Digest, NetworkId};
    use objects::{Cid, Codec};
    use protocol::{End, Height, JobEvent, Placement, SettledTask};

    fn report(settled: &[(u32, End)]) -> Report {
        let entry = |(task, end): &(u32, End)| {
            let outcome = outcome(*task, *end).digest();
            let (executors, height, decided) = (Vec::new(), Height(1), false);
            (TaskIndex(*task), SettledTask { outcome, executors, height, decided, first: None })
        };
        Report {
            network: NetworkId(Digest([1; 32])),
            job: JobId(Cid::of(Codec::Raw, b"")),
            submitter: PublicKey([1; 32]),
            settled: settled.iter().map(entry).collect(),
            unsettled: BTreeMap::new(),
            refuted: BTreeMap::new(),
            placement: Placement::Fast,
            warnings: Vec::new(),
        }
    }

    fn course(ends: &[End]) -> Course {
        let mut course = Course::new(ends.len());
        for (task, end) in ends.iter().enumerate() {
            let outcome = outcome(task as u32, *end);
            course.take(&JobEvent::Agreed { outcome, executors: Vec::new() }, Wait::Final);
            let tasks = vec![TaskIndex(task as u32)];
            course.take(&JobEvent::Final { tasks, height: Height(1) }, Wait::Final);
        }
        course
    }

    #[test]
    fn a_receipt_that_says_something_else_than_the_events_is_refused() {
        let ends = [End::Exit(0), End::Exit(1)];
        let job = JobId(Cid::of(Codec::Raw, b""));
        let same = [(0, End::Exit(0)), (1, End::Exit(1))];
        assert_eq!(agree(&report(&same), job, &course(&ends)), Ok(()));
        let less = &same[..1];
        assert!(agree(&report(less), job, &course(&ends)).is_err());
        let other = [(0, End::Exit(0)), (1, End::Exit(2))];
        assert!(agree(&report(&other), job, &course(&ends)).is_err());
        assert!(agree(&report(&same), job, &course(&ends[..1])).is_ok(), "no task, no word");
        assert!(agree(&report(&same), JobId(Cid::of(Codec::Raw, b"x")), &course(&ends)).is_err());
    }
}
