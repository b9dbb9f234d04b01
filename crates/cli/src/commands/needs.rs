//! What a person may say about when and where a job runs: its place in the queue, and what nodes
//! must be or have.

use super::wishes::{kept, list};
use crate::{
    failure::Failure,
    job::deadline::Deadline,
    pick::{Kind, NODES, pick},
    text,
};
use api::NodeInfo;
use identity::PublicKey;
use protocol::{Class, Priority, Terms};
use std::collections::BTreeSet;
use toml::Value;

/// When and where they run.
#[derive(Clone, Debug, Default, PartialEq, Eq, clap::Args)]
#[command(next_help_heading = "When and where they run")]
pub(super) struct Needs {
    /// How urgent: critical, high, normal, low, background. Usually normal
    #[arg(long, value_name = "P")]
    pub(super) priority: Option<Priority>,
    /// When it should be done: 30m, 2h, 2026-11-22T08:00Z. Of one priority the earliest goes first
    #[arg(long, value_name = "T")]
    pub(super) deadline: Option<Deadline>,
    /// Only on nodes with this label
    #[arg(long, value_name = "NAME=VALUE", value_parser = label)]
    pub(super) label: Vec<(String, String)>,
    /// Only on this processor: x86_64, aarch64
    #[arg(long, value_name = "A")]
    pub(super) arch: Option<String>,
    /// Cores that one task has for itself. Usually it shares what is there
    #[arg(long, value_name = "N")]
    pub(super) cpus: Option<u16>,
    /// GPUs that one task has for itself
    #[arg(long, value_name = "N")]
    pub(super) gpus: Option<u16>,
    /// Free disk: 512M, 10G
    #[arg(long, value_name = "B", value_parser = text::bytes)]
    pub(super) disk: Option<u64>,
    /// Only on nodes of this owner, by its name or key
    #[arg(long, value_name = "O")]
    pub(super) owner: Vec<String>,
    /// Only on this node, by its key, or the beginning or end of it
    #[arg(long, value_name = "N")]
    pub(super) node: Vec<String>,
    /// Only where a message and its answer take at most so many milliseconds
    #[arg(long, value_name = "MS", value_parser = text::milliseconds)]
    pub(super) near: Option<u32>,
    /// Who may see the data: public, internal (you, and owners that --owner names), restricted
    /// (your nodes with the label restricted=yes). Usually public
    #[arg(long, value_name = "C")]
    pub(super) class: Option<Class>,
    /// What holds where nothing is said.
    #[arg(skip)]
    pub(super) usual: Terms,
}

/// The options that a job file may name.
pub(super) const KEYS: [&str; 11] = [
    "priority", "deadline", "label", "arch", "cpus", "gpus", "disk", "owner", "node", "near",
    "class",
];

/// Reads `zone=north`.
pub(super) fn label(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() && !value.is_empty() => {
            Ok((name.into(), value.into()))
        }
        _ => Err(format!("'{text}' is no label; write NAME=VALUE, as in zone=north")),
    }
}

impl Needs {
    /// This, over what a job file says.
    pub(super) fn over(self, file: Self) -> Self {
        let or = |now: Vec<String>, before| if now.is_empty() { before } else { now };
        Self {
            priority: self.priority.or(file.priority),
            deadline: self.deadline.or(file.deadline),
            label: if self.label.is_empty() { file.label } else { self.label },
            arch: self.arch.or(file.arch),
            cpus: self.cpus.or(file.cpus),
            gpus: self.gpus.or(file.gpus),
            disk: self.disk.or(file.disk),
            owner: or(self.owner, file.owner),
            node: or(self.node, file.node),
            near: self.near.or(file.near),
            class: self.class.or(file.class),
            usual: self.usual,
        }
    }

    pub(super) fn lines(&self) -> Vec<(&'static str, Value)> {
        let text = |text: Option<String>| text.map(Value::from);
        let number = |number: Option<u64>| number.map(|number| Value::from(number.to_string()));
        let labels = self.label.iter().map(|(name, value)| format!("{name}={value}")).collect();
        kept([
            ("priority", text(self.priority.map(|priority| priority.to_string()))),
            ("deadline", text(self.deadline.map(|deadline| deadline.to_string()))),
            ("label", list(labels)),
            ("arch", text(self.arch.clone())),
            ("cpus", self.cpus.map(|cpus| i64::from(cpus).into())),
            ("gpus", self.gpus.map(|gpus| i64::from(gpus).into())),
            ("disk", number(self.disk)),
            ("owner", list(self.owner.clone())),
            ("node", list(self.node.clone())),
            ("near", self.near.map(|near| i64::from(near).into())),
            ("class", text(self.class.map(|class| class.to_string()))),
        ])
    }

    /// What is said of its place in the queue, for people.
    pub(super) fn first(&self) -> Option<String> {
        let usual = Some(self.usual.priority).filter(|priority| *priority != Priority::default());
        let priority = self.priority.or(usual).map(|priority| format!("priority {priority}"));
        let deadline = self.deadline.map(|deadline| match deadline {
            Deadline::In(_) => format!("to be done in {deadline}"),
            Deadline::At(_) => format!("to be done by {deadline}"),
        });
        let said: Vec<_> = priority.into_iter().chain(deadline).collect();
        (!said.is_empty()).then(|| said.join(", "))
    }

    /// Whether something is asked of nodes, so that they must be known.
    pub(super) fn asks(&self) -> bool {
        let (priority, deadline) = (self.priority, self.deadline);
        let silent = Self { priority, deadline, usual: self.usual.clone(), ..Self::default() };
        *self != silent || self.usual.needs != protocol::Needs::default()
    }

    /// The terms of the order, without the deadline, which depends on when it is signed.
    ///
    /// # Errors
    /// If a name means nobody, or several.
    pub(super) fn terms(&self, nodes: &[NodeInfo]) -> Result<Terms, Failure> {
        let usual = self.usual.needs.clone();
        let or = |now: BTreeSet<PublicKey>, before| if now.is_empty() { before } else { now };
        let owners = self.owner.iter().map(|text| owner(text, nodes)).collect::<Result<_, _>>()?;
        let named = self.node.iter().map(|text| node(text, nodes)).collect::<Result<_, _>>()?;
        let needs = protocol::Needs {
            labels: match self.label.as_slice() {
                [] => usual.labels,
                labels => labels.iter().cloned().collect(),
            },
            arch: self.arch.clone().or(usual.arch),
            cpus: self.cpus.unwrap_or(usual.cpus),
            gpus: self.gpus.unwrap_or(usual.gpus),
            disk_bytes: self.disk.unwrap_or(usual.disk_bytes),
            owners: or(owners, usual.owners),
            nodes: or(named, usual.nodes),
            near_ms: self.near.or(usual.near_ms),
            class: self.class.unwrap_or(usual.class),
        };
        let priority = self.priority.unwrap_or(self.usual.priority);
        Ok(Terms { priority, deadline: None, needs })
    }
}

/// The owner that a person means.
pub(super) fn owner(text: &str, nodes: &[NodeInfo]) -> Result<PublicKey, Failure> {
    const OWNERS: Kind = Kind { one: "owner", several: "owners", list: "polity node list" };
    let called = nodes.iter().filter(|info| info.owner_name == text).map(|info| info.owner);
    let mut called = called.collect::<BTreeSet<_>>().into_iter();
    match (called.next(), called.next()) {
        (Some(only), None) => Ok(only),
        (Some(_), Some(_)) => Err(Failure::usage(format!("several owners are called '{text}'"))
            .next("name one by its key: polity node list --json")),
        (None, _) => one(text, &OWNERS, nodes.iter().map(|info| info.owner)),
    }
}

/// The node that a person means.
pub(super) fn node(text: &str, nodes: &[NodeInfo]) -> Result<PublicKey, Failure> {
    one(text, &NODES, nodes.iter().map(|info| info.node))
}

/// The one that is meant; a key that nobody here has yet is one, too.
fn one(
    text: &str,
    kind: &Kind,
    keys: impl Iterator<Item = PublicKey>,
) -> Result<PublicKey, Failure> {
    text.parse().or_else(|_| pick(text, kind, keys))
}
