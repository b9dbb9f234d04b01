//! How a job stands in the queue of its home, and how nodes stand towards it.

use identity::PublicKey;
use protocol::draw::SkipReason;
use serde::{Deserialize, Serialize};

/// Where a job stands, as far as it is not done.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Placing {
    /// Jobs that go before it, if it has tasks that nobody was asked for. Now and then one that
    /// waits for long goes first all the same.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ahead: Option<u32>,
    /// What its submitter has at work and may have, if more of it waits for that.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub capped: Option<Cap>,
    /// How much each factor counts, of 1,000 together. Without them every replica is drawn.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub weights: Option<Factors>,
    /// When its first task that waits is expected to begin, in milliseconds, if that can be said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub wait_ms: Option<u64>,
    /// Who was given the first replica of the task that was looked at, by score.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub first: Option<PublicKey>,
    /// Nodes, the best first, then those that are passed over: a hundred or so at most.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub nodes: Vec<Place>,
}

/// Replicas of one submitter that are at work.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cap {
    /// How many are.
    pub replicas: u64,
    /// How many may be.
    pub allowed: u64,
}

/// One number for each factor by which a home chooses.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Factors {
    /// How fast it is.
    pub speed: u32,
    /// Which share of it is free.
    pub load: u32,
    /// How often it did what it was asked.
    pub history: u32,
    /// How soon it answers.
    pub latency: u32,
    /// Whether what the job reads is there.
    pub locality: u32,
    /// What it costs.
    pub price: u32,
}

impl Factors {
    /// Their names and numbers, in the order in which they are shown.
    pub fn named(&self) -> [(&'static str, u32); 6] {
        [
            ("speed", self.speed),
            ("load", self.load),
            ("history", self.history),
            ("latency", self.latency),
            ("locality", self.locality),
            ("price", self.price),
        ]
    }
}

/// How one node stands towards a job.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Place {
    /// The node.
    pub node: PublicKey,
    /// Its factors, 0 to 1,000 each, if it fits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub factors: Option<Factors>,
    /// All of them by their weights, likewise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub score: Option<u32>,
    /// Why it is passed over, if it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub misfit: Option<Misfit>,
}

/// Why a node is given nothing of a job.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "why")]
pub enum Misfit {
    /// It was asked about the task, and is not asked now.
    Skipped {
        /// Why.
        reason: SkipReason,
    },
    /// It is not connected.
    Offline,
    /// It was here a moment ago, and is waited for.
    Returning,
    /// It stopped answering.
    Silent,
    /// It has as much to do as it may, or too little is left of what the job reserves.
    Busy,
    /// It was not admitted, or barred, when the job was drawn.
    NotDrawn,
    /// Its party is sanctioned.
    Barred,
    /// It contradicted itself in this job.
    Accused,
    /// Its owner gives it no work now.
    Cordoned {
        /// Why.
        reason: String,
    },
    /// Its owner looks after it, or will before the task is done.
    Window,
    /// It has not said what it is, and the job asks for something.
    Unknown,
    /// It lacks a label, or has another value for it.
    Label {
        /// The label.
        name: String,
    },
    /// It has another processor.
    Arch,
    /// It has too few cores.
    Cpus,
    /// It has too little memory.
    Memory,
    /// It has too few GPUs.
    Gpus,
    /// It has too little room on its disk.
    Disk,
    /// The job names other owners.
    Owner,
    /// The job names other nodes.
    Node,
    /// A message takes too long to it and back, or it is not known how long.
    Far,
    /// The data of the job may not be shown to it.
    Class,
}
