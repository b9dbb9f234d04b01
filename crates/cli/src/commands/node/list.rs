//! `polity node list`.

use super::super::Context;
use crate::{connect, exit::Exit, failure::Failure, out, text};
use api::{NodeApi, NodeInfo};

pub(super) async fn run(context: &Context<'_>) -> Result<Exit, Failure> {
    let node = connect::node(&context.data()?)?;
    let nodes = node.nodes().await?;
    context.out.data(&nodes, || {
        let rows: Vec<_> = nodes.iter().map(row).collect();
        out::table(&["NODE", "OWNER", "PARTY", "VOTES", "CONNECTED", "NAME"], &rows)
    })?;
    Ok(Exit::Success)
}

fn row(node: &NodeInfo) -> Vec<String> {
    let yes = |yes: bool| if yes { "yes" } else { "no" }.to_string();
    vec![
        text::short(node.node),
        text::short(node.owner),
        text::short(node.party),
        yes(node.validator),
        yes(node.connected),
        node.owner_name.clone(),
    ]
}
