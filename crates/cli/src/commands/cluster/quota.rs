//! `polity cluster quota`: how much the jobs of an owner may have under way.

use super::super::{Context, needs};
use crate::{connect, exit::Exit, failure::Failure, job::names::Names, out, text};
use api::{ClusterApi, ClusterChange, ClusterInfo, NodeApi, Quota, QuotaInfo};

const AFTER: &str = "\
What holds for everybody is in [work.quota] of config.toml. A job over its
owner's quota is refused when it is ordered; replicas over it wait.

Examples:
  polity cluster quota                            who has what, of how much
  polity cluster quota guest --jobs 2 --tasks 1000
  polity cluster quota guest --default            what holds for everybody";

/// `polity cluster quota`
#[derive(Debug, clap::Args)]
#[command(after_help = AFTER)]
pub(in crate::commands) struct Args {
    /// The owner, by its name or key. Without one, all are listed
    #[arg(value_name = "OWNER")]
    owner: Option<String>,
    /// Jobs at a time
    #[arg(long, value_name = "N", requires = "owner")]
    jobs: Option<u32>,
    /// Tasks of these jobs
    #[arg(long, value_name = "N", requires = "owner")]
    tasks: Option<u32>,
    /// Replicas that are at work at a time
    #[arg(long, value_name = "N", requires = "owner")]
    replicas: Option<u32>,
    /// No other than what holds for everybody
    #[arg(long, requires = "owner", conflicts_with_all = ["jobs", "tasks", "replicas"])]
    default: bool,
}

pub(super) async fn run(args: Args, context: &Context<'_>) -> Result<Exit, Failure> {
    let api = connect::node(&context.data()?)?;
    let Some(wanted) = &args.owner else {
        let cluster = api.cluster().await?;
        let names = Names::ask(&api).await?;
        context.out.data(&cluster.quotas, || table(&cluster, &names))?;
        return Ok(Exit::Success);
    };
    let owner = needs::owner(wanted, &api.nodes().await?)?;
    let called = text::short(owner);
    if args.default {
        api.manage(ClusterChange::Quota { owner, quota: None }).await?;
        context.out.say(format!("For {called} the same holds as for everybody."));
        return Ok(Exit::Success);
    }
    let cluster = api.cluster_current().await?;
    let said = cluster.quotas.iter().find(|info| info.owner == owner);
    let before = said.map(|info| info.quota).or(cluster.usual_quota);
    let before =
        before.ok_or_else(|| Failure::usage("the node does not tell quotas; update it"))?;
    let quota = args.over(before);
    if quota == before {
        let shown = ClusterInfo {
            quotas: said.into_iter().cloned().collect(),
            usual_quota: Some(before),
            ..cluster.clone()
        };
        let names = Names::ask(&api).await?;
        context.out.data(&shown.quotas, || table(&shown, &names))?;
        return Ok(Exit::Success);
    }
    api.manage(ClusterChange::Quota { owner, quota: Some(quota) }).await?;
    context.out.say(format!("{called} may have {} under way.", much(quota)));
    Ok(Exit::Success)
}

impl Args {
    /// What is said, over what held before.
    fn over(&self, before: Quota) -> Quota {
        Quota {
            jobs: self.jobs.unwrap_or(before.jobs),
            tasks: self.tasks.unwrap_or(before.tasks),
            replicas: self.replicas.unwrap_or(before.replicas),
        }
    }
}

fn much(Quota { jobs, tasks, replicas }: Quota) -> String {
    let plural = |count: u32, noun| match count {
        1 => format!("1 {noun}"),
        more => format!("{} {noun}s", text::number(more.into())),
    };
    let (jobs, tasks) = (plural(jobs, "job"), plural(tasks, "task"));
    format!("{jobs} with {tasks} and {} at work", plural(replicas, "replica"))
}

/// Owners, one for each line, and what holds for all others.
fn table(cluster: &ClusterInfo, names: &Names) -> String {
    let head = ["OWNER", "JOBS", "TASKS", "REPLICAS", "QUOTA"];
    let rows: Vec<_> = cluster.quotas.iter().map(|info| row(info, names)).collect();
    let usual = cluster.usual_quota.map(|usual| format!("Everybody may have {}", much(usual)));
    let usual = usual.map(|usual| format!("{usual}, unless something else is said.\n"));
    let table = if rows.is_empty() { String::new() } else { out::table(&head, &rows) };
    table + &usual.unwrap_or_default()
}

fn row(info: &QuotaInfo, names: &Names) -> Vec<String> {
    let QuotaInfo { owner, quota, own, jobs, tasks, replicas } = info;
    let of =
        |has: u64, most: u32| format!("{} of {}", text::number(has), text::number(u64::from(most)));
    vec![
        names.called(owner).map_or_else(|| text::short(owner), str::to_string),
        of(u64::from(*jobs), quota.jobs),
        of(*tasks, quota.tasks),
        of(*replicas, quota.replicas),
        if *own { "its own" } else { "everybody's" }.into(),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_said_stays_as_it_was() {
        let args = |jobs, tasks| Args { owner: None, jobs, tasks, replicas: None, default: false };
        let before = Quota { jobs: 256, tasks: 4_000_000, replicas: 65_536 };
        assert_eq!(args(Some(2), None).over(before), Quota { jobs: 2, ..before });
        assert_eq!(args(None, Some(9)).over(before), Quota { tasks: 9, ..before });
        let said = much(Quota { jobs: 1, tasks: 4_000, replicas: 1 });
        assert_eq!(said, "1 job with 4,000 tasks and 1 replica at work");
    }
}
