//! `polity job logs`: what tasks printed, as soon as it is agreed.

use super::super::Context;
use crate::{
    connect,
    exit::Exit,
    failure::Failure,
    job::{
        course::{Course, Wait},
        fetch, select,
    },
};
use api::NodeApi;
use futures::StreamExt;
use protocol::{Outcome, TaskIndex, TaskTable};

/// `polity job logs`
#[derive(Debug, clap::Args)]
pub(in crate::commands) struct Args {
    /// The job: its id, the end of its id, or last
    #[arg(value_name = "ID|last", default_value = "last")]
    job: String,
    /// Only this task, by its name
    #[arg(value_name = "TASK")]
    task: Option<String>,
    /// What was written to stderr
    #[arg(long)]
    stderr: bool,
}

pub(super) async fn run(args: Args, context: &Context<'_>) -> Result<Exit, Failure> {
    let node = connect::node(&context.data()?)?;
    let job = select::job(&node, &args.job).await?;
    let detail = node.job(job, TaskIndex(0)).await?;
    let order = &detail.order.payload;
    let table = fetch::table(&node, order.table).await?;
    let wanted = wanted(&table, args.task.as_deref())?;

    let mut course = Course::new(table.tasks.len());
    let mut events = node.events(job).await?;
    let mut known = 0;
    // The events go on until the job ends; what is agreed now is what is printed.
    while known < detail.summary.agreed {
        let Some(event) = events.next().await else { break };
        known += u32::try_from(course.take(&event?, Wait::Agreed).len()).unwrap_or(u32::MAX);
    }
    let limit_bytes = order.limits.output_bytes;
    let mut printed = Vec::new();
    for task in &wanted {
        let Some(outcome) = course.outcome(*task) else { continue };
        let name = &table.tasks[task.0 as usize].name;
        let bytes = fetch::to_memory(&node, stream(outcome, args.stderr), limit_bytes).await?;
        if context.out.json {
            let text = String::from_utf8_lossy(&bytes);
            printed.push(serde_json::json!({ "task": task, "name": name, "text": text }));
            continue;
        }
        if wanted.len() > 1 {
            context.out.say(format!("==> {name} <=="));
        }
        context.out.bytes(&bytes)?;
    }
    if context.out.json {
        context.out.data(&printed, String::new)?;
    }
    Ok(Exit::Success)
}

fn stream(outcome: &Outcome, stderr: bool) -> objects::Cid {
    if stderr { outcome.stderr } else { outcome.stdout }
}

fn wanted(table: &TaskTable, name: Option<&str>) -> Result<Vec<TaskIndex>, Failure> {
    let all = (0..).map(TaskIndex).zip(&table.tasks);
    let wanted: Vec<_> = all
        .filter(|(_, task)| name.is_none_or(|name| task.name == name))
        .map(|(index, _)| index)
        .collect();
    match (wanted.is_empty(), name) {
        (true, Some(name)) => Err(Failure::usage(format!("the job has no task named {name}"))
            .next("see its tasks with: polity job describe")),
        _ => Ok(wanted),
    }
}
