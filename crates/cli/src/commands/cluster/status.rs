//! `polity cluster status`.

use super::super::Context;
use super::members;
use crate::{connect, exit::Exit, failure::Failure, out, text};
use api::{ClusterApi, ClusterInfo};

pub(super) async fn run(context: &Context<'_>) -> Result<Exit, Failure> {
    let node = connect::node(&context.data()?)?;
    let cluster = node.cluster().await?;
    context.out.data(&cluster, || show(&cluster))?;
    Ok(Exit::Success)
}

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
    let fields = out::fields(&[
        ("cluster", format!("{}\n{}", cluster.name, cluster.id)),
        ("leader", leader),
        (
            "members",
            format!("{}, of which {voters} vote: {}", cluster.members.len(), bears(voters)),
        ),
        ("log", log),
    ]);
    let change = if cluster.at_rest { "" } else { "A change of members is under way.\n" };
    format!("{fields}{change}\n{}", members::table(cluster))
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
