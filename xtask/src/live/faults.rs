//! What goes wrong on an ordinary day: a process dies, hangs, or is restarted by its owner. One node at
//! a time, so that a polity with one faulty validator in four must not notice.

use super::chance::Chance;
use crate::bench::{process::until, society::Node, world::World};
use anyhow::{Context as _, ensure};
use std::{
    collections::BTreeMap,
    ops::Range,
    process::Command,
    sync::{Mutex, PoisonError},
    thread,
    time::{Duration, Instant},
};

/// Time between two faults, and how long one lasts, in milliseconds.
const PAUSE_MS: Range<u64> = 10_000..30_000;
const LASTS_MS: Range<u64> = 1_000..15_000;
/// How long a node may take to answer again.
const BACK: Duration = Duration::from_secs(120);

/// What goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Fault {
    /// The process ends at once, and is started again.
    Killed,
    /// It stands still, and goes on.
    Stopped,
    /// Its owner ends it, and starts it again.
    Restarted,
}

const FAULTS: [Fault; 3] = [Fault::Killed, Fault::Stopped, Fault::Restarted];

/// What went wrong so far.
#[derive(Default)]
pub(super) struct Happened {
    pub(super) counts: BTreeMap<Fault, u64>,
    /// How long the slowest node took to answer again.
    pub(super) slowest: Duration,
}

/// Lets things go wrong until the time is over, or until a node does not come back.
pub(super) fn happen(
    nodes: &Mutex<Vec<Node>>,
    world: &World,
    mut chance: Chance,
    end: Instant,
    happened: &mut Happened,
) -> anyhow::Result<()> {
    loop {
        let pause = Duration::from_millis(chance.within(PAUSE_MS));
        if Instant::now() + pause >= end {
            thread::sleep(end.saturating_duration_since(Instant::now()));
            return Ok(());
        }
        thread::sleep(pause);
        let fault = FAULTS[chance.within(0..FAULTS.len() as u64) as usize];
        let count = nodes.lock().unwrap_or_else(PoisonError::into_inner).len();
        let at = chance.within(0..count as u64) as usize;
        let lasts = Duration::from_millis(chance.within(LASTS_MS));
        eprintln!(
            "{:>8.1} s left: node {at} is {fault:?} for {:.1} s",
            (end - Instant::now()).as_secs_f64(),
            lasts.as_secs_f64()
        );
        let with = |act: &dyn Fn(&mut Node) -> anyhow::Result<()>| {
            act(&mut nodes.lock().unwrap_or_else(PoisonError::into_inner)[at])
        };
        match fault {
            Fault::Killed => with(&Node::kill)?,
            Fault::Restarted => with(&Node::rest)?,
            Fault::Stopped => with(&|node| signal(node, "-STOP"))?,
        }
        thread::sleep(lasts);
        match fault {
            Fault::Killed | Fault::Restarted => with(&Node::start_again)?,
            Fault::Stopped => with(&|node| signal(node, "-CONT"))?,
        }
        let since = Instant::now();
        until("a node to answer again", BACK, || {
            let mut nodes = nodes.lock().unwrap_or_else(PoisonError::into_inner);
            nodes[at].is_there()?;
            // Until its door is open, the command fails.
            Ok(nodes[at].ask(world, &["node", "describe"]).is_ok().then_some(()))
        })?;
        happened.slowest = happened.slowest.max(since.elapsed());
        *happened.counts.entry(fault).or_default() += 1;
    }
}

fn signal(node: &Node, which: &str) -> anyhow::Result<()> {
    let status = Command::new("kill").args([which, &node.pid().to_string()]).status();
    ensure!(status.context("kill")?.success(), "kill {which} {} failed", node.pid());
    Ok(())
}
