//! `polity node describe`: your node, or what it knows of another one.

use super::super::Context;
use crate::{
    connect,
    exit::Exit,
    failure::Failure,
    out,
    pick::{NODES, pick},
    text,
};
use api::{LostRight, NodeApi, NodeInfo, Status};
use protocol::Distinct;
use std::time::Duration;

/// `polity node describe`
#[derive(Debug, clap::Args)]
pub(in crate::commands) struct Args {
    /// The node: its key, or the beginning or end of it. Usually your own
    #[arg(value_name = "NODE")]
    node: Option<String>,
}

pub(super) async fn run(args: Args, context: &Context<'_>) -> Result<Exit, Failure> {
    let node = connect::node(&context.data()?)?;
    let Some(wanted) = args.node else {
        let status = node.status().await?;
        context.out.data(&status, || show_status(&status))?;
        return Ok(Exit::Success);
    };
    let nodes = node.nodes().await?;
    let meant = pick(&wanted, &NODES, nodes.iter().map(|node| node.node))?;
    for node in nodes.iter().filter(|node| node.node == meant) {
        context.out.data(node, || show_node(node))?;
    }
    Ok(Exit::Success)
}

fn yes(yes: bool) -> String {
    if yes { "yes" } else { "no" }.into()
}

fn show_status(status: &Status) -> String {
    let age = Duration::from_millis(status.clock.since_ms(status.head_time));
    let parties = match status.distinct {
        Distinct::Owners => {
            ("owners", format!("{} with a node that is connected now", status.parties))
        }
        Distinct::Nodes => ("nodes", format!("{} of one owner, in one process", status.parties)),
    };
    let listens = match status.addresses.join("\n") {
        none if none.is_empty() => "nowhere".into(),
        addresses => addresses,
    };
    out::fields(&[
        ("node", status.node.to_string()),
        ("owner", status.owner.to_string()),
        ("network", status.network.to_string()),
        ("name", status.network_name.clone()),
        ("version", status.version.clone()),
        ("admitted", yes(status.admitted)),
        ("validator", format!("{} (there are {})", yes(status.validator), status.validators)),
        ("height", format!("{}, {} old", status.height, text::lasting(age))),
        ("clock", status.clock.to_string()),
        ("peers", status.peers.to_string()),
        parties,
        ("engine", status.fingerprint.to_string()),
        ("listens", listens),
    ])
}

fn standing(node: &NodeInfo) -> String {
    let lost =
        |lost: &LostRight| format!("its owner {} until {}", lost.right, text::moment(lost.until));
    let mut lines: Vec<_> = node.lost.iter().map(lost).collect();
    if let (true, Some(until)) = (lines.is_empty(), node.barred_until) {
        lines.push(format!("its party is not drawn until {}", text::moment(until)));
    }
    if lines.is_empty() { "good".into() } else { lines.join("\n") }
}

fn show_node(node: &NodeInfo) -> String {
    out::fields(&[
        ("node", node.node.to_string()),
        ("owner", node.owner.to_string()),
        ("name", node.owner_name.clone()),
        ("party", node.party.to_string()),
        ("validator", yes(node.validator)),
        ("connected", yes(node.connected)),
        ("standing", standing(node)),
        ("addresses", node.addresses.join("\n")),
    ])
}
