//! What this machine is able to do, measured: a few short figures, each the best of some slices,
//! because whatever else runs on the machine can only take away from it.

use crate::{Error, Order, Ran, known};
use protocol::Speed;
use std::{
    fs::File,
    hint::black_box,
    io::{self, Seek, Write},
    path::Path,
    time::{Duration, Instant},
};

/// Slices of one figure, of which the best counts.
const SLICES: u32 = 5;
/// How long one slice takes at least.
const SLICE: Duration = Duration::from_millis(20);
/// Chains of numbers that do not wait for each other: more than a core computes at once.
const LANES: usize = 16;
/// Steps between two looks at the clock.
const STEPS: u64 = 4_096;
/// Bytes that are copied at once: more than caches hold.
const COPIED_BYTES: usize = 32 << 20;
/// Bytes that are written and synced at once, again and again at the same place: a disk may get full
/// meanwhile, and what is left of it belongs to others.
const WRITTEN_BYTES: usize = 1 << 20;
/// The program whose fuel is counted: whole numbers, loops, branches.
pub(crate) const PROGRAM: &str = "integer";
const MIB: u64 = 1 << 20;

/// All figures, but the engine's: about half a second of one core. `dir` is where the disk is
/// measured, by a file of a MiB without a name that is gone afterwards; without one it is not.
///
/// # Errors
/// If the file cannot be made, written or synced.
pub(crate) fn machine(dir: Option<&Path>) -> io::Result<Speed> {
    // First: whoever asked has just seen that there is room.
    let disk_mib_s = dir.map_or(Ok(0), disk_mib_s)?;
    Ok(Speed { mflops: mflops(), memory_mib_s: memory_mib_s(), disk_mib_s, fuel_ms: 0 })
}

/// Units of fuel that one core burns in a millisecond, running a program with `run`, which does not
/// count compiling it.
///
/// # Errors
/// What `run` says, or [`Error::KnownAnswer`] if the program does not end as it must.
pub(crate) fn fuel_ms(mut run: impl FnMut(Order) -> Ran) -> Result<u64, Error> {
    let mut best = 0;
    for _ in 0..SLICES {
        let (begun, mut fuel) = (Instant::now(), 0);
        while begun.elapsed() < SLICE {
            fuel += known::fuel_of(PROGRAM, &mut run)?;
        }
        best = best.max(rate(fuel, begun.elapsed(), 1_000));
    }
    Ok(best)
}

/// What is done in a unit of time, of which a second has `units`.
fn rate(done: u64, took: Duration, units: u64) -> u64 {
    let nanos = took.as_nanos().max(1) * u128::from(units);
    u64::try_from(u128::from(done) * 1_000_000_000 / nanos).unwrap_or(u64::MAX)
}

/// The best of some slices; `work` does a piece and says how much that was.
fn best(mut work: impl FnMut() -> u64) -> u64 {
    let slice = |_| {
        let (begun, mut done) = (Instant::now(), 0);
        while begun.elapsed() < SLICE {
            done += work();
        }
        rate(done, begun.elapsed(), 1)
    };
    (0..SLICES).map(slice).max().unwrap_or(0)
}

/// Millions of additions and multiplications of 64-bit floating point numbers, in chains that each
/// depend on their last result; in whichever instructions the compiler takes for this target.
fn mflops() -> u64 {
    let mut lanes: [f64; LANES] = std::array::from_fn(|lane| 1.0 + lane as f64 / 64.0);
    let per_second = best(|| {
        let (factor, summand) = (black_box(0.999_999), black_box(1e-6));
        for _ in 0..STEPS {
            for lane in &mut lanes {
                *lane = *lane * factor + summand;
            }
        }
        lanes = black_box(lanes);
        2 * STEPS * LANES as u64
    });
    per_second / 1_000_000
}

/// MiB that are read and written again elsewhere in a second.
fn memory_mib_s() -> u64 {
    let (mut from, mut to) = (vec![1_u8; COPIED_BYTES], vec![2_u8; COPIED_BYTES]);
    let per_second = best(|| {
        to.copy_from_slice(black_box(&from));
        std::mem::swap(&mut from, &mut to);
        black_box(&mut from);
        COPIED_BYTES as u64
    });
    per_second / MIB
}

/// MiB written in a second, each of them synced.
fn disk_mib_s(dir: &Path) -> io::Result<u64> {
    let path = dir.join(".measure");
    let mut file = File::create(&path)?;
    // Open, and without a name: gone with this process, however that ends.
    std::fs::remove_file(&path)?;
    // Not all the same: some disks and file systems would store nothing.
    let piece: Vec<u8> = (0..WRITTEN_BYTES as u64).map(|at| ((at * at) >> 7) as u8).collect();
    let mut failed = Ok(());
    let per_second = best(|| {
        let written = file
            .seek(io::SeekFrom::Start(0))
            .and_then(|_| file.write_all(&piece))
            .and_then(|()| file.sync_data());
        if failed.is_ok() {
            failed = written;
        }
        WRITTEN_BYTES as u64
    });
    failed.map(|()| per_second / MIB)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_machine_has_some_speed_and_nothing_is_left_on_its_disk() {
        let dir = tempfile::tempdir().unwrap();
        let speed = machine(Some(dir.path())).unwrap();
        assert!(speed.mflops > 0 && speed.memory_mib_s > 0, "{speed:?}");
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0);
        assert!(machine(Some(&dir.path().join("missing"))).is_err());
        assert_eq!(machine(None).unwrap().disk_mib_s, 0);
    }

    #[test]
    fn rates_are_exact_and_have_no_end() {
        assert_eq!(rate(1_000, Duration::from_millis(10), 1_000), 100);
        assert_eq!(rate(u64::MAX, Duration::from_nanos(1), 1), u64::MAX);
        assert_eq!(rate(3, Duration::ZERO, 1), 3_000_000_000);
    }

    #[test]
    fn a_program_that_does_not_end_as_it_must_has_no_speed() {
        let none = fuel_ms(|_| Ran::NoResult(protocol::NoResult::WallTime));
        assert!(matches!(none, Err(Error::KnownAnswer { program: "integer", .. })));
    }
}
