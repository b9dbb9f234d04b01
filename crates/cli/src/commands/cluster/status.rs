//! `polity cluster status`.

use super::super::Context;
use super::members;
use crate::{connect, exit::Exit, failure::Failure, out, text};
use api::{ClusterApi, ClusterInfo};

/// `polity cluster status`
#[derive(Debug, clap::Args)]
pub(in crate::commands) struct Args {
    /// Ask the leader first: everything that was acknowledged before is in the answer, or it fails
    /// within a second
    #[arg(long)]
    current: bool,
}

pub(super) async fn run(args: Args, context: &Context<'_>) -> Result<Exit, Failure> {
    let node = connect::node(&context.data()?)?;
    let cluster = match args.current {
        true => node.cluster_current().await?,
        false => node.cluster().await?,
    };
    context.out.data(&cluster, || show(&cluster))?;
    Ok(Exit::Success)
}

const CURRENT: &str = "current: a majority was asked";
const STALE: &str = "as this node knows it; others may know more (--current asks them)";

fn show(cluster: &ClusterInfo) -> String {
    let voters = cluster.members.iter().filter(|member| member.votes).count();
    let leader = match cluster.leader {
        Some(leader) if leader == cluster.node => format!("{leader}\nthis node"),
        Some(leader) => leader.to_string(),
        None => "nobody: jobs wait until a majority of the voters is connected".into(),
    };
    let ahead = cluster.last.saturating_sub(cluster.committed);
    let mut log =
        format!("{} entries agreed in term {}", text::number(cluster.committed), cluster.term);
    if ahead > 0 {
        log += &format!(", {} under way", text::number(ahead));
    }
    let mut fields = vec![
        ("cluster", format!("{}\n{}", cluster.name, cluster.id)),
        ("leader", leader),
        (
            "members",
            format!(
                "{}, of which {voters} {}: {}",
                cluster.members.len(),
                if voters == 1 { "votes" } else { "vote" },
                bears(voters)
            ),
        ),
        ("log", log),
        ("state", if cluster.current { CURRENT } else { STALE }.into()),
    ];
    if !cluster.cordons.is_empty() {
        let shut: Vec<_> = cluster
            .cordons
            .iter()
            .map(|(node, reason)| format!("{}: {reason}", text::short(*node)))
            .collect();
        fields.push(("cordoned", shut.join("\n")));
    }
    let fields = out::fields(&fields);
    let behind = cluster.left_behind.as_ref().map(|why| text::wrap(why) + "\n");
    let behind = behind.unwrap_or_default();
    let change = if cluster.at_rest { "" } else { "A change of members is under way.\n" };
    format!("{fields}{behind}{change}\n{}", members::table(cluster))
}

/// How many of so many voters may be away.
fn bears(voters: usize) -> String {
    match voters.saturating_sub(1) / 2 {
        0 => "all of them must be there".into(),
        1 => "one of them may be away".into(),
        more => format!("{more} of them may be away"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_minority_of_the_voters_may_be_away() {
        let said: Vec<_> = [1, 2, 3, 5, 7].map(bears).into();
        assert_eq!(said[0], said[1]);
        assert_eq!(said[2], "one of them may be away");
        assert_eq!(said[4], "3 of them may be away");
    }
}
