//! The store beside the bare disk and what others would take, content in and out of a node, blocks
//! from a peer of IPFS, the erasure code, and repair.

use super::{
    figure::{Figure, Goal, Unit},
    process,
    society::Society,
    world::World,
};
use crate::steps::Steps;
use anyhow::{Context as _, ensure};
use std::{
    collections::BTreeMap,
    fs::{self, File},
    io::Write as _,
    path::Path,
    process::{Command, Stdio},
    time::{Duration, Instant},
};

const LIMIT: Duration = Duration::from_secs(900);
/// Bytes that a file of a tree is written with at once.
const STEP: usize = 1 << 20;

/// Lines of `name value unit` that a bench of a room printed.
struct Said(BTreeMap<String, f64>);

impl Said {
    /// Runs something that prints such lines, and whatever else.
    fn by(command: &mut Command) -> anyhow::Result<Self> {
        let name = format!("{command:?}");
        let output = command.stderr(Stdio::inherit()).output().with_context(|| name.clone())?;
        ensure!(output.status.success(), "{name}: {}", output.status);
        let text = String::from_utf8(output.stdout).context(name)?;
        Ok(Self(text.lines().filter_map(value).collect()))
    }

    fn get(&self, name: &str) -> anyhow::Result<f64> {
        self.0.get(name).copied().with_context(|| format!("the bench did not say {name}"))
    }
}

fn value(line: &str) -> Option<(String, f64)> {
    let mut words = line.split_whitespace();
    let (name, value, _) = (words.next()?, words.next()?, words.next()?);
    // Names are of several words; other lines of a bench begin with one.
    name.contains(['-', '_']).then_some(())?;
    Some((name.to_string(), value.parse().ok()?))
}

/// The bench `storage`.
pub(crate) fn run(world: &World, steps: &Steps) -> anyhow::Result<Vec<Figure>> {
    let mut figures = blocks(world, steps)?;
    figures.extend(tree(world)?);
    figures.extend(exchange(world, steps)?);
    figures.extend(coding(world, steps)?);
    Ok(figures)
}

/// The store alone.
fn blocks(world: &World, steps: &Steps) -> anyhow::Result<Vec<Figure>> {
    let bench = |name: &str| -> anyhow::Result<Said> {
        let mut bench = steps.cargo("bench --locked --package storage --bench store --");
        Said::by(bench.arg(name).arg(world.fresh("store")?))
    };
    let put = bench("put1m")?;
    let rate = |said: &Said, name: &str| said.get(name).map(|mb| mb * 1e6);
    let mut figures = vec![
        Figure::new("put of 1 MiB blocks, durable, 16 to a sync, over the bare disk")
            .with("ratio", put.get("put_1mib_ratio_two")?, Unit::Ratio)
            .with("", rate(&put, "put_1mib_two_batches_in_flight")?, Unit::Rate)
            .goal("ratio", Goal::AtLeast(0.8))
            .beside(&Figure::new("the disk, in turn").with(
                "",
                rate(&put, "put_1mib_raw")?,
                Unit::Rate,
            ))
            .note("two batches under way"),
    ];
    let get = bench("get1m")?;
    figures.push(
        Figure::new("cold get of 1 MiB blocks, over the bare disk")
            .with("ratio", get.get("get_1mib_cold_ratio")?, Unit::Ratio)
            .with("", rate(&get, "get_1mib_cold")?, Unit::Rate)
            .goal("ratio", Goal::AtLeast(0.8))
            .beside(&Figure::new("the disk, in turn").with(
                "",
                rate(&get, "get_1mib_cold_raw")?,
                Unit::Rate,
            )),
    );
    let mut peers = steps.cargo("run --release --quiet --manifest-path bench/Cargo.toml --");
    let peers = Said::by(peers.arg(world.fresh("peers")?))?;
    figures.push(
        Figure::new("put of 256 KiB blocks, durable, 16 to a sync, over fjall")
            .with("ratio", peers.get("put_256kib_ratio_two")?, Unit::Ratio)
            .with("", rate(&peers, "put_256kib_two_groups_in_flight")?, Unit::Rate)
            .goal("ratio", Goal::AtLeast(1.5))
            .beside(&Figure::new("fjall, in turn").with(
                "",
                rate(&peers, "put_256kib_fjall")?,
                Unit::Rate,
            )),
    );
    if world.quick {
        return Ok(figures);
    }
    let small = bench("small")?;
    let gib = |name: &str| small.get(name).map(|gib| gib * f64::from(1 << 30));
    figures.push(
        Figure::new("ten million small blocks")
            .with("index", gib("small_index")?, Unit::Memory)
            .with("lookup p99", small.get("small_lookup_warm_p99")?, Unit::Ms)
            .with("reopen", small.get("small_reopen")? * 1e3, Unit::Ms)
            .goal("index", Goal::AtMost(1.5 * f64::from(1 << 30)))
            .goal("lookup p99", Goal::AtMost(1.0))
            .goal("reopen", Goal::AtMost(2_000.0)),
    );
    Ok(figures)
}

/// A tree of files of all sizes into a node, and out again.
fn tree(world: &World) -> anyhow::Result<Vec<Figure>> {
    let dir = world.fresh("tree")?;
    let mib = world.either(4_096, 256) as usize;
    write_tree(&dir, mib)?;
    let before = bare(&world.absent("before"), mib / 2)?;
    let society = Society::start(world, 1, 1)?;
    let node = society.home();
    let data = node.data.to_str().context("a directory that is text")?;
    let mut put = Command::new(&world.polity);
    put.args(["put", "--data", data]).arg(&dir);
    let put = process::run(&world.scratch, &mut put, LIMIT)?;
    let rate = |took: Duration| (mib << 20) as f64 / took.as_secs_f64();
    let after = bare(&world.absent("after"), mib / 2)?;
    let root = put.stdout.trim().to_string();
    let mut get = Command::new(&world.polity);
    get.args(["get", &root, "--data", data, "-o"]).arg(world.absent("back"));
    let get = process::run(&world.scratch, &mut get, LIMIT)?;
    // Whichever is less.
    let disk = rate(before + after);
    let goal = (0.7 * disk).min(341e6);
    let bare = "the disk, half before and half after, synced every 16 MiB";
    let bare = Figure::new(bare).with("", disk, Unit::Rate);
    let what = format!("put of a mixed tree of {mib} MiB, process start to exit");
    Ok(vec![
        Figure::new(what)
            .with("", rate(put.took), Unit::Rate)
            .goal("", Goal::AtLeast(goal))
            .beside(&bare),
        Figure::new("get of that tree into files")
            .with("", rate(get.took), Unit::Rate)
            .beside(&bare),
    ])
}

/// How long the disk alone takes for a file. It stays: space that was just given back is faster than
/// other space on some disks.
fn bare(path: &Path, mib: usize) -> anyhow::Result<Duration> {
    let (mut file, mut step) = (File::create(path)?, vec![0xa5u8; 16 << 20]);
    let begun = Instant::now();
    for number in 0..(mib << 20) / step.len() {
        step[..8].copy_from_slice(&number.to_le_bytes());
        file.write_all(&step)?;
        file.sync_data()?;
    }
    Ok(begun.elapsed())
}

/// Writes half of it as large files, the rest as smaller and smaller ones.
fn write_tree(dir: &Path, mib: usize) -> anyhow::Result<()> {
    let total = mib << 20;
    let kinds = [(total / 2, 256 << 20), (total * 3 / 8, 4 << 20), (total / 8, 64 << 10)];
    let mut state = 0x9e37_79b9_7f4a_7c15u64;
    let mut step = vec![0u8; STEP];
    for (kind, (bytes, each)) in kinds.into_iter().enumerate() {
        for number in 0..bytes / each {
            // No directory is so large that it would be sharded.
            let below = dir.join(format!("{kind}/{}", number / 1_000));
            fs::create_dir_all(&below)?;
            let mut file = File::create(below.join(number.to_string()))?;
            let mut left = each;
            while left > 0 {
                let size = left.min(STEP);
                for word in step[..size].chunks_exact_mut(8) {
                    state ^= state << 13;
                    state ^= state >> 7;
                    state ^= state << 17;
                    word.copy_from_slice(&state.to_le_bytes());
                }
                file.write_all(&step[..size])?;
                left -= size;
            }
        }
    }
    ensure!(Command::new("sync").arg("-f").arg(dir).status()?.success(), "sync failed");
    Ok(())
}

/// A file over bitswap, beside a stream that does nothing else.
fn exchange(world: &World, steps: &Steps) -> anyhow::Result<Vec<Figure>> {
    let mib = world.either(1_024, 128).to_string();
    let mut bench = steps.cargo("bench --locked --package storage --bench bitswap --");
    let said = Said::by(bench.arg(&mib))?;
    let numbers = |figure: Figure, name: &str| {
        let (rate, memory) = (format!("{name}-rate"), format!("{name}-client-memory"));
        anyhow::Ok(figure.with("", said.get(&rate)? * 1e6, Unit::Rate).with(
            "client",
            said.get(&memory)? * f64::from(1 << 20),
            Unit::Memory,
        ))
    };
    let plain = Figure::new("a plain stream that is read and forgotten, in turn");
    let plain = numbers(plain, "plain-stream")?;
    let figure = |what: &str, name: &str| {
        let what = format!("bitswap of {mib} MiB over QUIC on loopback, {what}");
        let figure = numbers(Figure::new(what), name)?;
        let ratio = said.get(&format!("{name}-ratio"))?;
        anyhow::Ok(
            figure
                .with("ratio", ratio, Unit::Ratio)
                .goal("client", Goal::AtMost(f64::from(64 << 20)))
                .beside(&plain)
                .note("medians of three, the most memory of three; both ends on one machine"),
        )
    };
    Ok(vec![
        figure("blocks checked", "bitswap")?.goal("ratio", Goal::AtLeast(0.6)),
        figure("blocks checked and stored durably", "bitswap-stored")?,
    ])
}

/// The erasure code beside ISA-L, and repair.
fn coding(world: &World, steps: &Steps) -> anyhow::Result<Vec<Figure>> {
    let mib = world.either(4_096, 256).to_string();
    let mut bench = steps.cargo("bench --locked --package storage --bench erasure --");
    let ours = Said::by(bench.arg(&mib))?;
    let giga = |said: &Said, name: &str| said.get(name).map(|gb| gb * 1e9);
    let mut isal = steps.cargo("run --release --quiet --manifest-path bench/erasure/Cargo.toml");
    let figure = |what: &str, of: &str, least: f64, isal: Option<&Said>| {
        let what = format!("{what} at 10+4, 64 KiB units, one core, over ISA-L");
        let Some(said) = isal else {
            let ours = giga(&ours, &format!("erasure-{of}-10+4"))?;
            return Ok(Figure::new(what).with("", ours, Unit::Rate).note("libisal-dev is missing"));
        };
        anyhow::Ok(
            Figure::new(what)
                .with("ratio", said.get(&format!("erasure-{of}-10+4-of-isal"))?, Unit::Ratio)
                .with("", giga(said, &format!("erasure-{of}-10+4"))?, Unit::Rate)
                .goal("ratio", Goal::AtLeast(least))
                .beside(&Figure::new("ISA-L, in turn").with(
                    "",
                    giga(said, &format!("isal-{of}-10+4"))?,
                    Unit::Rate,
                )),
        )
    };
    let isal = match Said::by(&mut isal) {
        Ok(said) => Some(said),
        Err(error) => {
            eprintln!("ISA-L is not beside it: {error:#}");
            None
        }
    };
    let repair = ours.get("erasure-repair-4+2")? * 1e6;
    Ok(vec![
        figure("encode", "encode", 0.7, isal.as_ref())?,
        figure("decode of one lost shard", "decode-one", 0.5, isal.as_ref())?,
        Figure::new(format!("repair of a lost node at 4+2, object of {mib} MiB, one process"))
            .with("", repair, Unit::Rate)
            .goal("", Goal::AtLeast(100e6)),
    ])
}

#[cfg(test)]
mod tests {
    use super::value;

    #[test]
    fn only_lines_with_a_number_and_a_unit_say_something() {
        assert_eq!(value("put_1mib 1.5 MB/s"), Some(("put_1mib".into(), 1.5)));
        for line in ["", "running 1 test", "put_1mib fast MB/s", "put_1mib 1"] {
            assert_eq!(value(line), None, "{line}");
        }
    }
}
