//! `polity cluster remove`: a member is none any more.

use super::{super::Context, member};
use crate::{connect, exit::Exit, failure::Failure, text};
use api::{ClusterApi, ClusterChange};

const AFTER: &str = "\
Its directory is left as it is, and it is not let in again. To be a member
again it joins with an empty directory, once this is said: polity cluster
add KEY. A machine that is no member yet is kept out by its whole key.

Examples:
  polity cluster remove 7hTqK2Lm";

/// `polity cluster remove`
#[derive(Debug, clap::Args)]
#[command(after_help = AFTER)]
pub(in crate::commands) struct Args {
    /// The member: its key, or the beginning or end of it
    #[arg(value_name = "NODE")]
    node: String,
}

pub(super) async fn run(args: Args, context: &Context<'_>) -> Result<Exit, Failure> {
    let api = connect::node(&context.data()?)?;
    let cluster = api.cluster().await?;
    let found = member(&cluster, &args.node);
    let node = found.or_else(|failure| args.node.parse().map_err(|_| failure))?;
    if cluster.members.len() == 1 && cluster.members[0].node == node {
        return Err(Failure::usage("a cluster has one member at least, and this is the last"));
    }
    api.manage(ClusterChange::Remove { node }).await?;
    context.out.say(format!("{} is no member of the cluster any more.", text::short(node)));
    Ok(Exit::Success)
}
