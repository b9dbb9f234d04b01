//! `polity cluster members`.

use super::super::Context;
use crate::{connect, exit::Exit, failure::Failure, out, text};
use api::{ClusterApi, ClusterInfo, MemberInfo};

pub(super) async fn run(context: &Context<'_>) -> Result<Exit, Failure> {
    let node = connect::node(&context.data()?)?;
    let cluster = node.cluster().await?;
    context.out.data(&cluster.members, || table(&cluster))?;
    Ok(Exit::Success)
}

/// Members, one for each line.
pub(super) fn table(cluster: &ClusterInfo) -> String {
    let head = ["NODE", "ROLE", "CONNECTED", "LAGS", "RUNS", "TAKES WORK", "LABELS"];
    let rows: Vec<_> = cluster.members.iter().map(|member| row(cluster, member)).collect();
    out::table(&head, &rows)
}

fn row(cluster: &ClusterInfo, member: &MemberInfo) -> Vec<String> {
    let role = match (cluster.leader == Some(member.node), member.votes) {
        (true, _) => "leads",
        (false, true) => "votes",
        (false, false) => "follows",
    };
    let lags = member.has.map_or("-".into(), |has| text::number(cluster.last.saturating_sub(has)));
    let takes = member.cordon.as_ref().map_or("yes".into(), |reason| format!("no: {reason}"));
    let labels: Vec<_> =
        member.labels.iter().map(|(name, value)| format!("{name}={value}")).collect();
    vec![
        text::short(member.node),
        role.into(),
        if member.connected { "yes" } else { "no" }.into(),
        lags,
        member.running.to_string(),
        takes,
        labels.join(","),
    ]
}
