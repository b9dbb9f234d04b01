//! The long run: many seeds of the hostile setting, all processors, numbers at the end.
//!
//! `cargo run --release -p sim --example soak -- [--from SEED] [--seeds N]`

use identity::Hasher;
use sim::{
    bound,
    world::{Setting, Tally, World},
};
use std::{
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
    let Ok(ran) = ran else {
        eprintln!("a seed has failed; it is printed above, and runs alone with");
        eprintln!("  SIM_SEED=<seed> cargo nextest run -p sim --test hostile one_seed_of_choice");
        return ExitCode::FAILURE;
    };
    let mut tally = Tally::default();
    let mut digests: Vec<_> = Vec::new();
    for (numbers, traces) in ran {
        tally.add(&numbers);
        digests.extend(traces);
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

/// Runs seeds until there are no more.
fn work(next: &AtomicU64, end: u64) -> (Tally, Vec<(u64, identity::Digest)>) {
    let (mut tally, mut digests) = (Tally::default(), Vec::new());
    loop {
        let seed = next.fetch_add(1, Ordering::Relaxed);
        if seed >= end {
            return (tally, digests);
        }
        let ending = World::new(Setting::hostile(seed)).run();
        tally.add(&ending.tally);
        digests.push((seed, ending.trace.digest()));
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
