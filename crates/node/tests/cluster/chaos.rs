//! Everything goes wrong with the machines of one owner, from a seed: jobs end, each task once, and
//! clients see one register.

mod clients;
mod load;
mod seat;
mod storm;

use super::{
    society::{
        star::{HUB, Star},
        until,
    },
    trio::{Place, Trio},
};
use clients::Clients;
use load::TASKS;
use seat::Seat;
use sim::Random;
use std::{
    path::{Path, PathBuf},
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::Duration,
};
use storm::Storm;

const LOOK: Duration = Duration::from_millis(100);

/// A number from the environment: `cargo xtask soak` asks for more than the usual run.
fn number(name: &str, usual: u64) -> u64 {
    let text = std::env::var(name).ok();
    text.map_or(usual, |text| text.parse().unwrap_or_else(|e| panic!("{name}={text}: {e}")))
}

/// Sets a flag when its scope is left, however that happens.
struct Sets<'a>(&'a AtomicBool);

impl Drop for Sets<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::SeqCst);
    }
}

#[test]
fn in_chaos_every_task_is_final_once_and_clients_see_one_register() {
    let (seconds, seed) = (number("POLITY_CHAOS", 20), number("POLITY_SEED", 1));
    eprintln!("{seconds} s of faults, seed {seed}");
    // A soak that fails is looked at: it leaves its directories where it was told to.
    let kept = std::env::var_os("POLITY_SOAK_DIR").map(PathBuf::from);
    let temporary = tempfile::tempdir().unwrap();
    let dir = kept.as_deref().unwrap_or(temporary.path());
    let star = Star::new(3);
    let places = [0, 1, 2].map(|n| Place {
        way: star.point(n).clone(),
        address: format!("/ip4/{}/udp/4101/quic-v1", Star::address(n)),
    });
    let mut trio = Trio::apart(dir, (HUB, star.hub()), &Star::address(0), &places);
    let seat = |n: usize| Seat { way: places[n].way.clone(), data: trio.node(n).data.clone() };
    let seats: Vec<_> = (0..3).map(seat).collect();
    let clients = Clients::new(seats.clone(), trio.validator_key(), seed);

    let is_over = AtomicBool::new(false);
    let mut storm = Storm::new(&star, seats.clone(), trio, Random::new(!seed));
    let (tally, orders) = thread::scope(|scope| {
        let sets = Sets(&is_over);
        let clients = scope.spawn(|| clients.work(&is_over));
        let orders = scope.spawn(|| load::work(&seats, seed, &is_over));
        storm.rage(Duration::from_secs(seconds), || clients.is_finished() || orders.is_finished());
        storm.calm();
        drop(sets);
        (clients.join().unwrap(), orders.join().unwrap())
    });
    eprintln!("{tally:?}\n{:?}", storm.faults);
    let tasks = TASKS * orders.jobs.len();
    eprintln!("{} jobs, {tasks} tasks; {} orders unknown", orders.jobs.len(), orders.unknown);
    assert!(tally.reads > 0 && tally.writes > 0 && !orders.jobs.is_empty());
    judge(&mut storm.trio, &orders.jobs);
}

/// Every job ends on every machine, those without an acknowledgement too, and every task of those
/// that were acknowledged is final once.
fn judge(trio: &mut Trio, jobs: &[String]) {
    let current = (0..3).map(|n| trio.cluster(n)["applied"].as_u64().unwrap()).max().unwrap();
    for n in 0..3 {
        until(&format!("machine {n} to be current"), || {
            (trio.cluster(n)["applied"].as_u64()? >= current).then_some(())
        });
        until(&format!("all jobs to end, as machine {n} says"), || {
            let list = trio.node(n).polity(&["job", "list", "--json"]).ok().json();
            let all = list.as_array()?;
            let known = |job: &String| all.iter().any(|summary| summary["job"] == *job.as_str());
            assert!(jobs.iter().all(known), "a job is lost: {jobs:?}\n{list}");
            all.iter().all(|summary| summary["state"] == "finished").then_some(())
        });
    }
    for (at, job) in jobs.iter().enumerate() {
        trio.fetch(at % 3, job, TASKS);
        std::fs::remove_dir_all(out_of(trio, job, at % 3)).unwrap();
    }
    for n in 0..3 {
        let log = trio.node(n).log();
        assert!(!log.contains("panicked at"), "{log}");
    }
}

/// Where a job was fetched to.
fn out_of(trio: &Trio, job: &str, n: usize) -> PathBuf {
    Path::new(&trio.dir).join(format!("out-{job}-{n}"))
}
