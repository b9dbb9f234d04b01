//! Nodes that nobody asks for anything: memory, processor time, and what they write.

use super::{
    figure::{Figure, Goal, Unit},
    society::{Node, Society},
    sweep,
    world::World,
};
use crate::steps::Steps;
use anyhow::{Context as _, ensure};
use std::{
    fs, io,
    path::Path,
    thread,
    time::{Duration, Instant},
};

/// How long nodes are let alone before they are looked at.
const SETTLE: Duration = Duration::from_secs(10);
/// Ticks of processor time in a second: what Linux tells every process.
const TICKS_PER_S: f64 = 100.0;
const DAY_S: f64 = 86_400.0;

/// One look at one node.
struct Look {
    at: Instant,
    resident_bytes: f64,
    cpu_s: f64,
    chain_bytes: u64,
    engine_bytes: u64,
}

/// The bench `idle`.
pub(crate) fn run(world: &World, _steps: &Steps) -> anyhow::Result<Vec<Figure>> {
    let window = Duration::from_secs(world.either(180, 60));
    let society = Society::start(world, 5, 4)?;
    let mut figures = watch(&society, window, "idle node")?;
    let tasks = world.either(2_000, 200);
    sweep::work(world, &society, tasks)?;
    let what = format!("idle node, after a sweep of {tasks}");
    figures.extend(watch(&society, Duration::from_secs(60), &what)?.into_iter().take(2));
    Ok(figures)
}

/// Lets nodes alone for a while; the worst of them counts.
fn watch(society: &Society, window: Duration, what: &str) -> anyhow::Result<Vec<Figure>> {
    thread::sleep(SETTLE);
    let before = looks(society)?;
    thread::sleep(window);
    let after = looks(society)?;
    let most = |of: &dyn Fn(&Look, &Look) -> f64| {
        before.iter().zip(&after).map(|(a, b)| of(a, b)).fold(0.0, f64::max)
    };
    let seconds = |a: &Look, b: &Look| b.at.duration_since(a.at).as_secs_f64();
    let resident = most(&|_, b| b.resident_bytes);
    let cpu = most(&|a, b| (b.cpu_s - a.cpu_s) / seconds(a, b) * 100.0);
    let a_day = |bytes: u64, s: f64| bytes as f64 / s * DAY_S;
    let chain = most(&|a, b| a_day(b.chain_bytes.saturating_sub(a.chain_bytes), seconds(a, b)));
    let engine = most(&|a, b| a_day(b.engine_bytes.saturating_sub(a.engine_bytes), seconds(a, b)));
    let name = |part: &str| format!("{what}, {part}");
    let noted = format!("extrapolated from {} s", window.as_secs());
    Ok(vec![
        Figure::new(name("resident"))
            .with("", resident, Unit::Memory)
            .goal("", Goal::AtMost(f64::from(60 << 20)))
            .note("the largest of five"),
        Figure::new(name("of a core"))
            .with("", cpu, Unit::Percent)
            .goal("", Goal::AtMost(1.0))
            .note("the busiest of five"),
        Figure::new(name("chain growth a day"))
            .with("", chain, Unit::Bytes)
            .goal("", Goal::AtMost(5e6))
            .note(noted.clone()),
        Figure::new(name("growth a day of the engine's files, before they are pruned"))
            .with("", engine, Unit::Bytes)
            .note(noted),
    ])
}

fn looks(society: &Society) -> anyhow::Result<Vec<Look>> {
    society.nodes.iter().map(look).collect()
}

fn look(node: &Node) -> anyhow::Result<Look> {
    let proc = format!("/proc/{}", node.pid());
    let read = |name: &str| {
        let path = format!("{proc}/{name}");
        fs::read_to_string(&path).context(path)
    };
    Ok(Look {
        at: Instant::now(),
        resident_bytes: resident(&read("status")?)?,
        cpu_s: cpu(&read("stat")?)?,
        chain_bytes: size_of(&node.data.join("chain"))?,
        engine_bytes: size_of(&node.data.join("consensus"))?,
    })
}

/// `VmRSS` of proc_pid_status(5).
fn resident(status: &str) -> anyhow::Result<f64> {
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kib = line.context("no VmRSS")?.trim().trim_end_matches("kB").trim();
    Ok(kib.parse::<f64>().context("VmRSS")? * 1024.0)
}

/// Processor time so far, of the process with all its threads: proc_pid_stat(5), fields 14 and 15.
fn cpu(stat: &str) -> anyhow::Result<f64> {
    // The name of the program, in brackets, may hold anything.
    let (_, rest) = stat.rsplit_once(')').context("stat")?;
    let fields: Vec<_> = rest.split_whitespace().collect();
    ensure!(fields.len() > 12, "stat has {} fields", fields.len());
    let ticks = fields[11].parse::<f64>()? + fields[12].parse::<f64>()?;
    Ok(ticks / TICKS_PER_S)
}

/// Bytes of all files below a directory; none if it is not there.
fn size_of(dir: &Path) -> anyhow::Result<u64> {
    let entries = match fs::read_dir(dir) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(0),
        entries => entries.with_context(|| dir.display().to_string())?,
    };
    let mut size_bytes = 0;
    for entry in entries {
        let entry = entry?;
        size_bytes += match entry.metadata() {
            Ok(found) if found.is_dir() => size_of(&entry.path())?,
            Ok(found) => found.len(),
            // A running node removes what it has no use for.
            Err(error) if error.kind() == io::ErrorKind::NotFound => 0,
            Err(error) => return Err(error).with_context(|| entry.path().display().to_string()),
        };
    }
    Ok(size_bytes)
}

#[cfg(test)]
mod tests {
    use super::{cpu, resident, size_of};
    use std::fs;

    #[test]
    fn the_files_of_proc_are_read_as_they_are_documented() {
        assert_eq!(resident("Name:\tx\nVmRSS:\t    2048 kB\n").expect("a line"), 2_097_152.0);
        assert!(resident("Name:\tx\n").is_err());
        let stat = "7 (a) b) S 1 1 1 0 -1 4194304 100 0 0 0 150 50 9 9 20 0 12 0 100";
        assert_eq!(cpu(stat).expect("fields"), 2.0);
    }

    #[test]
    fn a_directory_is_as_large_as_its_files() {
        let dir = tempfile::tempdir().expect("a directory");
        assert_eq!(size_of(&dir.path().join("absent")).expect("nothing"), 0);
        fs::create_dir(dir.path().join("in")).expect("a directory");
        fs::write(dir.path().join("in/a"), [0; 10]).expect("a file");
        fs::write(dir.path().join("b"), [0; 5]).expect("a file");
        assert_eq!(size_of(dir.path()).expect("files"), 15);
    }
}
