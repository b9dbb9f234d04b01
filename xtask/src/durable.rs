//! A large object at 4+2 on six local nodes of six owners, two of which are killed: read whole all
//! the same, and at full strength again without them.

use crate::{
    bench::{
        process::{self, until},
        society::Society,
        world::{self, World},
    },
    project::Project,
    steps::Steps,
};
use anyhow::{Context as _, bail};
use serde_json::Value;
use std::{
    fs::{self, File},
    io::{BufWriter, Read, Write as _},
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

/// Shards of a group at 4+2, one for each node.
const NODES: usize = 6;
/// The first one, which alone votes, stays. The object is put through the first of these, so that
/// its own copy dies with it.
const KILLED: [usize; 2] = [1, 2];
/// Nodes that the object is read through: before it is repaired, and afterwards.
const READERS: [usize; 2] = [4, 5];
/// Time after which a holder that left is replaced; 15 minutes if not told otherwise.
const GRACE: Duration = Duration::from_secs(20);
/// How long anything may take.
const LIMIT: Duration = Duration::from_secs(1_800);
const MIB: usize = 1 << 20;

/// What is asked for.
#[derive(Debug, PartialEq, Eq)]
struct Options {
    /// Bytes of the object, in MiB.
    mib: usize,
    build: bool,
    dir: PathBuf,
}

impl Options {
    fn parse(args: &[String]) -> anyhow::Result<Self> {
        let mut options = Self { mib: 1_024, build: true, dir: std::env::temp_dir() };
        let mut args = args.iter();
        while let Some(arg) = args.next() {
            match arg.as_str() {
                "--no-build" => options.build = false,
                "--dir" => options.dir = args.next().context("--dir needs a directory")?.into(),
                "--mib" => {
                    let mib = args.next().and_then(|mib| mib.parse().ok());
                    options.mib = mib.filter(|mib| *mib > 0).context("--mib needs a number")?;
                }
                other => bail!("durable takes --mib N, --no-build and --dir DIR, not {other}"),
            }
        }
        Ok(options)
    }
}

/// The command `durable`.
pub(crate) fn run(project: &Project, steps: &mut Steps, args: &[String]) -> anyhow::Result<()> {
    let options = Options::parse(args)?;
    if options.build {
        world::build(steps, std::iter::empty())?;
    }
    let world = World::new(project, &options.dir, false)?;
    let mut show = Show::begin(&world, options.mib)?;
    show.put()?;
    show.lose()?;
    let killed = Instant::now();
    show.read(READERS[0], "read without the two")?;
    show.wait_for_repair(killed)?;
    show.forget_copies()?;
    show.read(READERS[1], "read from nothing but shards")?;
    show.tell_memory()
}

/// The nodes and the object.
struct Show<'a> {
    world: &'a World,
    society: Society,
    file: PathBuf,
    bytes: u64,
    root: String,
}

impl<'a> Show<'a> {
    /// Starts the nodes and writes the file.
    fn begin(world: &'a World, mib: usize) -> anyhow::Result<Self> {
        let (homes, genesis) = Society::found(world, NODES, 1)?;
        for home in &homes {
            let settings =
                format!("[durability]\ngrace_ms = {}\npace_bytes = 0\n", GRACE.as_millis());
            fs::write(home.join("config.toml"), settings)?;
        }
        let society = Society::up(world, &homes, genesis)?;
        let file = world.fresh("object")?.join("object");
        write_noise(&file, mib)?;
        let bytes = (mib * MIB) as u64;
        say(&format!("{NODES} nodes of {NODES} owners; an object of {mib} MiB"));
        Ok(Self { world, society, file, bytes, root: String::new() })
    }

    fn put(&mut self) -> anyhow::Result<()> {
        let node = &self.society.nodes[KILLED[0]];
        let mut put = node.polity(&["put"]);
        let put = process::run(&self.world.scratch, put.arg(&self.file), LIMIT)?;
        self.root = put.stdout.trim().to_string();
        self.tell("put", put.took, self.bytes);
        let mut protect = node.polity(&["storage", "protect", &self.root, "4+2"]);
        let protect = process::run(&self.world.scratch, &mut protect, LIMIT)?;
        self.tell("protected at 4+2", protect.took, self.bytes);
        self.show_where()
    }

    /// Kills two holders, the maker with its whole copy among them.
    fn lose(&mut self) -> anyhow::Result<()> {
        for at in KILLED {
            self.tell_memory_of(at)?;
            self.society.nodes[at].kill()?;
        }
        say("two nodes are killed, and the whole copy of who put it with them");
        Ok(())
    }

    /// Reads all of it through a node into a file, and compares every byte.
    fn read(&self, at: usize, what: &str) -> anyhow::Result<()> {
        let out = self.world.absent("out");
        let mut get = self.society.nodes[at].polity(&["get", &self.root]);
        let get = process::run(&self.world.scratch, get.arg("-o").arg(&out), LIMIT)?;
        let differs = first_difference(File::open(&self.file)?, File::open(&out)?)?;
        if let Some(place) = differs {
            bail!("{what}: byte {place} differs");
        }
        self.tell(&format!("{what}, every byte compared"), get.took, self.bytes);
        Ok(fs::remove_file(&out)?)
    }

    fn wait_for_repair(&self, killed: Instant) -> anyhow::Result<()> {
        let home = self.society.home();
        until("the object at full strength", LIMIT, || {
            let found = home.ask(self.world, &["storage", "where", &self.root])?;
            Ok(is_whole(&found[0]).then_some(()))
        })?;
        let took = killed.elapsed();
        let grace = GRACE.as_secs();
        say(&format!("{:>7.1} s  from the kill to full strength, {grace} s of grace included", {
            took.as_secs_f64()
        }));
        // Two of six slots, each a quarter of the object.
        self.tell("… at least, from the grace on", took.saturating_sub(GRACE), self.bytes / 2);
        self.show_where()
    }

    /// Lets nodes give up what they only happen to have.
    fn forget_copies(&self) -> anyhow::Result<()> {
        for (at, node) in self.society.nodes.iter().enumerate() {
            if !KILLED.contains(&at) {
                let mut collect = node.polity(&["storage", "gc", "--grace", "0s"]);
                process::run(&self.world.scratch, &mut collect, LIMIT)?;
            }
        }
        Ok(())
    }

    fn show_where(&self) -> anyhow::Result<()> {
        let mut ask = self.society.home().polity(&["storage", "where", &self.root]);
        let said = process::run(&self.world.scratch, &mut ask, LIMIT)?;
        println!("\npolity storage where {}\n{}", self.root, said.stdout);
        Ok(())
    }

    fn tell_memory(&self) -> anyhow::Result<()> {
        let alive = (0..NODES).filter(|at| !KILLED.contains(at));
        alive.into_iter().try_for_each(|at| self.tell_memory_of(at))
    }

    /// The most memory that a node had so far.
    fn tell_memory_of(&self, at: usize) -> anyhow::Result<()> {
        let path = format!("/proc/{}/status", self.society.nodes[at].pid());
        let status = fs::read_to_string(&path).context(path)?;
        let mib = peak_kib(&status)? >> 10;
        say(&format!("node {}: {mib} MiB of memory at most", at + 1));
        Ok(())
    }

    fn tell(&self, what: &str, took: Duration, bytes: u64) {
        let seconds = took.as_secs_f64().max(1e-3);
        say(&format!("{seconds:>7.1} s {:>6.0} MB/s  {what}", bytes as f64 / seconds / 1e6));
    }
}

fn say(line: &str) {
    println!("{line}");
}

/// Whether every slot has a holder that is there and shows all of its shards.
fn is_whole(found: &Value) -> bool {
    let Some(holders) = found["holders"].as_array() else { return false };
    let slots = |own: &Value| own["slots"].as_array().map_or(0, Vec::len);
    let is_there = |own: &Value| own["unreachable"].is_null() && own["present"] == own["shards"];
    holders.iter().map(slots).sum::<usize>() == NODES
        && holders.iter().all(is_there)
        && found["unreadable"] == 0
}

/// The peak of resident memory in what the kernel says of a process.
fn peak_kib(status: &str) -> anyhow::Result<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let number = line.and_then(|line| line.split_whitespace().next());
    number.and_then(|kib| kib.parse().ok()).context("the kernel does not say VmHWM")
}

/// A file of bytes that look like nothing, so that no two blocks are the same.
fn write_noise(path: &Path, mib: usize) -> anyhow::Result<()> {
    let mut state = 0x9e37_79b9_7f4a_7c15u64;
    let mut file = BufWriter::with_capacity(MIB, File::create(path)?);
    for _ in 0..mib * MIB / 8 {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        file.write_all(&state.to_le_bytes())?;
    }
    Ok(file.into_inner()?.sync_all()?)
}

/// The place of the first byte that differs, the end of one of them included.
fn first_difference(mut one: impl Read, mut other: impl Read) -> anyhow::Result<Option<u64>> {
    let mut place = 0;
    let (mut left, mut right) = (Vec::with_capacity(MIB), Vec::with_capacity(MIB));
    loop {
        left.clear();
        right.clear();
        (&mut one).take(MIB as u64).read_to_end(&mut left)?;
        (&mut other).take(MIB as u64).read_to_end(&mut right)?;
        if left != right {
            let same = left.iter().zip(&right).take_while(|(a, b)| a == b).count();
            return Ok(Some(place + same as u64));
        }
        if left.is_empty() {
            return Ok(None);
        }
        place += left.len() as u64;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn numbers_are_taken_and_everything_else_is_refused() {
        let parse = |line: &str| {
            Options::parse(&line.split_whitespace().map(str::to_string).collect::<Vec<_>>())
        };
        let some = parse("--mib 64 --no-build --dir /d").expect("a line");
        assert_eq!(some, Options { mib: 64, build: false, dir: "/d".into() });
        assert!(parse("").is_ok_and(|options| options.mib == 1_024 && options.build));
        for wrong in ["--mib", "--mib 0", "--mib many", "--dir", "--gib 1"] {
            assert!(parse(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn the_first_byte_that_differs_is_found_in_any_block() {
        let one = vec![7u8; 2 * MIB + 5];
        let differs = |other: &[u8]| first_difference(&one[..], other).expect("memory");
        assert_eq!(differs(&one), None);
        let mut other = one.clone();
        other[MIB + 3] = 0;
        assert_eq!(differs(&other), Some(MIB as u64 + 3));
        assert_eq!(differs(&one[..2 * MIB]), Some(2 * MIB as u64), "one that ends early");
        assert_eq!(differs(&[&one[..], b"x"].concat()), Some(one.len() as u64));
    }

    #[test]
    fn full_strength_is_every_slot_with_somebody_who_has_everything() {
        let holder = |slots: &[u64], present: u64, unreachable: Option<&str>| json!({ "slots": slots, "shards": 9, "present": present, "unreachable": unreachable });
        let found = |last: Value| {
            let holders = json!([holder(&[0, 1, 2], 9, None), holder(&[3, 4], 9, None), last]);
            json!({ "holders": holders, "unreadable": 0 })
        };
        assert!(is_whole(&found(holder(&[5], 9, None))));
        assert!(!is_whole(&found(holder(&[5], 8, None))) && !is_whole(&json!(null)));
        assert!(!is_whole(&found(holder(&[5], 0, Some("no connection")))));
        assert!(!is_whole(&found(holder(&[], 9, None))), "a slot without a holder");
    }

    #[test]
    fn the_peak_is_read_from_what_the_kernel_says() {
        let status = "VmPeak:\t  900 kB\nVmHWM:\t    2048 kB\nVmRSS:\t 1 kB\n";
        assert_eq!(peak_kib(status).expect("it is there"), 2_048);
        assert!(peak_kib("VmRSS: 1 kB").is_err());
    }
}
