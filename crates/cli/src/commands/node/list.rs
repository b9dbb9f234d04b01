//! `polity node list`.

use super::super::Context;
use crate::{connect, exit::Exit, failure::Failure, out, text};
use api::{LostRight, NodeApi, NodeInfo};
use std::collections::BTreeSet;

/// Characters of a name in a sentence.
const NAME: usize = 40;

pub(super) async fn run(context: &Context<'_>) -> Result<Exit, Failure> {
    let node = connect::node(&context.data()?)?;
    let nodes = node.nodes().await?;
    context.out.data(&nodes, || table(&nodes))?;
    Ok(Exit::Success)
}

/// Nodes, one for each line, and under them whose standing is not good.
pub(in crate::commands) fn table(nodes: &[NodeInfo]) -> String {
    let rows: Vec<_> = nodes.iter().map(row).collect();
    let head = ["NODE", "OWNER", "PARTY", "VOTES", "CONNECTED", "DRAWN", "NAME"];
    out::table(&head, &rows) + &standing(nodes)
}

fn row(node: &NodeInfo) -> Vec<String> {
    let yes = |yes: bool| if yes { "yes" } else { "no" }.to_string();
    vec![
        text::short(node.node),
        text::short(node.owner),
        text::short(node.party),
        yes(node.validator),
        yes(node.connected),
        yes(node.barred_until.is_none()),
        node.owner_name.clone(),
    ]
}

/// One line for each owner that lost a right, or counts as one with such an owner.
fn standing(nodes: &[NodeInfo]) -> String {
    let mut lines = BTreeSet::new();
    for node in nodes {
        let who = format!("{} (…{})", text::cut(&node.owner_name, NAME), node.owner.short());
        for LostRight { right, until } in &node.lost {
            lines.insert(text::wrap(&format!("{who} {right} until {}", text::moment(*until))));
        }
        if let (true, Some(until)) = (node.lost.is_empty(), node.barred_until) {
            let party = node.party.short();
            let until = text::moment(until);
            lines.insert(text::wrap(&format!(
                "{who} is not drawn until {until}: it counts as one with …{party}"
            )));
        }
    }
    let lines: String = lines.into_iter().collect();
    if lines.is_empty() { lines } else { format!("\n{lines}") }
}
