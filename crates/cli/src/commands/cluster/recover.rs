//! `polity cluster recover`: a majority is lost for ever, and this machine goes on alone.

use super::{super::Context, ask};
use crate::{
    exit::Exit,
    failure::Failure,
    launch::{Agree, Began, HeldCluster},
    text,
};
use serde_json::json;

const AFTER: &str = "\
For the case that so many machines are lost for ever that those that are left
are no majority. This machine, whose node must be stopped, goes on alone with
what it has, as a new cluster under the old name; the old log is kept beside
it. The machines that are lost are not let in again as they were: if one of
them comes back, it joins with an empty directory (polity cluster add). Never
do this while a majority could still come back: there would be two queues.

Examples:
  polity cluster recover --data /srv/polity";

/// `polity cluster recover`
#[derive(Debug, clap::Args)]
#[command(after_help = AFTER)]
pub(in crate::commands) struct Args {
    /// Do not ask
    #[arg(long)]
    yes: bool,
}

pub(super) fn run(args: &Args, context: &Context<'_>) -> Result<Exit, Failure> {
    let data = context.own_data()?;
    let question = (args.yes, "Shall this machine go on alone?");
    go_on(question, shown, |agree| context.launch.recover(&data, agree), context)
}

/// Goes on with what is shown, if the person agrees: with --yes, or when asked.
pub(super) fn go_on(
    (yes, question): (bool, &str),
    shown: impl Fn(&HeldCluster) -> String,
    begin: impl FnOnce(Agree<'_>) -> anyhow::Result<Option<Began>>,
    context: &Context<'_>,
) -> Result<Exit, Failure> {
    let mut refused = None;
    let mut agree = |held: &HeldCluster| {
        context.out.say(shown(held));
        match ask::agrees(yes, question, context) {
            Ok(agreed) => agreed,
            Err(failure) => {
                refused = Some(failure);
                false
            }
        }
    };
    let began = begin(&mut agree);
    concluded(began, refused, context)
}

/// Says how it ended.
fn concluded(
    began: anyhow::Result<Option<Began>>,
    refused: Option<Failure>,
    context: &Context<'_>,
) -> Result<Exit, Failure> {
    let began = began.map_err(|error| {
        Failure::new(Exit::Refused, format!("{error:#}")).next("nothing was changed")
    })?;
    let Some(Began { cluster, kept }) = began else {
        return match refused {
            Some(failure) => Err(failure),
            None => {
                context.out.say("Nothing was changed.");
                Ok(Exit::Refused)
            }
        };
    };
    let report = json!({ "cluster": cluster, "kept": kept });
    context.out.data(&report, || cluster.clone())?;
    if let Some(kept) = &kept {
        context.out.say(format!("The old log is kept in {}.", kept.display()));
    }
    context.out.say("Start this machine with 'polity up', others join with: polity cluster add");
    Ok(Exit::Success)
}

fn shown(held: &HeldCluster) -> String {
    let others = held.members.iter().filter(|(node, _)| **node != held.me);
    let lost: Vec<_> = others
        .map(|(node, votes)| format!("  {node}{}", if *votes { ", a voter" } else { "" }))
        .collect();
    let lost = if lost.is_empty() { "  nobody else".into() } else { lost.join("\n") };
    let what = text::wrap(
        "What may be lost: what the others decided without this machine since then. Orders that \
         were acknowledged after that are not known here: order them again. Tasks that ended \
         after that are found on the ledger, and are final once. Outputs are in the stores of the \
         machines that kept them.",
    );
    format!(
        "Cluster {} ({}).\nMembers, which will be none any more:\n{lost}\nThis machine's own log \
         goes up to entry {} in term {}, of {}, with {}.\n{what}",
        held.name,
        held.cluster,
        text::number(held.index),
        held.term,
        text::moment(held.at),
        text::plural(held.jobs, "job"),
    )
}
