//! The long run: many seeds of the hostile setting, all processors, numbers at the end.
//!
//! `cargo run --release -p sim --example soak -- [--from SEED] [--seeds N]`

use identity::{Digest, Hasher};
use sim::{
    bound,
    world::{Setting, Tally, World},
};
use std::{
    panic,
    process::ExitCode,
    sync::atomic::{AtomicU64, Ordering},
    thread,
    time::Instant,
};

/// Seeds, if nobody says how many.
const SEEDS: u64 = 2_000;

fn main() -> ExitCode {
    let Some((from, seeds)) = parse(&std::env::args().skip(1).collect::<Vec<_>>()) else {
        eprintln!("soak takes --from SEED and --seeds N");
        return ExitCode::from(2);
    };
    let start = Instant::now();
    let workers = thread::available_parallelism().map_or(1, usize::from);
    let next = AtomicU64::new(from);
    let ran = thread::scope(|scope| {
        let threads: Vec<_> =
            (0..workers).map(|_| scope.spawn(|| work(&next, from + seeds))).collect();
        threads.into_iter().map(|thread| thread.join()).collect::<Result<Vec<_>, _>>()
    });
    let ran = ran.expect("what fails is caught");
    let mut tally = Tally::default();
    let (mut digests, mut failed) = (Vec::new(), Vec::new());
    for one in ran {
        tally.add(&one.tally);
        digests.extend(one.digests);
        failed.extend(one.failed);
    }
    if !failed.is_empty() {
        failed.sort_unstable();
        eprintln!("these seeds have failed: {failed:?}; each runs alone with");
        eprintln!("  SIM_SEED=<seed> cargo nextest run -p sim --test hostile one_seed_of_choice");
        return ExitCode::FAILURE;
    }
    digests.sort_unstable();
    let mut hasher = Hasher::new("polity soak");
    digests.iter().for_each(|(_, digest)| hasher.part(digest.as_bytes()));
    println!("seeds {from} to {}: nothing that must not happen did", from + seeds - 1);
    print!("{tally}");
    println!("trace hash over all seeds: {}", hasher.finish());
    println!("{} s on {workers} threads\n", start.elapsed().as_secs());
    print!("{}", bound::table());
    ExitCode::SUCCESS
}

/// What one thread has run.
#[derive(Default)]
struct Ran {
    tally: Tally,
    digests: Vec<(u64, Digest)>,
    failed: Vec<u64>,
}

/// Runs seeds until there are no more.
fn work(next: &AtomicU64, end: u64) -> Ran {
    let mut ran = Ran::default();
    loop {
        let seed = next.fetch_add(1, Ordering::Relaxed);
        if seed >= end {
            return ran;
        }
        match panic::catch_unwind(|| World::new(Setting::hostile(seed)).run()) {
            Ok(ending) => {
                ran.tally.add(&ending.tally);
                ran.digests.push((seed, ending.trace.digest()));
            }
            Err(_) => ran.failed.push(seed),
        }
    }
}

fn parse(args: &[String]) -> Option<(u64, u64)> {
    let (mut from, mut seeds) = (0, SEEDS);
    for pair in args.chunks(2) {
        let [name, value] = pair else { return None };
        match name.as_str() {
            "--from" => from = value.parse().ok()?,
            "--seeds" => seeds = value.parse().ok().filter(|n| *n > 0)?,
            _ => return None,
        }
    }
    Some((from, seeds))
}
