//! `polity cluster …`: your machines that act as one.

mod add;
mod ask;
mod backup;
mod members;
mod quota;
mod recover;
mod remove;
mod reserve;
mod restore;
mod status;
mod transfer;

use super::{Context, block_on};
use crate::{
    exit::Exit,
    failure::Failure,
    pick::{Kind, pick},
};
use api::ClusterInfo;
use identity::PublicKey;

const AFTER: &str = "\
The machines of one owner that joined with 'polity invite --mine' take jobs
together: any of them may vanish. An odd number of them votes on what is
agreed; the others follow.

Examples:
  polity cluster status                  who leads, who votes, who lags
  polity cluster add > line.txt          a line for one more machine
  polity node drain 7hTqK2Lm             before a machine is looked after
  polity cluster backup -o home.backup   a copy of the queue, to keep elsewhere
  polity cluster recover                 when a majority is lost for ever";

/// `polity cluster`
#[derive(Debug, clap::Subcommand)]
#[command(after_help = AFTER)]
pub(super) enum Command {
    /// Say who leads, and how the members stand
    Status(status::Args),
    /// List the members
    Members,
    /// Print the line that one more machine of yours joins with
    Add(add::Args),
    /// Take a member out
    Remove(remove::Args),
    /// Say how much an owner's jobs may have under way, or list that
    Quota(quota::Args),
    /// Hold capacity back for an owner's jobs for a time, or list that
    Reserve(reserve::Args),
    /// Let another member lead
    Transfer(transfer::Args),
    /// Write a copy of what the cluster agreed on
    Backup(backup::Args),
    /// Go on alone when a majority is lost for ever
    Recover(recover::Args),
    /// Go on alone from a copy when all is lost
    Restore(restore::Args),
}

pub(super) fn run(command: Command, context: &Context<'_>) -> Result<Exit, Failure> {
    match command {
        Command::Status(args) => block_on(status::run(args, context)),
        Command::Members => block_on(members::run(context)),
        Command::Add(args) => block_on(add::run(args, context)),
        Command::Remove(args) => block_on(remove::run(args, context)),
        Command::Quota(args) => block_on(quota::run(args, context)),
        Command::Reserve(args) => block_on(reserve::run(args, context)),
        Command::Transfer(args) => block_on(transfer::run(args, context)),
        Command::Backup(args) => block_on(backup::run(args, context)),
        Command::Recover(args) => recover::run(&args, context),
        Command::Restore(args) => restore::run(&args, context),
    }
}

/// The member that a person means.
fn member(cluster: &ClusterInfo, wanted: &str) -> Result<PublicKey, Failure> {
    const MEMBERS: Kind =
        Kind { one: "member", several: "members", list: "polity cluster members" };
    pick(wanted, &MEMBERS, cluster.members.iter().map(|member| member.node))
}
