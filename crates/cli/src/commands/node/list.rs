//! `polity node list`.

use super::super::{Context, needs::label};
use crate::{connect, exit::Exit, failure::Failure, out, text};
use api::{LostRight, NodeApi, NodeInfo};
use std::collections::BTreeSet;

/// Characters of a name in a sentence.
const NAME: usize = 40;
/// Characters of the labels of one node in the table.
const LABELS: usize = 24;

const AFTER: &str = "\
Nodes and owners are named by the end of their keys. PARTY is whom the owner
counts as: itself, or who invited it, until a second owner vouches. A node that
VOTES is a validator; one that is DRAWN runs replicas of others' tasks.
Labels are what owners call their nodes by: labels in config.toml.

Examples:
  polity node list --label zone=north --label gpu=yes";

/// `polity node list`
#[derive(Debug, clap::Args)]
#[command(after_help = AFTER)]
pub(in crate::commands) struct Args {
    /// Only nodes with this label; of several, all must be there
    #[arg(long, value_name = "NAME=VALUE", value_parser = label)]
    label: Vec<(String, String)>,
}

pub(super) async fn run(args: Args, context: &Context<'_>) -> Result<Exit, Failure> {
    let node = connect::node(&context.data()?)?;
    let mut nodes = node.nodes().await?;
    nodes.retain(|node| has_labels(node, &args.label));
    context.out.data(&nodes, || table(&nodes))?;
    Ok(Exit::Success)
}

/// Nodes, one for each line, and under them whose standing is not good.
pub(in crate::commands) fn table(nodes: &[NodeInfo]) -> String {
    let mut rows: Vec<_> = nodes.iter().map(row).collect();
    let mut head = vec!["NODE", "OWNER", "PARTY", "VOTES", "CONNECTED", "DRAWN", "NAME"];
    // Few say any; for the others it would be an empty column.
    if nodes.iter().any(|node| labels_of(node).next().is_some()) {
        head.insert(6, "LABELS");
        for (row, node) in rows.iter_mut().zip(nodes) {
            let labels: Vec<_> =
                labels_of(node).map(|(name, value)| format!("{name}={value}")).collect();
            row.insert(6, text::cut(&labels.join(","), LABELS));
        }
    }
    out::table(&head, &rows) + &standing(nodes)
}

fn labels_of(node: &NodeInfo) -> impl Iterator<Item = (&String, &String)> {
    node.profile.iter().flat_map(|profile| &profile.labels)
}

/// Whether a node says all of these of itself.
fn has_labels(node: &NodeInfo, wanted: &[(String, String)]) -> bool {
    wanted.iter().all(|(name, value)| labels_of(node).any(|has| has == (name, value)))
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

#[cfg(test)]
mod tests {
    use super::*;
    use identity::PublicKey;
    use protocol::Profile;

    fn node(n: u8, labels: &[(&str, &str)]) -> NodeInfo {
        let key = PublicKey([n; 32]);
        let labels = labels.iter().map(|(name, value)| (name.to_string(), value.to_string()));
        let profile = Profile { labels: labels.collect(), ..Profile::default() };
        NodeInfo {
            node: key,
            owner: key,
            owner_name: "Elm".into(),
            party: key,
            barred_until: None,
            lost: Vec::new(),
            validator: false,
            connected: true,
            addresses: Vec::new(),
            about: None,
            profile: Some(profile),
            rtt_ms: None,
            load: None,
        }
    }

    #[test]
    fn labels_are_shown_where_somebody_says_some() {
        assert!(!table(&[node(1, &[])]).contains("LABELS"));
        let both = table(&[node(1, &[]), node(2, &[("rack", "7"), ("zone", "north")])]);
        assert!(both.contains("LABELS") && both.contains("rack=7,zone=north"), "{both}");
    }

    #[test]
    fn a_node_is_listed_if_it_says_every_label_that_is_asked_for() {
        let wanted = |pairs: &[(&str, &str)]| -> Vec<(String, String)> {
            pairs.iter().map(|(name, value)| (name.to_string(), value.to_string())).collect()
        };
        let node = node(1, &[("rack", "7"), ("zone", "north")]);
        assert!(has_labels(&node, &[]));
        assert!(has_labels(&node, &wanted(&[("zone", "north"), ("rack", "7")])));
        assert!(!has_labels(&node, &wanted(&[("zone", "north"), ("rack", "8")])));
        assert!(!has_labels(&node, &wanted(&[("room", "north")])));
    }
}
