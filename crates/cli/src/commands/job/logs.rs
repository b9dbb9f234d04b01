//! `polity job logs`: what tasks printed, as soon as it is agreed.

use super::super::Context;
use crate::{
    connect,
    exit::Exit,
    failure::Failure,
    job::{
        course::{Course, Wait},
        fetch, progress, select,
    },
    out::Out,
    text,
};
use api::{JobDetail, JobEvents, NodeApi, TaskDetail, TaskState};
use bytes::Bytes;
use futures::StreamExt;
use objects::{Cid, Codec};
use protocol::{JobEvent, Outcome, TaskIndex, TaskTable};
use std::{
    borrow::Cow,
    collections::{BTreeSet, HashMap},
};

/// Tasks whose output is fetched together.
const SHARE: usize = 64;

const AFTER: &str = "\
Nodes give outputs away only after they have revealed what they found, so that
nobody copies: a task's output is there once the task is agreed on. With
--follow each one is printed as it comes, until the job ends.

What tasks wrote to stdout goes to stdout, what they wrote to stderr to stderr;
lines are preceded by the task's name if there are several.

Examples:
  polity job logs                       every task of the last job
  polity job logs last 17.csv 18.csv    two of them
  polity job logs abcd1234 --follow
  polity job logs last 17.csv --stderr > errors.txt";

/// `polity job logs`
#[derive(Debug, clap::Args)]
#[command(after_help = AFTER)]
pub(in crate::commands) struct Args {
    /// The job: its id, the beginning or end of its id, or last
    #[arg(value_name = "ID|last", default_value = "last")]
    job: String,
    /// Only these tasks, by their names
    #[arg(value_name = "TASK")]
    tasks: Vec<String>,
    /// Go on until the job ends, printing each output as it comes
    #[arg(short, long)]
    follow: bool,
    /// Only what was written to stderr; it goes to stdout then
    #[arg(long, conflicts_with = "stdout")]
    stderr: bool,
    /// Only what was written to stdout
    #[arg(long)]
    stdout: bool,
}

pub(super) async fn run(args: Args, context: &Context<'_>) -> Result<Exit, Failure> {
    let node = connect::node(&context.data()?)?;
    let job = select::job(&node, &args.job).await?;
    let detail = select::detail(&node, job).await?;
    let order = &detail.order.payload;
    let table = fetch::table(&node, order.table).await?;
    let wanted = wanted(&table, &args.tasks, &args.job)?;
    let printer = Printer {
        out: context.out,
        table: &table,
        prefix: wanted.len() > 1,
        limit_bytes: order.limits.output_bytes,
        streams: (!args.stderr, !args.stdout),
        alone: args.stderr || args.stdout,
    };
    let events = node.events(job).await?;
    let left = if args.follow {
        follow(&node, events, &printer, wanted).await?
    } else {
        print_agreed(&node, &detail, events, &printer, wanted).await?
    };
    if !context.out.json {
        say_left(&left, &detail, args.follow, context.out);
    }
    Ok(Exit::Success)
}

/// Prints each output when its task is agreed on, until there is none to come. Gives the tasks
/// that have none.
async fn follow(
    node: &impl NodeApi,
    mut events: JobEvents,
    printer: &Printer<'_>,
    mut wanted: BTreeSet<TaskIndex>,
) -> Result<BTreeSet<TaskIndex>, Failure> {
    let mut course = Course::new(printer.table.len());
    while !wanted.is_empty() {
        let Some(event) = events.next().await else { break };
        let event = event?;
        for task in course.take(&event, Wait::Agreed) {
            if let Some(outcome) = course.outcome(task).filter(|_| wanted.remove(&task)) {
                printer.print(node, outcome, &HashMap::new()).await?;
            }
        }
        if matches!(event, JobEvent::Finished { .. }) {
            break;
        }
    }
    Ok(wanted)
}

/// Prints what is agreed on by now, in the order of the tasks. Gives the tasks that have no output.
async fn print_agreed(
    node: &impl NodeApi,
    detail: &JobDetail,
    events: JobEvents,
    printer: &Printer<'_>,
    wanted: BTreeSet<TaskIndex>,
) -> Result<BTreeSet<TaskIndex>, Failure> {
    let is_there = |task: &TaskDetail| {
        matches!(task.state, TaskState::Agreed { .. } | TaskState::Final { .. })
    };
    let there = detail.tasks.iter().filter(|task| is_there(task)).map(|task| task.task);
    let there: BTreeSet<_> = there.filter(|task| wanted.contains(task)).collect();
    let left = wanted.difference(&there).copied().collect();
    let outcomes = outcomes_of(events, &there, printer.table.len()).await?;
    let mut all = Vec::new();
    for share in outcomes.chunks(SHARE) {
        let streams = share.iter().flat_map(|outcome| printer.streams_of(outcome));
        let small = streams.filter(|cid| cid.codec() == Codec::Raw).collect();
        let blocks = fetch::together(node, small).await;
        for outcome in share {
            if printer.out.json {
                all.push(printer.json(node, outcome, &blocks).await?);
            } else {
                printer.print(node, outcome, &blocks).await?;
            }
        }
    }
    if printer.out.json {
        printer.out.data(&all, String::new)?;
    }
    Ok(left)
}

/// What these tasks gave, in their order; they are agreed on. The events go on until the job ends.
async fn outcomes_of(
    mut events: JobEvents,
    tasks: &BTreeSet<TaskIndex>,
    count: usize,
) -> Result<Vec<Outcome>, Failure> {
    let mut course = Course::new(count);
    let mut missing = tasks.clone();
    while !missing.is_empty() {
        let Some(event) = events.next().await else { break };
        course.take(&event?, Wait::Agreed);
        missing.retain(|task| course.outcome(*task).is_none());
    }
    Ok(tasks.iter().filter_map(|task| course.outcome(*task).cloned()).collect())
}

/// Prints what tasks printed.
struct Printer<'a> {
    out: Out,
    table: &'a TaskTable,
    /// Whether lines are preceded by the task's name.
    prefix: bool,
    limit_bytes: u64,
    /// Whether stdout is wanted, and stderr.
    streams: (bool, bool),
    /// Only one of them is wanted: it goes to stdout, whichever it is.
    alone: bool,
}

impl Printer<'_> {
    async fn print(
        &self,
        node: &impl NodeApi,
        outcome: &Outcome,
        blocks: &HashMap<Cid, Bytes>,
    ) -> Result<(), Failure> {
        if self.out.json {
            let line = self.json(node, outcome, blocks).await?;
            return self.out.data(&line, String::new);
        }
        let (stdout, stderr) = self.streams;
        if stdout {
            let text = self.text(node, outcome.stdout, blocks).await?;
            self.out.printed(&self.marked(outcome, text))?;
        }
        if stderr {
            let marked = self.marked(outcome, self.text(node, outcome.stderr, blocks).await?);
            if self.alone {
                self.out.printed(&marked)?;
            } else if !marked.is_empty() {
                self.out.say(String::from_utf8_lossy(&marked).trim_end());
            }
        }
        Ok(())
    }

    async fn json(
        &self,
        node: &impl NodeApi,
        outcome: &Outcome,
        blocks: &HashMap<Cid, Bytes>,
    ) -> Result<serde_json::Value, Failure> {
        let (stdout, stderr) = self.streams;
        let mut line = serde_json::json!({
            "task": outcome.task, "name": self.name(outcome.task), "end": outcome.end,
        });
        for (key, wanted, cid) in
            [("stdout", stdout, outcome.stdout), ("stderr", stderr, outcome.stderr)]
        {
            if wanted {
                let bytes = self.text(node, cid, blocks).await?;
                line[key] = String::from_utf8_lossy(&bytes).into();
            }
        }
        Ok(line)
    }

    /// What is wanted of a task.
    fn streams_of(&self, outcome: &Outcome) -> impl Iterator<Item = Cid> {
        let (stdout, stderr) = self.streams;
        let streams = [(stdout, outcome.stdout), (stderr, outcome.stderr)];
        streams.into_iter().filter(|(wanted, _)| *wanted).map(|(_, cid)| cid)
    }

    async fn text(
        &self,
        node: &impl NodeApi,
        cid: Cid,
        blocks: &HashMap<Cid, Bytes>,
    ) -> Result<Bytes, Failure> {
        if cid == Cid::of(Codec::Raw, b"") {
            return Ok(Bytes::new());
        }
        if let Some(bytes) = blocks.get(&cid) {
            return Ok(bytes.clone());
        }
        Ok(fetch::to_memory(node, cid, self.limit_bytes).await?.into())
    }

    /// The same, with the task's name before every line if that is needed.
    fn marked(&self, outcome: &Outcome, bytes: Bytes) -> Vec<u8> {
        if !self.prefix {
            return bytes.to_vec();
        }
        let name = self.name(outcome.task);
        let mut marked = Vec::with_capacity(bytes.len() + bytes.len() / 8);
        for line in bytes.split_inclusive(|byte| *byte == b'\n') {
            marked.extend_from_slice(name.as_bytes());
            marked.extend_from_slice(b": ");
            marked.extend_from_slice(line);
        }
        if !marked.is_empty() && !marked.ends_with(b"\n") {
            marked.push(b'\n');
        }
        marked
    }

    fn name(&self, task: TaskIndex) -> Cow<'_, str> {
        self.table.name(task.0 as usize).unwrap_or("?".into())
    }
}

/// Says of how many tasks there is nothing to print, and why.
fn say_left(left: &BTreeSet<TaskIndex>, detail: &JobDetail, followed: bool, out: Out) {
    let ended = |task: &TaskIndex| match detail.tasks.get(task.0 as usize).map(|task| &task.state) {
        Some(TaskState::Unsettled { why }) => Some(why),
        _ => None,
    };
    let (lost, open): (Vec<_>, Vec<_>) = left.iter().partition(|task| ended(task).is_some());
    if let Some(why) = lost.first().copied().and_then(ended) {
        let tasks = text::plural(lost.len(), "task");
        out.say(format!("No output of {tasks}: {}.", progress::sentence(why)));
    }
    if !open.is_empty() && !followed {
        let tasks = text::plural(open.len(), "task");
        let id = text::short(detail.summary.job);
        out.say(format!("No output yet of {tasks}. Wait for it with:"));
        out.say(format!("  polity job logs {id} --follow"));
    }
}

fn wanted(table: &TaskTable, names: &[String], job: &str) -> Result<BTreeSet<TaskIndex>, Failure> {
    let all = || (0..).map(TaskIndex).zip(table.tasks());
    if names.is_empty() {
        return Ok(all().map(|(index, _)| index).collect());
    }
    let mut wanted = BTreeSet::new();
    for name in names {
        let found = all().find(|(_, task)| task.name == *name).ok_or_else(|| {
            Failure::usage(format!("the job has no task named {name}"))
                .next(format!("see its tasks with: polity job describe {job} --tasks"))
        })?;
        wanted.insert(found.0);
    }
    Ok(wanted)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::job::{course::tests::outcome, layout::tests::table};
    use protocol::End;

    #[test]
    fn lines_of_several_tasks_are_told_apart_and_those_of_one_are_left_alone() {
        let table = table(&["a.csv", "b.csv"]);
        let mut printer = Printer {
            out: Out::new(false),
            table: &table,
            prefix: true,
            limit_bytes: 1,
            streams: (true, true),
            alone: false,
        };
        let outcome = outcome(1, End::Exit(0));
        let marked = printer.marked(&outcome, Bytes::from_static(b"one\ntwo"));
        assert_eq!(marked, b"b.csv: one\nb.csv: two\n");
        assert_eq!(printer.marked(&outcome, Bytes::new()), b"");
        printer.prefix = false;
        assert_eq!(printer.marked(&outcome, Bytes::from_static(b"\xff")), b"\xff");
    }

    #[test]
    fn tasks_are_named_and_one_that_is_not_there_is_refused() {
        let table = table(&["a.csv", "b.csv", "c.csv"]);
        let names = |names: &[&str]| names.iter().map(ToString::to_string).collect::<Vec<_>>();
        assert_eq!(wanted(&table, &[], "last").unwrap().len(), 3);
        let two = wanted(&table, &names(&["c.csv", "a.csv"]), "last").unwrap();
        assert_eq!(two, BTreeSet::from([TaskIndex(0), TaskIndex(2)]));
        let refused = wanted(&table, &names(&["d.csv"]), "last").unwrap_err();
        assert!(refused.next.unwrap().contains("describe last --tasks"));
    }
}
