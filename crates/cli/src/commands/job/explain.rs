//! `polity job explain`: why a job or a task is where it is.

use super::super::Context;
use crate::{
    connect,
    exit::Exit,
    failure::Failure,
    job::{
        explain::{Facts, Said},
        select,
    },
    text,
};
use api::{NodeApi, TaskDetail, TaskState};
use serde_json::{Value, json};

/// Tasks that are named of which the same is said, at most.
const NAMED: usize = 5;
/// Groups of tasks of which something is said, at most.
const GROUPS: usize = 8;

const AFTER: &str = "\
Examples:
  polity job explain                why the last job is where it is
  polity job explain abcd1234       another one, by the end of its id
  polity job explain last 17.csv    one task of it
  polity job explain last --nodes   who could run it, how well, and who not";

/// `polity job explain`
#[derive(Debug, clap::Args)]
#[command(after_help = AFTER)]
pub(in crate::commands) struct Args {
    /// The job: its id, the beginning or end of its id, or last
    #[arg(value_name = "ID|last", default_value = "last")]
    job: String,
    /// Show every node with its score and factors, and those that are passed over
    #[arg(long, conflicts_with = "task")]
    nodes: bool,
    /// Only this task, by its name
    #[arg(value_name = "TASK")]
    task: Option<String>,
}

pub(super) async fn run(args: Args, context: &Context<'_>) -> Result<Exit, Failure> {
    let node = connect::node(&context.data()?)?;
    let job = select::job(&node, &args.job).await?;
    let detail = select::detail(&node, job).await?;
    let (nodes, status) = (node.nodes().await?, node.status().await?);
    let facts = Facts::new(&detail, &nodes, &status);
    if let Some(name) = args.task {
        let task = detail.tasks.iter().find(|task| task.name == name).ok_or_else(|| {
            Failure::usage(format!("the job has no task named {name}"))
                .next(format!("see its tasks with: polity job describe {} --tasks", args.job))
        })?;
        let said = facts.task(task);
        let mut whole = whole(&said);
        whole["job"] = json!(job);
        whole["task"] = json!(task.task);
        whole["name"] = json!(name);
        context.out.data(&whole, || show(&format!("{name}: "), &said, None))?;
        return Ok(Exit::Success);
    }
    if args.nodes {
        context.out.data(&detail.placing, || facts.nodes_table())?;
        return Ok(Exit::Success);
    }
    let (said, groups) = (facts.job(), facts.groups());
    let tasks: Vec<_> = groups
        .iter()
        .map(|(tasks, said)| {
            let names: Vec<_> = tasks.iter().map(|task| &task.name).collect();
            let mut whole = whole(said);
            whole["tasks"] = json!(names);
            whole
        })
        .collect();
    let mut whole = whole(&said);
    whole["job"] = json!(job);
    whole["tasks"] = json!(tasks);
    whole["placing"] = json!(detail.placing);
    context.out.data(&whole, || {
        let mut shown = show("", &said, None);
        // What simply ended well needs no words of its own.
        let told: Vec<_> = groups.iter().filter(|(tasks, _)| has_a_story(tasks[0])).collect();
        let mut last = said.next.as_deref();
        for (tasks, said) in told.iter().take(GROUPS) {
            shown.push_str(&show(&format!("{}: ", names(tasks)), said, last));
            last = said.next.as_deref();
        }
        if told.len() > GROUPS {
            let more: usize = told.iter().skip(GROUPS).map(|(tasks, _)| tasks.len()).sum();
            let more = text::plural(more, "more task");
            shown.push_str(&format!("… and {more}: polity job describe {} --tasks\n", args.job));
        }
        shown
    })?;
    Ok(Exit::Success)
}

fn whole(said: &Said) -> Value {
    serde_json::to_value(said).unwrap_or_default()
}

/// The sentences, and what to type next unless that was just said.
fn show(about: &str, said: &Said, before: Option<&str>) -> String {
    let mut shown = text::wrap(&format!("{about}{}", said.text));
    if let Some(next) = said.next.as_deref().filter(|next| Some(*next) != before) {
        shown.push_str(&format!("  > {next}\n"));
    }
    shown
}

/// One that ended well has none.
fn has_a_story(task: &TaskDetail) -> bool {
    match &task.state {
        TaskState::Final { decided: false, end, .. } => task.dispute.is_some() || !end.is_success(),
        _ => true,
    }
}

fn names(tasks: &[&TaskDetail]) -> String {
    let named: Vec<_> = tasks.iter().take(NAMED).map(|task| text::cut(&task.name, 24)).collect();
    match tasks.len() {
        0..=NAMED => named.join(", "),
        more => format!("{}, … ({more} tasks)", named.join(", ")),
    }
}
