//! What a run is about, and what goes wrong in it.

use crate::{Random, liars::Kind};
use protocol::{Needs, Params, Priority, Terms, Verification};
use std::collections::BTreeSet;

/// How a node behaves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Nature {
    /// How many times longer than others it runs.
    pub slowness: u64,
    /// When it first connects to homes, in milliseconds; 0 is before the first job is submitted.
    pub late_ms: u64,
    /// How it departs from what an honest node does, if it does.
    pub liar: Option<Kind>,
    /// When it crashes, and for how long it is gone, in milliseconds.
    pub crash: Option<(u64, u64)>,
}

impl Nature {
    /// Quick, there from the beginning, honest, and never gone.
    pub const HONEST: Self = Self { slowness: 1, late_ms: 0, liar: None, crash: None };

    /// As [`Nature::HONEST`], but for the lies.
    pub fn lying(kind: Kind) -> Self {
        Self { liar: Some(kind), ..Self::HONEST }
    }
}

/// A job that is submitted in a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    /// The node that takes care of it; its owner submits it.
    pub home: usize,
    /// When, in milliseconds.
    pub at_ms: u64,
    /// How many tasks it has.
    pub tasks: u32,
    /// How many must agree.
    pub verification: Verification,
    /// Whether the order goes on the ledger before anybody is drawn.
    pub sealed: bool,
    /// Let this time pass, and take the job back.
    pub cancel_ms: Option<u64>,
    /// Let this time pass, and have it wait for that long.
    pub pause_ms: Option<(u64, u64)>,
    /// How urgent it is, and which nodes may run it.
    pub terms: Terms,
}

/// For a while homes give a node nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cordon {
    /// The node.
    pub node: usize,
    /// When it begins, in milliseconds.
    pub at_ms: u64,
    /// How long it lasts.
    pub for_ms: u64,
}

/// For a while nothing gets from these nodes to the others, nor back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Split {
    /// When it begins, in milliseconds.
    pub at_ms: u64,
    /// How long it lasts.
    pub for_ms: u64,
    /// Those on the one side.
    pub apart: BTreeSet<usize>,
}

/// One run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Setting {
    /// Delays and losses follow from it.
    pub seed: u64,
    /// One for each node, and each node has its own owner.
    pub natures: Vec<Nature>,
    /// How many nodes vote: the first ones. At least four.
    pub validators: usize,
    /// The jobs.
    pub plans: Vec<Plan>,
    /// Messages that are lost although both sides are there.
    pub loss_percent: u64,
    /// Partitions.
    pub splits: Vec<Split>,
    /// Nodes that are given nothing for a while.
    pub cordons: Vec<Cordon>,
    /// The parameters of the genesis.
    pub params: Params,
}

impl Setting {
    /// Five nodes, one job of three tasks, two of three must agree; nothing goes wrong.
    pub fn calm(seed: u64) -> Self {
        let verification = Verification { k: 2, n: 3 };
        let plan = Plan {
            home: 0,
            at_ms: 0,
            tasks: 3,
            verification,
            sealed: false,
            cancel_ms: None,
            pause_ms: None,
            terms: Terms::default(),
        };
        Self {
            seed,
            natures: vec![Nature::HONEST; 5],
            validators: 4,
            plans: vec![plan],
            loss_percent: 0,
            splits: Vec::new(),
            cordons: Vec::new(),
            params: Params { audit_per_mille: 0, ..Params::default() },
        }
    }

    /// Up to eight nodes, slow ones, crashes (also of the home), lost messages, nobody lies. One
    /// validator is gone at a time, at most.
    pub fn rough(seed: u64) -> Self {
        let mut random = Random::new(seed ^ 0x0072_6f75_6768);
        let nodes = random.between(4, 8);
        let natures = (0..nodes).map(|node| nature(&mut random, node)).collect();
        let k = random.between(1, 3) as u16;
        let n = k + random.between(0, 2) as u16;
        let plan = Plan {
            home: 0,
            at_ms: 0,
            tasks: random.between(1, 16) as u32,
            verification: Verification { k, n },
            sealed: random.chance(30),
            cancel_ms: random.chance(5).then(|| random.between(1, 400)),
            pause_ms: None,
            terms: Terms::default(),
        };
        let loss_percent = if random.chance(50) { random.between(1, 15) } else { 0 };
        Self { natures, plans: vec![plan], loss_percent, ..Self::calm(seed) }
    }

    /// Everything at once: six to ten nodes, of which four or seven vote; several homes; liars of
    /// every kind, among the validators as many as they tolerate; delay, loss, crashes, partitions.
    pub fn hostile(seed: u64) -> Self {
        let mut random = Random::new(seed ^ 0x6c69_6172);
        let validators: u64 = if random.chance(20) { 7 } else { 4 };
        let nodes = (validators + random.between(2, 4)).max(7);
        let mut natures: Vec<_> = (0..nodes).map(|node| nature(&mut random, node)).collect();
        let tolerated = (validators - 1) / 3;
        for _ in 0..random.between(0, tolerated) {
            let node = random.between(1, validators - 1) as usize;
            natures[node].liar = Some(Kind::of_validator(random.draw()));
        }
        // So many honest parties remain that every job has candidates.
        let most = nodes - validators;
        for _ in 0..random.between(1, most) {
            let node = random.between(validators, nodes - 1) as usize;
            natures[node].liar = Some(Kind::of(random.draw()));
        }
        if random.chance(25) && most >= 2 {
            natures[validators as usize].liar = Some(Kind::Colluders);
            natures[validators as usize + 1].liar = Some(Kind::Colluders);
        }
        let plans = plans(&mut random, &natures);
        let splits = splits(&mut random, nodes);
        let params = Params {
            heartbeat_ms: 5_000,
            sanctions_ms: vec![15_000, 30_000, 60_000],
            audit_per_mille: random.between(0, 1_000) as u16,
            auditors: random.between(1, 3) as u16,
            verdict_ms: 600_000,
            ..Params::default()
        };
        Self {
            seed,
            natures,
            validators: validators as usize,
            plans,
            loss_percent: if random.chance(60) { random.between(1, 15) } else { 0 },
            splits,
            cordons: Vec::new(),
            params,
        }
    }

    /// Several homes with several jobs each, of all priorities, with deadlines, needs and pauses;
    /// slow nodes, crashes, lost messages, and nodes that are given nothing for a while. Nobody lies.
    pub fn queued(seed: u64) -> Self {
        let mut random = Random::new(seed ^ 0x7175_6575);
        let nodes = random.between(5, 8);
        let natures: Vec<_> = (0..nodes).map(|node| nature(&mut random, node)).collect();
        let plans = (0..random.between(3, 7)).map(|_| queued_plan(&mut random, nodes)).collect();
        let cordon = |random: &mut Random| Cordon {
            node: random.between(0, nodes - 1) as usize,
            at_ms: random.between(1, 2_000),
            for_ms: random.between(100, 5_000),
        };
        let cordons = (0..random.between(0, 4)).map(|_| cordon(&mut random)).collect();
        let loss_percent = if random.chance(30) { random.between(1, 10) } else { 0 };
        Self { natures, plans, cordons, loss_percent, ..Self::calm(seed) }
    }

    /// Whether nobody lies.
    pub fn is_honest(&self) -> bool {
        self.natures.iter().all(|nature| nature.liar.is_none())
    }

    /// Whether what a node has may be lost with it, or on its way.
    pub fn loses(&self) -> bool {
        let crashes = self.natures.iter().any(|nature| nature.crash.is_some());
        self.loss_percent > 0 || crashes || !self.splits.is_empty()
    }

    /// When the last crash and the last partition are over, in milliseconds.
    pub fn healed_ms(&self) -> u64 {
        let crashes = self.natures.iter().filter_map(|n| n.crash.map(|(at, gone)| at + gone));
        let splits = self.splits.iter().map(|split| split.at_ms + split.for_ms);
        let late = self.natures.iter().map(|nature| nature.late_ms);
        let cordons = self.cordons.iter().map(|cordon| cordon.at_ms + cordon.for_ms);
        let pause = |plan: &Plan| plan.pause_ms.map(|(after, for_ms)| plan.at_ms + after + for_ms);
        let pauses = self.plans.iter().filter_map(pause);
        crashes.chain(splits).chain(late).chain(cordons).chain(pauses).max().unwrap_or(0)
    }
}

fn nature(random: &mut Random, node: u64) -> Nature {
    let slowness = if random.chance(25) { random.between(5, 60) } else { 1 };
    // The others wait until the validator before them is back.
    let slot = if node < 4 { node * 3_000 } else { 0 };
    let crash =
        random.chance(35).then(|| (slot + random.between(1, 600), random.between(50, 2_300)));
    let late_ms = if random.chance(20) { random.between(100, 3_000) } else { 0 };
    Nature { slowness, late_ms, liar: None, crash }
}

/// One job of an honest home, one of a home that lies, and up to two more of any.
fn plans(random: &mut Random, natures: &[Nature]) -> Vec<Plan> {
    let mut plans = Vec::new();
    let lying: Vec<_> = (0..natures.len()).filter(|node| natures[*node].liar.is_some()).collect();
    for number in 0..random.between(2, 4) {
        let any = random.between(0, natures.len() as u64 - 1) as usize;
        let home = match number {
            0 => 0,
            1 if !lying.is_empty() => lying[any % lying.len()],
            _ => any,
        };
        let k = if random.chance(20) { 1 } else { random.between(2, 3) as u16 };
        plans.push(Plan {
            home,
            at_ms: random.between(0, 6_000) * number,
            tasks: random.between(1, 10) as u32,
            verification: Verification { k, n: k + random.between(0, 2) as u16 },
            sealed: random.chance(30),
            cancel_ms: random.chance(5).then(|| random.between(1, 2_000)),
            pause_ms: None,
            terms: Terms::default(),
        });
    }
    plans
}

fn queued_plan(random: &mut Random, nodes: u64) -> Plan {
    let k = random.between(1, 2) as u16;
    let at_ms = random.between(0, 2_000);
    let priority = Priority::ALL[random.between(0, 4) as usize];
    let needs = Needs { near_ms: random.chance(20).then_some(500), ..Needs::default() };
    Plan {
        home: random.between(0, (nodes - 1).min(2)) as usize,
        at_ms,
        tasks: random.between(1, 40) as u32,
        verification: Verification { k, n: k + random.between(0, 1) as u16 },
        sealed: random.chance(20),
        cancel_ms: random.chance(10).then(|| random.between(1, 2_000)),
        pause_ms: random.chance(30).then(|| (random.between(1, 500), random.between(100, 4_000))),
        terms: Terms { priority, deadline: random.chance(40).then(|| deadline(random)), needs },
    }
}

/// Some time after the world begins, and before a job expires.
fn deadline(random: &mut Random) -> protocol::Time {
    super::BEGIN.after_ms(10_000 + random.between(1, 50_000))
}

fn splits(random: &mut Random, nodes: u64) -> Vec<Split> {
    let mut splits = Vec::new();
    let mut at_ms = random.between(20, 2_000);
    while random.chance(40) && splits.len() < 3 {
        let for_ms = random.between(200, 8_000);
        let apart = (0..nodes as usize).filter(|_| random.chance(40)).collect();
        splits.push(Split { at_ms, for_ms, apart });
        at_ms += for_ms + random.between(500, 4_000);
    }
    splits
}
