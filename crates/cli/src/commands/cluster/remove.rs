//! `polity cluster remove`: a member is none any more.

use super::{super::Context, member};
use crate::{connect, exit::Exit, failure::Failure, text};
use api::{ClusterApi, ClusterChange};

const AFTER: &str = "\
Its directory is left as it is. To be a member again it joins with an empty
directory: polity cluster add.

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
    let node = member(&cluster, &args.node)?;
    if cluster.members.len() == 1 {
        return Err(Failure::usage("a cluster has one member at least, and this is the last"));
    }
    api.manage(ClusterChange::Remove { node }).await?;
    context.out.say(format!("{} is no member of the cluster any more.", text::short(node)));
    Ok(Exit::Success)
}
