//! From a job's events to its results, its receipt and the exit code; for `run` and `job get`.

use crate::{
    exit::Exit,
    failure::Failure,
    job::{
        course::{Course, Dispute, Stage, Wait},
        follow::{Ending, Patience, Why, follow},
        layout::OURS,
        names::Names,
        results::Results,
    },
    out::{self, Out, Tone},
    text,
    verify::{self, Pins, shows},
};
use api::{JobEvents, NodeApi};
use identity::PublicKey;
use protocol::{Genesis, JobId, Report, TaskIndex};
use serde_json::{Value, json};
use std::{collections::BTreeMap, path::PathBuf};

/// Tasks that are named of a node that lied, at most.
const NAMED: usize = 3;

/// Follows a job, keeps what it gives, verifies the receipt, and says how it ended.
pub(in crate::commands) async fn conclude<N: NodeApi>(
    node: &N,
    genesis: &Genesis,
    job: JobId,
    events: JobEvents,
    results: &Results,
    patience: Patience,
    out: Out,
) -> Result<Exit, Failure> {
    let names = Names::ask(node).await?;
    let ending = follow(node, job, events, results, patience, &names, out).await?;
    let mut exit = ending.exit();
    let mut receipt = None;
    let mut refuted = ending.course.refuted();
    let mut shows = None;
    if ending.course.is_finished() && patience.wait == Wait::Final {
        let bytes = node.receipt(job).await?;
        receipt = Some(results.keep_receipt(&bytes)?);
        match check_receipt(&bytes, genesis, job, &ending.course) {
            // What is proven counts more than what was told on the way.
            Ok(report) => {
                refuted = refuted_in(&report);
                shows = shows::of_receipt(genesis, &report);
            }
            Err(reason) => {
                out.say(format!("{} the receipt: {reason}", out.paint(Tone::Bad, "FAIL:")));
                exit = Exit::Unverified;
            }
        }
    } else {
        results.clear()?;
    }
    say_refuted(&refuted, results, &names, out);
    say_ending(&ending, job, results, receipt.as_ref(), out);
    if let Some(shows) = &shows {
        out.say(shows);
    }
    if out.json {
        let mut whole = summary(&ending, job, results, receipt.as_ref(), exit);
        whole["refuted"] = refuted_json(&refuted, &names);
        whole["shows"] = json!(shows);
        out.data(&whole, String::new)?;
    } else if results.table().tasks.len() == 1 && patience.wait != Wait::Outcome {
        print_single(results, out)?;
    }
    Ok(exit)
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
fn say_refuted(
    refuted: &BTreeMap<PublicKey, Vec<TaskIndex>>,
    results: &Results,
    names: &Names,
    out: Out,
) {
    if refuted.is_empty() {
        return;
    }
    let row = |(node, tasks): (&PublicKey, &Vec<TaskIndex>)| {
        let name = |task: &TaskIndex| {
            let spec = results.table().tasks.get(task.0 as usize);
            spec.map_or_else(|| task.to_string(), |spec| spec.name.clone())
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

fn say_ending(ending: &Ending, job: JobId, results: &Results, receipt: Option<&PathBuf>, out: Out) {
    let dir = results.dir().display();
    let back = format!("polity job get {} -o {dir}", text::short(job));
    let counts = ending.course.counts();
    match ending.why {
        Why::Interrupted => {
            out.say(format!("The job goes on. Come back with:\n  {back}"));
            return;
        }
        Why::TimedOut => {
            out.say(format!("The time is over; the job ends by itself. See with:\n  {back}"));
            return;
        }
        Why::Done => {}
    }
    if !ending.troubles.is_empty() {
        let missing = text::plural(ending.troubles.len(), "task");
        out.say(format!("Results of {missing} are missing. Try again with:\n  {back}"));
    }
    let failed = ending.course.stages().filter_map(|(task, _)| {
        let end = ending.course.end(task).filter(|end| !end.is_success())?;
        Some((&results.table().tasks[task.0 as usize].name, end))
    });
    for (name, end) in failed.take(20) {
        out.say(format!("{name}: {}", out.paint(Tone::Bad, &end.to_string())));
    }
    match receipt {
        Some(receipt) => {
            let receipt = receipt.display();
            out.say(format!(
                "{} of {} final; results and receipt are in {dir}\nCheck them any time, \
                 anywhere:\n  polity verify {receipt}",
                counts.settled,
                text::plural(counts.tasks, "task"),
            ));
        }
        None => out.say(format!("Not final yet. Fetch the receipt with:\n  {back}")),
    }
}

fn summary(
    ending: &Ending,
    job: JobId,
    results: &Results,
    receipt: Option<&PathBuf>,
    exit: Exit,
) -> Value {
    let tasks: Vec<_> = ending
        .course
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
            let dispute = ending.course.dispute(task).map(|dispute| match dispute {
                Dispute::Open => "open",
                Dispute::Decided { .. } => "decided",
                Dispute::Undecided => "undecided",
            });
            json!({
                "task": task,
                "name": results.table().tasks[task.0 as usize].name,
                "state": state,
                "height": height,
                "why": why,
                "dispute": dispute,
                "end": ending.course.end(task),
                "fuel": ending.course.outcome(task).map(|outcome| outcome.fuel),
                "outputs": ending.course.outcome(task).map(|outcome| &outcome.outputs),
            })
        })
        .collect();
    json!({
        "job": job, "dir": results.dir(), "receipt": receipt, "exit": exit.code(), "tasks": tasks,
        "counts": ending.course.counts(),
    })
}

/// What the only task printed, where a person expects it.
fn print_single(results: &Results, out: Out) -> Result<(), Failure> {
    let name = &results.table().tasks[0].name;
    let ours = results.dir().join(OURS);
    let read = |path: PathBuf| match std::fs::read(&path) {
        Ok(bytes) => Ok(bytes),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Vec::new()),
        Err(error) => Err(Failure::file(&path, &error)),
    };
    let stderr = read(ours.join("stderr").join(name))?;
    if !stderr.is_empty() {
        out.say(String::from_utf8_lossy(&stderr).trim_end());
    }
    out.bytes(&read(ours.join("stdout").join(name))?)
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
            (TaskIndex(*task), SettledTask { outcome, executors, height, decided })
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
