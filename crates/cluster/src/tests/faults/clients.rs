//! Clients: each does one thing at a time, by way of any member, and notes what it was told.

use super::{
    registers::{KEYS, Registers, Told},
    world::World,
};
use crate::{Cluster, Error};
use sim::{Random, history::Act};
use std::time::Duration;
use tokio::sync::watch;

/// How clients read.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Reads {
    /// As they should.
    Linearizable,
    /// At what their member happens to have: the fault that is planted.
    Stale,
}

type Member = (Cluster<Registers>, watch::Receiver<bool>);

/// Reads and writes until it is over.
pub(super) async fn run(world: &World, reads: Reads, mut random: Random) {
    while !world.over.get() {
        let member = random.one_of(&world.up()).and_then(|n| world.member(n));
        if let Some(member) = member {
            let key = u8::try_from(random.below(u64::from(KEYS))).unwrap();
            let patience = random.ms(100, 900);
            if random.below(2) == 0 {
                write(world, member, key, patience).await;
            } else if reads == Reads::Stale {
                look(world, &member.0, key);
            } else {
                read(world, member, key, patience).await;
            }
        }
        tokio::time::sleep(random.ms(1, 12)).await;
    }
}

/// What was answered in time by a member that did not die meanwhile.
async fn answer<T>(
    mut died: watch::Receiver<bool>,
    patience: Duration,
    asked: impl Future<Output = Result<T, Error>>,
) -> Option<Result<T, Error>> {
    tokio::select! {
        biased;
        // The sender goes away with the process.
        _ = died.wait_for(|died| *died) => None,
        answer = tokio::time::timeout(patience, asked) => answer.ok(),
    }
}

/// Writes a new value; gives it if that was acknowledged.
pub(super) async fn write(
    world: &World,
    (cluster, died): Member,
    key: u8,
    patience: Duration,
) -> Option<u64> {
    let value = world.value();
    let invoked = world.history.borrow_mut().event();
    let asked = cluster.propose(Told::Write { key, value });
    let answer = answer(died, patience, asked).await;
    let mut history = world.history.borrow_mut();
    match answer {
        Some(Ok(())) => {
            history.answered(key, Act::Write(value), invoked);
            world.count("writes");
            Some(value)
        }
        Some(Err(Error::NotLeader { .. } | Error::Unreachable { .. })) => {
            history.refused.insert(value);
            world.count("writes that were refused");
            None
        }
        Some(Err(Error::Unknown | Error::Stopped)) | None => {
            history.unknown(key, value, invoked);
            world.count("writes that nobody knows of");
            None
        }
        Some(Err(error)) => panic!("a write failed: {error}"),
    }
}

/// Reads; gives all that was ever written if that was answered.
pub(super) async fn read(
    world: &World,
    (cluster, died): Member,
    key: u8,
    patience: Duration,
) -> Option<Vec<u64>> {
    let invoked = world.history.borrow_mut().event();
    let asked = cluster.read(|mind| (mind.values[usize::from(key)], mind.written.clone()));
    let answer = answer(died, patience, asked).await;
    match answer {
        Some(Ok((value, written))) => {
            world.history.borrow_mut().answered(key, Act::Read(value), invoked);
            world.count("reads");
            Some(written)
        }
        Some(Err(Error::Failed(reason))) => panic!("a read failed: {reason}"),
        Some(Err(_)) | None => {
            world.count("reads without an answer");
            None
        }
    }
}

/// Reads what the member happens to have.
pub(super) fn look(world: &World, cluster: &Cluster<Registers>, key: u8) {
    let invoked = world.history.borrow_mut().event();
    let (value, _) = cluster.look(|mind| mind.values[usize::from(key)]);
    world.history.borrow_mut().answered(key, Act::Read(value), invoked);
    world.count("stale reads");
}
