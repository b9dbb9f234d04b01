//! `polity job describe`: a job on a page.

mod executors;
mod tasks;

use super::super::Context;
use crate::{
    connect,
    exit::Exit,
    failure::Failure,
    job::{names::Names, select},
    out, text,
    verify::shows,
};
use api::{JobDetail, JobState, NodeApi, ReplicaDetail, ReplicaState, Status, TaskDetail};
use protocol::Time;
use std::time::Duration;

const AFTER: &str = "\
Of many tasks it is said how many are where, and which are slow, failed or in
dispute; --tasks lists them all, and --json gives all there is.

Examples:
  polity job describe               the last job
  polity job describe abcd1234 --tasks";

/// `polity job describe`
#[derive(Debug, clap::Args)]
#[command(after_help = AFTER)]
pub(in crate::commands) struct Args {
    /// The job: its id, the beginning or end of its id, or last
    #[arg(value_name = "ID|last", default_value = "last")]
    job: String,
    /// List every task
    #[arg(long)]
    tasks: bool,
}

pub(super) async fn run(args: Args, context: &Context<'_>) -> Result<Exit, Failure> {
    let node = connect::node(&context.data()?)?;
    let job = select::job(&node, &args.job).await?;
    let detail = select::detail(&node, job).await?;
    let names = Names::ask(&node).await?;
    let status = node.status().await?;
    let page = Page { detail: &detail, names: &names, status: &status };
    context.out.data(&detail, || page.show(args.tasks))?;
    Ok(Exit::Success)
}

/// A job, and what names on its page mean.
struct Page<'a> {
    detail: &'a JobDetail,
    names: &'a Names,
    status: &'a Status,
}

impl Page<'_> {
    fn show(&self, all: bool) -> String {
        let mut shown = out::fields(&self.head());
        shown.push('\n');
        shown.push_str(&out::fields(&self.times()));
        let executors = executors::table(&self.detail.tasks, self.names);
        if !executors.is_empty() {
            shown.push('\n');
            shown.push_str(&executors);
        }
        shown.push('\n');
        shown.push_str(&tasks::show(
            &self.detail.tasks,
            &text::short(self.detail.summary.job),
            self.status.clock,
            all,
        ));
        shown
    }

    fn head(&self) -> Vec<(&'static str, String)> {
        let (detail, order) = (self.detail, &self.detail.order.payload);
        let limits = order.limits;
        let wall = text::lasting(Duration::from_millis(limits.wall_ms));
        let mut head = vec![
            ("job", detail.summary.job.to_string()),
            ("state", self.state()),
            ("tasks", tasks::counts(&detail.tasks)),
            ("submitter", self.submitter()),
            ("home", self.names.node(&order.home)),
            ("program", order.program.to_string()),
            (
                "limits",
                format!(
                    "{} fuel, {} memory, {} output, {wall} on a node",
                    tasks::short(limits.fuel),
                    text::size(limits.memory_bytes),
                    text::size(limits.output_bytes),
                ),
            ),
            ("verification", self.verification()),
            ("drawn", self.drawn()),
        ];
        if detail.audits.picked > 0 {
            let api::AuditCount { picked, audited } = detail.audits;
            let picked = text::plural(picked as usize, "task");
            head.push(("audits", format!("{picked} picked, {audited} gave the same again")));
        }
        for trouble in &detail.troubles {
            let at = text::moment(trouble.at);
            let reason = text::cut(&trouble.reason, 200);
            head.push(("trouble", format!("{at}: {reason}")));
        }
        if let Some(receipt) = detail.summary.receipt {
            head.push(("receipt", format!("{receipt}\n{}", self.get())));
        }
        head
    }

    fn get(&self) -> String {
        format!(
            "polity job get {} fetches it, and the results",
            text::short(self.detail.summary.job)
        )
    }

    fn state(&self) -> String {
        let summary = &self.detail.summary;
        let of = text::plural(summary.tasks as usize, "task");
        let done = format!("{} of {of} final", summary.settled);
        match summary.state {
            JobState::Finished => format!("finished, {done}"),
            JobState::Running if !self.detail.after.is_empty() => {
                let after: Vec<_> = self.detail.after.iter().map(text::short).collect();
                format!("held for {}", after.join(", "))
            }
            JobState::Running => {
                let percent = u64::from(summary.settled + summary.unsettled) * 100;
                format!("running, {done} ({} %)", percent / u64::from(summary.tasks.max(1)))
            }
        }
    }

    fn submitter(&self) -> String {
        let by = self.detail.summary.submitter;
        let short = by.short();
        match self.names.called(&by) {
            Some(name) => format!("{name} (…{short})"),
            None => format!("…{short}"),
        }
    }

    fn verification(&self) -> String {
        let verification = self.detail.order.payload.verification;
        let word =
            if self.status.distinct == protocol::Distinct::Nodes { "nodes" } else { "owners" };
        let said = match verification.k {
            1 => format!("{verification}: one node, compared with nobody"),
            k => format!("{verification}: {k} different {word} must give the same"),
        };
        match self.shows() {
            Some(shows) => format!("{said}\n{shows}"),
            None => said,
        }
    }

    /// What the replicas show, if they all are of one owner.
    fn shows(&self) -> Option<String> {
        let replicas = |task: &TaskDetail| -> Vec<_> {
            let nodes = task.replicas.iter().filter(|replica| is_there(replica));
            nodes.filter_map(|at| Some((at.node, self.names.owner(&at.node)?.0))).collect()
        };
        let tasks: Vec<_> = self.detail.tasks.iter().map(replicas).collect();
        shows::of_replicas(tasks.iter().map(Vec::as_slice))
    }

    fn drawn(&self) -> String {
        let placement = self.detail.order.payload.placement;
        match (self.detail.drawn, self.detail.ordered) {
            (Some(height), _) => format!("{placement}, with the beacon of height {height}"),
            (None, Some(height)) => format!("{placement}, not yet; ordered at height {height}"),
            (None, None) => format!("{placement}, not yet"),
        }
    }

    /// The milestones, counted from the signature on.
    fn times(&self) -> Vec<(&'static str, String)> {
        let (order, times) = (&self.detail.order.payload, self.detail.times);
        let later = |at: Time| {
            format!("+ {}", text::lasting(Duration::from_millis(at.since_ms(order.issued))))
        };
        let done = self.detail.summary.state == JobState::Finished;
        let so_far = |at: Time| if done { later(at) } else { format!("{}, so far", later(at)) };
        let mut lines = vec![("signed", text::moment(order.issued))];
        let further = [
            ("taken", times.admitted.map(later)),
            ("first commit", times.first_commit.map(later)),
            ("last agreed", times.agreed.map(so_far)),
            ("last final", times.settled.map(so_far)),
            ("finished", times.finished.map(later)),
        ];
        lines.extend(further.into_iter().filter_map(|(name, value)| Some((name, value?))));
        if !done {
            lines.push(("good until", text::moment(order.expires)));
        }
        lines
    }
}

fn is_there(replica: &ReplicaDetail) -> bool {
    !matches!(replica.state, ReplicaState::Lost | ReplicaState::Refuted)
}
