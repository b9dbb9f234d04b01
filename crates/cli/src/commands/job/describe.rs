//! `polity job describe`: where the tasks of a job stand, and why they wait.

use super::super::Context;
use crate::{
    connect,
    exit::Exit,
    failure::Failure,
    job::{progress, select},
    out, text,
};
use api::{JobDetail, NodeApi, ReplicaState, TaskDetail, TaskState};
use protocol::TaskIndex;

/// `polity job describe`
#[derive(Debug, clap::Args)]
pub(in crate::commands) struct Args {
    /// The job: its id, the end of its id, or last
    #[arg(value_name = "ID|last", default_value = "last")]
    job: String,
}

pub(super) async fn run(args: Args, context: &Context<'_>) -> Result<Exit, Failure> {
    let node = connect::node(&context.data()?)?;
    let job = select::job(&node, &args.job).await?;
    let mut detail = node.job(job, TaskIndex(0)).await?;
    while detail.tasks.len() < detail.summary.tasks as usize {
        let next = u32::try_from(detail.tasks.len()).map_err(Failure::internal)?;
        let more = node.job(job, TaskIndex(next)).await?;
        if more.tasks.is_empty() {
            break;
        }
        detail.tasks.extend(more.tasks);
    }
    context.out.data(&detail, || show(&detail))?;
    Ok(Exit::Success)
}

fn show(detail: &JobDetail) -> String {
    let (order, summary) = (&detail.order.payload, &detail.summary);
    let mut text = out::fields(&[
        ("job", summary.job.to_string()),
        ("submitter", summary.submitter.to_string()),
        ("home", order.home.to_string()),
        ("program", order.program.to_string()),
        ("signed", order.issued.to_string()),
        ("expires", order.expires.to_string()),
        ("verification", order.verification.to_string()),
        ("drawn", format!("with the beacon of height {}", detail.drawn)),
        (
            "tasks",
            format!(
                "{}: {} agreed, {} of them final, {} not agreed",
                summary.tasks, summary.agreed, summary.settled, summary.unsettled
            ),
        ),
    ]);
    let rows: Vec<_> = detail.tasks.iter().map(row).collect();
    text.push('\n');
    text.push_str(&out::table(&["TASK", "STATE", "NODES", ""], &rows));
    text
}

fn row(task: &TaskDetail) -> Vec<String> {
    let (state, more) = match &task.state {
        TaskState::Waiting { why } => ("waiting", why.clone()),
        TaskState::Running => ("running", String::new()),
        TaskState::Agreed { end } => ("agreed", end.to_string()),
        TaskState::Final { end, height } => ("final", format!("{end}, height {height}")),
        TaskState::Unsettled { why } => ("unsettled", progress::sentence(why).into()),
    };
    let nodes: Vec<_> = task
        .replicas
        .iter()
        .filter(|replica| replica.state != ReplicaState::Lost)
        .map(|replica| text::short(replica.node))
        .collect();
    let skipped = match task.skipped.len() {
        0 => String::new(),
        count => format!("; {} passed over", text::plural(count, "node")),
    };
    vec![task.name.clone(), state.into(), nodes.join(" "), format!("{more}{skipped}")]
}
