//! `polity cluster transfer`: another member leads.

use super::{super::Context, member};
use crate::{connect, exit::Exit, failure::Failure, text};
use api::{ClusterApi, ClusterChange};

const AFTER: &str = "\
Examples:
  polity cluster transfer                to whichever voter has most
  polity cluster transfer 7hTqK2Lm       to this one";

/// `polity cluster transfer`
#[derive(Debug, clap::Args)]
#[command(after_help = AFTER)]
pub(in crate::commands) struct Args {
    /// The member that is to lead: its key, or the beginning or end of it
    #[arg(value_name = "NODE")]
    node: Option<String>,
}

pub(super) async fn run(args: Args, context: &Context<'_>) -> Result<Exit, Failure> {
    let api = connect::node(&context.data()?)?;
    let cluster = api.cluster().await?;
    let to = args.node.map(|wanted| member(&cluster, &wanted));
    api.manage(ClusterChange::HandOver { to: to.transpose()? }).await?;
    let leader = api.cluster().await?.leader;
    let leads = leader.map_or("Another member".to_string(), text::short);
    context.out.say(format!("{leads} leads the cluster."));
    Ok(Exit::Success)
}
