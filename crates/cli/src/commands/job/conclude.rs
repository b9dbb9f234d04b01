//! From a job's events to its results, its receipt and the exit code; for `run` and `job get`.

use crate::{
    exit::Exit,
    failure::Failure,
    job::{
        course::{Course, Stage, Wait},
        follow::{Ending, Patience, Why, follow},
        layout::OURS,
        results::Results,
    },
    out::{Out, Tone},
    text,
    verify::{self, Pins},
};
use api::{JobEvents, NodeApi};
use protocol::{Genesis, JobId, Report};
use serde_json::{Value, json};
use std::path::PathBuf;

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
    let ending = follow(node, job, events, results, patience, out).await?;
    let mut exit = ending.exit();
    let mut receipt = None;
    if ending.course.is_finished() && patience.wait == Wait::Final {
        let bytes = node.receipt(job).await?;
        receipt = Some(results.keep_receipt(&bytes)?);
        if let Err(reason) = check_receipt(&bytes, genesis, job, &ending.course) {
            out.say(format!("{} the receipt: {reason}", out.paint(Tone::Bad, "FAIL:")));
            exit = Exit::Unverified;
        }
    } else {
        results.clear()?;
    }
    say_ending(&ending, job, results, receipt.as_ref(), out);
    if out.json {
        out.data(&summary(&ending, job, results, receipt.as_ref(), exit), String::new)?;
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
) -> Result<(), String> {
    let pins = Pins::one(genesis.network(), "data directory");
    let (_, report, _) = verify::hold(bytes, &pins).map_err(|error| error.to_string())?;
    agree(&report, job, course)
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
            json!({
                "task": task,
                "name": results.table().tasks[task.0 as usize].name,
                "state": state,
                "height": height,
                "why": why,
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
    use identity::{Digest, NetworkId, PublicKey};
    use objects::{Cid, Codec};
    use protocol::{End, Height, JobEvent, SettledTask, TaskIndex};
    use std::collections::BTreeMap;

    fn report(settled: &[(u32, End)]) -> Report {
        let entry = |(task, end): &(u32, End)| {
            let outcome = outcome(*task, *end).digest();
            (TaskIndex(*task), SettledTask { outcome, executors: Vec::new(), height: Height(1) })
        };
        Report {
            network: NetworkId(Digest([1; 32])),
            job: JobId(Cid::of(Codec::Raw, b"")),
            submitter: PublicKey([1; 32]),
            settled: settled.iter().map(entry).collect(),
            unsettled: BTreeMap::new(),
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
