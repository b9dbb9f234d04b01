//! How fast the store is beside the bare disk: `cargo bench -p storage --bench store -- NAME DIR`.
//!
//! Every line is `name value unit`. What is compared is measured in turns, in one run, on one disk.
#![allow(missing_docs)]

use bytes::Bytes;
use futures::{StreamExt, stream};
use objects::{Block, Cid, Codec};
use protocol::port::Blobs;
use rustix::fs::{Advice, fadvise};
use std::{
    env,
    fs::{self, File},
    io::Write,
    os::unix::fs::FileExt,
    path::{Path, PathBuf},
    time::Instant,
};
use storage::{Config, Store};

/// Turns of what is compared; the median counts.
const TURNS: usize = 5;
/// Bytes that are written in one turn.
const TURN_BYTES: usize = 256 << 20;
/// Turns of puts, and bytes of one.
const PUT_TURNS: usize = 15;
const PUT_BYTES: usize = 128 << 20;
/// Blocks between two syncs.
const TOGETHER: usize = 16;

/// Measures something in a directory that is not there yet.
type Run = fn(&tokio::runtime::Runtime, &Path);

fn main() {
    let words: Vec<String> = env::args().skip(1).filter(|word| !word.starts_with("--")).collect();
    let name = words.first().map_or("all", String::as_str);
    let parent = words.get(1).map_or_else(env::temp_dir, PathBuf::from);
    let dir = tempfile::tempdir_in(parent).expect("a directory");
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    let all: [(&str, Run); 4] = [
        ("put1m", |runtime, dir| put(runtime, dir, "put_1mib", 1 << 20)),
        ("put256k", |runtime, dir| put(runtime, dir, "put_256kib", 256 << 10)),
        ("get1m", get),
        ("small", small),
    ];
    for (known, run) in all {
        if name == known || name == "all" {
            run(&runtime, &dir.path().join(known));
        }
    }
}

fn tell(name: &str, value: f64, unit: &str) {
    println!("{name} {value:.3} {unit}");
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// Blocks that no compression and no earlier block makes smaller.
fn blocks(first: u64, count: usize, size_bytes: usize) -> Vec<(Cid, Bytes)> {
    let mut state = 0x9e37_79b9_7f4a_7c15u64;
    let noise: Vec<u8> = std::iter::repeat_with(|| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (state >> 56) as u8
    })
    .take(size_bytes)
    .collect();
    (0..count as u64)
        .map(|number| {
            let mut bytes = noise.clone();
            bytes[..8].copy_from_slice(&(first + number).to_le_bytes());
            let block = Block::of(Codec::Raw, bytes);
            (block.cid, block.bytes)
        })
        .collect()
}

fn config() -> Config {
    Config { reserve_bytes: 0, ..Config::default() }
}

/// Megabytes per second.
fn rate(bytes: usize, since: Instant) -> f64 {
    bytes as f64 / since.elapsed().as_secs_f64() / 1e6
}

/// Writes in short turns, because some disks are several times as fast for a while, or in places:
/// what counts is how each turn compares with the one beside it.
fn put(runtime: &tokio::runtime::Runtime, dir: &Path, name: &str, size_bytes: usize) {
    let together_bytes = (TOGETHER * size_bytes) as u64;
    let config = Config { batch_bytes: together_bytes, ..config() };
    let store = storage::open(dir, config).expect("it opens");
    let file = File::create(dir.with_extension("raw")).expect("a file");
    let count = PUT_BYTES / size_bytes;
    let mut rates: [Vec<f64>; 3] = Default::default();
    let mut ratios: [Vec<f64>; 3] = Default::default();
    for turn in 0..PUT_TURNS {
        let mut now = [0.0; 3];
        for nth in 0..3 {
            let kind = (turn + nth) % 3;
            let some = blocks(((turn * 3 + kind) * count) as u64, count, size_bytes);
            now[kind] = match kind {
                0 => put_raw(&file, &some),
                in_flight => runtime.block_on(put_store(&store, some, in_flight)),
            };
        }
        for kind in 0..3 {
            rates[kind].push(now[kind]);
            ratios[kind].push(now[kind] / now[0]);
        }
    }
    let [raw, one, two] = rates.map(median);
    let [_, ratio_one, ratio_two] = ratios.map(median);
    tell(&format!("{name}_raw"), raw, "MB/s");
    tell(&format!("{name}_one_batch_in_flight"), one, "MB/s");
    tell(&format!("{name}_two_batches_in_flight"), two, "MB/s");
    tell(&format!("{name}_ratio_one"), ratio_one, "of_raw");
    tell(&format!("{name}_ratio_two"), ratio_two, "of_raw");
    drop(store);
    clean(dir);
}

fn put_raw(mut file: &File, blocks: &[(Cid, Bytes)]) -> f64 {
    let begun = Instant::now();
    for some in blocks.chunks(TOGETHER) {
        for (_, bytes) in some {
            file.write_all(bytes).expect("written");
        }
        file.sync_data().expect("synced");
    }
    rate(PUT_BYTES, begun)
}

async fn put_store(store: &Store, blocks: Vec<(Cid, Bytes)>, in_flight: usize) -> f64 {
    let batches: Vec<_> = blocks.chunks(TOGETHER).map(<[_]>::to_vec).collect();
    let bytes = blocks.iter().map(|(_, bytes)| bytes.len()).sum();
    let begun = Instant::now();
    stream::iter(batches)
        .map(|batch| store.put(batch))
        .buffered(in_flight)
        .for_each(|result| async { result.expect("kept") })
        .await;
    rate(bytes, begun)
}

/// Takes files out of the memory of the system.
fn cool(paths: &[PathBuf]) {
    for path in paths {
        let file = File::open(path).expect("a file");
        file.sync_all().expect("synced");
        fadvise(&file, 0, None, Advice::DontNeed).expect("advice is taken");
    }
}

fn packs(dir: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(dir.join("packs")).expect("a directory");
    let mut paths: Vec<_> = entries.map(|entry| entry.expect("a file").path()).collect();
    paths.sort();
    paths
}

fn get(runtime: &tokio::runtime::Runtime, dir: &Path) {
    let size_bytes = 1 << 20;
    let store = storage::open(dir, config()).expect("it opens");
    let mut cids = Vec::new();
    for turn in 0..4 {
        let some = blocks(turn * 1000, TURN_BYTES / size_bytes, size_bytes);
        cids.extend(some.iter().map(|(cid, _)| *cid));
        runtime.block_on(put_store(&store, some, 2));
    }
    let paths = packs(dir);
    let bytes = cids.len() * size_bytes;
    let (mut raw, mut ours) = (Vec::new(), Vec::new());
    for _ in 0..TURNS {
        cool(&paths);
        let begun = Instant::now();
        let mut window = vec![0; size_bytes];
        let mut left = cids.len();
        for path in &paths {
            let file = File::open(path).expect("a file");
            let length = file.metadata().expect("a file").len();
            let mut at = 0;
            while left > 0 && at + size_bytes as u64 <= length {
                file.read_exact_at(&mut window, at).expect("read");
                at += size_bytes as u64;
                left -= 1;
            }
        }
        raw.push(rate(bytes - left * size_bytes, begun));
        cool(&paths);
        let begun = Instant::now();
        let reading = stream::iter(cids.clone())
            .map(|cid| store.get(cid))
            .buffered(8)
            .for_each(|found| async move { drop(found.expect("readable").expect("here")) });
        runtime.block_on(reading);
        ours.push(rate(bytes, begun));
    }
    let (raw, ours) = (median(raw), median(ours));
    tell("get_1mib_cold_raw", raw, "MB/s");
    tell("get_1mib_cold", ours, "MB/s");
    tell("get_1mib_cold_ratio", ours / raw, "of_raw");
    drop(store);
    clean(dir);
}

/// How many small blocks there are; the environment can ask for another number.
fn small_blocks() -> u64 {
    env::var("STORAGE_SMALL_BLOCKS").map_or(10_000_000, |text| text.parse().expect("a number"))
}

fn small_block(number: u64) -> (Cid, Bytes) {
    let block = Block::of(Codec::Raw, number.to_le_bytes().repeat(8));
    (block.cid, block.bytes)
}

fn small(runtime: &tokio::runtime::Runtime, dir: &Path) {
    let count = small_blocks();
    let store = storage::open(dir, config()).expect("it opens");
    let begun = Instant::now();
    let batches = (0..count.div_ceil(4096)).map(|batch| {
        let numbers = batch * 4096..((batch + 1) * 4096).min(count);
        numbers.map(small_block).collect::<Vec<_>>()
    });
    let putting = stream::iter(batches)
        .map(|batch| store.put(batch))
        .buffered(4)
        .for_each(|result| async { result.expect("kept") });
    runtime.block_on(putting);
    tell("small_put", count as f64 / begun.elapsed().as_secs_f64(), "blocks/s");
    let status = runtime.block_on(store.status()).expect("a status");
    tell("small_index", status.index_bytes as f64 / (1u64 << 30) as f64, "GiB");
    drop(store);

    let begun = Instant::now();
    let store = storage::open(dir, config()).expect("it opens");
    tell("small_reopen", begun.elapsed().as_secs_f64(), "s");
    look_up(runtime, &store, count, "cold");
    look_up(runtime, &store, count, "warm");
    drop(store);
    clean(dir);
}

fn look_up(runtime: &tokio::runtime::Runtime, store: &Store, count: u64, name: &str) {
    let mut times = Vec::new();
    let mut number = 1;
    for _ in 0..100_000 {
        number = (number * 48_271) % 2_147_483_647;
        let (cid, _) = small_block(number % count);
        let begun = Instant::now();
        let found = runtime.block_on(store.has(vec![cid])).expect("the index answers");
        times.push(begun.elapsed().as_secs_f64() * 1e3);
        assert!(found[0], "it was put");
    }
    times.sort_by(f64::total_cmp);
    tell(&format!("small_lookup_{name}_p50"), times[times.len() / 2], "ms");
    tell(&format!("small_lookup_{name}_p99"), times[times.len() * 99 / 100], "ms");
}

fn clean(dir: &Path) {
    fs::remove_dir_all(dir).expect("removed");
    let raw = dir.with_extension("raw");
    if raw.exists() {
        fs::remove_file(raw).expect("removed");
    }
}
