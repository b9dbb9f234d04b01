//! `polity node cordon`, `uncordon`, `drain` and `window`: before and after a machine is looked after.

use super::super::Context;
use crate::{
    connect,
    exit::Exit,
    failure::Failure,
    pick::{NODES, pick},
    text,
};
use api::{ClusterApi, ClusterChange, NodeApi};
use identity::PublicKey;
use std::time::Duration;

/// Pause between two looks at a node that is drained.
const LOOK: Duration = Duration::from_millis(200);

/// Which node.
#[derive(Debug, clap::Args)]
pub(in crate::commands) struct Which {
    /// The node: its key, or the beginning or end of it. Usually your own
    #[arg(value_name = "NODE")]
    node: Option<String>,
}

/// `polity node cordon`
#[derive(Debug, clap::Args)]
#[command(after_help = "\
What it has goes on; nothing new is given to it.

Examples:
  polity node cordon 7hTqK2Lm --reason new-disk")]
pub(in crate::commands) struct CordonArgs {
    #[command(flatten)]
    which: Which,
    /// Why, for whoever asks
    #[arg(long, value_name = "TEXT", default_value = "by hand")]
    reason: String,
}

/// `polity node uncordon`
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  polity node uncordon 7hTqK2Lm")]
pub(in crate::commands) struct UncordonArgs {
    #[command(flatten)]
    which: Which,
}

/// `polity node drain`
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Nothing new is given to it, another member leads the cluster, and what it has
is waited for. Then it may be stopped. Afterwards: polity node uncordon.

Examples:
  polity node drain && systemctl stop polity
  polity node drain 7hTqK2Lm --timeout 10m")]
pub(in crate::commands) struct DrainArgs {
    #[command(flatten)]
    which: Which,
    /// Why, for whoever asks
    #[arg(long, value_name = "TEXT", default_value = "drained")]
    reason: String,
    /// How long to wait for what it has: 90s, 10m
    #[arg(long, value_name = "T", default_value = "1h", value_parser = text::duration)]
    timeout: Duration,
}

/// `polity node window`
#[derive(Debug, clap::Args)]
#[command(after_help = "\
In a window it is given nothing, and before it nothing that may run into it.
Windows that were said before are replaced.

Examples:
  polity node window 7hTqK2Lm --in 6h --for 2h
  polity node window 7hTqK2Lm --none")]
pub(in crate::commands) struct WindowArgs {
    #[command(flatten)]
    which: Which,
    /// When it begins, from now on: 30m, 6h. Usually at once
    #[arg(long = "in", value_name = "T", value_parser = text::duration)]
    after: Option<Duration>,
    /// How long it lasts: 30m, 2h
    #[arg(long = "for", value_name = "T", value_parser = text::duration, required_unless_present = "none")]
    lasts: Option<Duration>,
    /// There is none any more
    #[arg(long, conflicts_with_all = ["after", "lasts"])]
    none: bool,
}

impl Which {
    /// The node that is meant; else the node that is asked.
    async fn find(&self, api: &impl NodeApi) -> Result<PublicKey, Failure> {
        let Some(wanted) = &self.node else { return Ok(api.status().await?.node) };
        pick(wanted, &NODES, api.nodes().await?.into_iter().map(|node| node.node))
    }
}

pub(super) async fn cordon(args: CordonArgs, context: &Context<'_>) -> Result<Exit, Failure> {
    let api = connect::node(&context.data()?)?;
    let node = args.which.find(&api).await?;
    api.manage(ClusterChange::Cordon { node, reason: args.reason }).await?;
    context.out.say(format!("{} is given nothing new.", text::short(node)));
    Ok(Exit::Success)
}

pub(super) async fn uncordon(args: UncordonArgs, context: &Context<'_>) -> Result<Exit, Failure> {
    let api = connect::node(&context.data()?)?;
    let node = args.which.find(&api).await?;
    api.manage(ClusterChange::Uncordon { node }).await?;
    context.out.say(format!("{} is given work again.", text::short(node)));
    Ok(Exit::Success)
}

pub(super) async fn window(args: WindowArgs, context: &Context<'_>) -> Result<Exit, Failure> {
    let api = connect::node(&context.data()?)?;
    let node = args.which.find(&api).await?;
    let now = api.status().await?.clock;
    let from = now.after_ms(args.after.map_or(0, text::ms));
    let windows: Vec<_> =
        args.lasts.map(|lasts| (from, from.after_ms(text::ms(lasts)))).into_iter().collect();
    api.manage(ClusterChange::Windows { node, windows: windows.clone() }).await?;
    context.out.say(match windows.first() {
        Some((from, until)) => format!(
            "{} is given nothing from {} until {}.",
            text::short(node),
            text::moment(*from),
            text::moment(*until)
        ),
        None => format!("{} has no window any more.", text::short(node)),
    });
    Ok(Exit::Success)
}

pub(super) async fn drain(args: DrainArgs, context: &Context<'_>) -> Result<Exit, Failure> {
    let api = connect::node(&context.data()?)?;
    let node = args.which.find(&api).await?;
    api.manage(ClusterChange::Drain { node, reason: args.reason }).await?;
    if !api.cluster().await?.members.iter().any(|member| member.node == node) {
        context.out.say(format!(
            "{} is given nothing new by this cluster. It is no member of it: what it does for \
             others, and what it still has, is not seen from here.",
            text::short(node)
        ));
        return Ok(Exit::Success);
    }
    let emptied = async {
        let mut told = None;
        loop {
            let cluster = api.cluster().await?;
            let member = cluster.members.iter().find(|member| member.node == node);
            let running = member.map_or(0, |member| member.running);
            if running == 0 {
                return Ok::<_, Failure>(());
            }
            if told.replace(running) != Some(running) {
                let (tasks, run) = (
                    text::plural(running as usize, "task"),
                    if running == 1 { "runs" } else { "run" },
                );
                context.out.say(format!("{tasks} still {run} there"));
            }
            tokio::time::sleep(LOOK).await;
        }
    };
    match tokio::time::timeout(args.timeout, emptied).await {
        Ok(emptied) => emptied?,
        Err(_) => {
            let said = format!("{} still has tasks; nothing new is given to it", text::short(node));
            return Err(Failure::new(Exit::Timeout, said)
                .next("wait longer with --timeout, or stop it: its tasks go elsewhere"));
        }
    }
    context
        .out
        .say(format!("{} has nothing to do any more. Stop it when you like.", text::short(node)));
    Ok(Exit::Success)
}
