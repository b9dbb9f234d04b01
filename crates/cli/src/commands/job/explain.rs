//! `polity job explain`: why a job or a task is where it is.

use super::super::Context;
use crate::{
    connect,
    exit::Exit,
    failure::Failure,
    job::{explain::Facts, select},
    text,
};
use api::{NodeApi, TaskDetail, TaskState};
use serde_json::json;

/// Tasks that are named of which the same is said, at most.
const NAMED: usize = 5;

/// `polity job explain`
#[derive(Debug, clap::Args)]
pub(in crate::commands) struct Args {
    /// The job: its id, the end of its id, or last
    #[arg(value_name = "ID|last", default_value = "last")]
    job: String,
    /// Only this task, by its name
    #[arg(value_name = "TASK")]
    task: Option<String>,
}

pub(super) async fn run(args: Args, context: &Context<'_>) -> Result<Exit, Failure> {
    let node = connect::node(&context.data()?)?;
    let job = select::job(&node, &args.job).await?;
    let detail = select::detail(&node, job).await?;
    let nodes = node.nodes().await?;
    let facts = Facts::new(&detail, &nodes);
    if let Some(name) = args.task {
        let task = detail.tasks.iter().find(|task| task.name == name).ok_or_else(|| {
            Failure::usage(format!("the job has no task named {name}"))
                .next("see its tasks with: polity job describe")
        })?;
        let said = facts.task(task);
        let whole = json!({ "job": job, "task": task.task, "name": name, "explanation": said });
        context.out.data(&whole, || text::wrap(&format!("{name}: {said}")))?;
        return Ok(Exit::Success);
    }
    let groups = facts.groups();
    let tasks: Vec<_> = groups
        .iter()
        .map(|(tasks, said)| {
            let names: Vec<_> = tasks.iter().map(|task| &task.name).collect();
            json!({ "tasks": names, "explanation": said })
        })
        .collect();
    let whole = json!({ "job": job, "explanation": facts.job(), "tasks": tasks });
    context.out.data(&whole, || {
        let mut shown = text::wrap(&facts.job());
        // What simply ended well needs no words of its own.
        for (tasks, said) in groups.iter().filter(|(tasks, _)| tasks.iter().any(has_a_story)) {
            shown.push_str(&text::wrap(&format!("{}: {said}", names(tasks))));
        }
        shown
    })?;
    Ok(Exit::Success)
}

fn has_a_story(task: &&TaskDetail) -> bool {
    !matches!(task.state, TaskState::Final { decided: false, .. }) || task.dispute.is_some()
}

fn names(tasks: &[&TaskDetail]) -> String {
    let named: Vec<_> = tasks.iter().take(NAMED).map(|task| task.name.as_str()).collect();
    match tasks.len() {
        0..=NAMED => named.join(", "),
        more => format!("{}, … ({more} tasks)", named.join(", ")),
    }
}
