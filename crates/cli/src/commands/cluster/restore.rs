//! `polity cluster restore`: all machines are lost, and another one goes on from a copy.

use super::{super::Context, recover};
use crate::{
    exit::Exit,
    failure::Failure,
    launch::{Agree, HeldCluster},
    text,
};
use std::path::PathBuf;

const AFTER: &str = "\
For the case that every machine of a cluster is lost. This machine is admitted
as one of yours, its node is stopped, and it has no jobs of its own. It goes on
alone as a new cluster with the jobs of the copy; tasks that ended after the
copy was made are found on the ledger, and are final once. Programs and inputs
are not in the copy: bring back what the jobs need with 'polity import'.

Examples:
  polity cluster restore home.backup --data /srv/polity";

/// `polity cluster restore`
#[derive(Debug, clap::Args)]
#[command(after_help = AFTER)]
pub(in crate::commands) struct Args {
    /// What 'polity cluster backup' wrote
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// Do not ask
    #[arg(long)]
    yes: bool,
}

pub(super) fn run(args: &Args, context: &Context<'_>) -> Result<Exit, Failure> {
    let data = context.own_data()?;
    let question = (args.yes, "Shall this machine go on from it?");
    let begin = |agree: Agree<'_>| context.launch.restore(&data, &args.file, agree);
    recover::go_on(question, shown, begin, context)
}

fn shown(held: &HeldCluster) -> String {
    let what = text::wrap(
        "None of its members is a member any more: if one of them still runs, stop here. Orders \
         that were acknowledged after the copy was made are not in it: order them again.",
    );
    format!(
        "Cluster {} ({}) of {}, up to entry {} in term {}, of {}, with {}.\n{what}",
        held.name,
        held.cluster,
        text::plural(held.members.len(), "member"),
        text::number(held.index),
        held.term,
        text::moment(held.at),
        text::plural(held.jobs, "job"),
    )
}
