//! `polity job describe`: where the tasks of a job stand, and why they wait.

use super::super::Context;
use crate::{
    connect,
    exit::Exit,
    failure::Failure,
    job::{names::Names, progress, select},
    out, text,
    verify::shows,
};
use api::{DisputeState, JobDetail, ReplicaDetail, ReplicaState, TaskDetail, TaskState};

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
    let detail = select::detail(&node, job).await?;
    let names = Names::ask(&node).await?;
    context.out.data(&detail, || show(&detail, &names))?;
    Ok(Exit::Success)
}

/// What the replicas show, if they all are of one owner.
fn shows(detail: &JobDetail, names: &Names) -> Option<String> {
    let replicas = |task: &TaskDetail| -> Vec<_> {
        let nodes = task.replicas.iter().filter(|replica| is_there(replica));
        nodes.filter_map(|at| Some((at.node, names.owner(&at.node)?.0))).collect()
    };
    let tasks: Vec<_> = detail.tasks.iter().map(replicas).collect();
    shows::of_replicas(tasks.iter().map(Vec::as_slice))
}

fn is_there(replica: &ReplicaDetail) -> bool {
    !matches!(replica.state, ReplicaState::Lost | ReplicaState::Refuted)
}

fn show(detail: &JobDetail, names: &Names) -> String {
    let (order, summary) = (&detail.order.payload, &detail.summary);
    let mut text = out::fields(&[
        ("job", summary.job.to_string()),
        ("submitter", summary.submitter.to_string()),
        ("home", order.home.to_string()),
        ("program", order.program.to_string()),
        ("signed", order.issued.to_string()),
        ("expires", order.expires.to_string()),
        (
            "verification",
            match shows(detail, names) {
                Some(shows) => format!("{}\n{shows}", order.verification),
                None => order.verification.to_string(),
            },
        ),
        ("drawn", drawn(detail)),
        ("audits", format!("{} picked, {} audited", detail.audits.picked, detail.audits.audited)),
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

fn drawn(detail: &JobDetail) -> String {
    let placement = detail.order.payload.placement;
    match (detail.drawn, detail.ordered) {
        (Some(height), _) => format!("{placement}, with the beacon of height {height}"),
        (None, Some(height)) => format!("{placement}, not yet; ordered at height {height}"),
        (None, None) => format!("{placement}, not yet"),
    }
}

fn row(task: &TaskDetail) -> Vec<String> {
    let (state, more) = match &task.state {
        TaskState::Waiting { why } => ("waiting", why.clone()),
        TaskState::Running => ("running", String::new()),
        TaskState::Disputed => ("disputed", "the validators run it again".into()),
        TaskState::Agreed { end } => ("agreed", end.to_string()),
        TaskState::Final { end, height, decided } => {
            let how = if *decided { ", by verdict" } else { "" };
            ("final", format!("{end}, height {height}{how}"))
        }
        TaskState::Unsettled { why } => ("unsettled", progress::sentence(why).into()),
    };
    let nodes: Vec<_> = task
        .replicas
        .iter()
        .filter(|replica| is_there(replica))
        .map(|replica| text::short(replica.node))
        .collect();
    let mut more: Vec<_> = if more.is_empty() { Vec::new() } else { vec![more] };
    if !task.skipped.is_empty() {
        more.push(format!("{} passed over", text::plural(task.skipped.len(), "node")));
    }
    if let Some(DisputeState::Decided { refuted, .. }) = &task.dispute {
        let nodes: Vec<_> = refuted.iter().map(text::short).collect();
        more.push(format!("refuted {}", nodes.join(" ")));
    }
    vec![task.name.clone(), state.into(), nodes.join(" "), more.join("; ")]
}
