//! What goes wrong, as a seed will have it.

use super::world::{MEMBERS, Place, World};
use crate::{Cluster, Error, tests::key};
use sim::Random;
use std::time::Duration;
use tokio::sync::watch;

/// How many things go wrong with machines and links.
const FAULTS: u64 = 12;
/// How many changes are asked for meanwhile.
const CHANGES: u64 = 7;
/// How long a change of members may take.
const CHANGE: Duration = Duration::from_millis(600);

/// Machines die, links and disks fail.
pub(super) async fn break_things(world: &World, mut random: Random) {
    for _ in 0..FAULTS {
        tokio::time::sleep(random.ms(20, 220)).await;
        match random.below(10) {
            0 | 1 => crash(world, &mut random),
            2 => part(world, &mut random),
            3 => {
                let (from, to) = two(&mut random);
                world.silence(from, to);
                world.count("one-way partitions");
            }
            4 => {
                // One that is heard and hears nothing, or the other way round.
                let (one, hears) = (two(&mut random).0, random.below(2) == 0);
                for other in (1..=MEMBERS).filter(|other| *other != one) {
                    let (from, to) = if hears { (one, other) } else { (other, one) };
                    world.silence(from, to);
                }
                world.count("one-way partitions");
            }
            5 | 6 => world.heal(),
            7 => {
                if let Some(n) = random.one_of(&world.up()) {
                    world.hold(n, true);
                    world.count("disks that stood still");
                }
            }
            8 => (1..=MEMBERS).for_each(|n| world.hold(n, false)),
            _ => {
                // A power cut.
                for n in world.up() {
                    world.crash(n);
                    world.count("crashes");
                }
            }
        }
    }
}

fn two(random: &mut Random) -> (u8, u8) {
    let all: Vec<u8> = (1..=MEMBERS).collect();
    let one = random.one_of(&all).unwrap();
    let others: Vec<u8> = all.into_iter().filter(|other| *other != one).collect();
    (one, random.one_of(&others).unwrap())
}

fn crash(world: &World, random: &mut Random) {
    if let Some(n) = random.one_of(&world.up()) {
        world.crash(n);
        world.count("crashes");
    }
}

fn part(world: &World, random: &mut Random) {
    // As often as not the leader is among those that are cut off.
    let some: Vec<u8> = (1..=MEMBERS).filter(|_| random.below(2) == 0).collect();
    world.part(&some);
    world.count("partitions");
}

/// Members start again, join, go, and hand over.
pub(super) async fn change_things(world: &World, mut random: Random) {
    for _ in 0..CHANGES {
        tokio::time::sleep(random.ms(20, 200)).await;
        for n in world.down() {
            if random.below(4) > 0 {
                world.try_to_begin(n).await;
            }
        }
        let asked = random.one_of(&world.up()).and_then(|n| world.member(n));
        let Some((cluster, died)) = asked else { continue };
        match random.below(5) {
            0 | 1 => {
                if let Some(n) = random.one_of(&world.in_place(Place::Out)) {
                    // It may have been removed before. Unless this is done it waits to be let in.
                    drop(tokio::time::timeout(CHANGE, cluster.let_in(key(n))).await);
                    world.try_to_begin(n).await;
                    world.count("members that came");
                }
            }
            2 => remove(world, (cluster, died), &mut random).await,
            _ => {
                let handed = tokio::time::timeout(CHANGE, cluster.hand_over(None)).await;
                if matches!(handed, Ok(Ok(()))) {
                    world.count("times that leadership was handed over");
                }
            }
        }
    }
}

async fn remove(
    world: &World,
    (by, died): (Cluster<super::registers::Registers>, watch::Receiver<bool>),
    random: &mut Random,
) {
    let members = world.in_place(Place::In);
    // Three are left, at least.
    if members.len() <= 3 {
        return;
    }
    let Some(n) = random.one_of(&members) else { return };
    match tokio::time::timeout(CHANGE, by.remove(key(n))).await {
        Ok(Ok(())) => {
            world.bury(n);
            world.count("members that were removed");
        }
        // Nobody but who died meanwhile may fail.
        Ok(Err(error @ Error::Failed(_))) if !*died.borrow() => {
            panic!("a member could not be removed: {error}")
        }
        // It may be a member or not: it goes on as it was.
        Ok(Err(_)) | Err(_) => {}
    }
}
