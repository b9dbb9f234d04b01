//! Puts of 256 KiB blocks, durable in groups of 16: the store beside fjall, in turns, on one disk.
//! `cargo run --release -- [DIRECTORY]` prints lines of `name value unit`.

use bytes::Bytes;
use fjall::{Database, KeyspaceCreateOptions, KvSeparationOptions, PersistMode};
use futures::{StreamExt, stream};
use objects::{Block, Cid, Codec};
use protocol::port::Blobs;
use std::{env, path::PathBuf, time::Instant};
use storage::{Config, Store};

/// Turns of each; the median counts.
const TURNS: usize = 5;
/// Blocks that are durable together.
const TOGETHER: usize = 16;
/// Bytes of a block.
const BLOCK_BYTES: usize = 256 << 10;
/// Blocks of one turn.
const BLOCKS: usize = 512;

fn main() {
    let parent = env::args().nth(1).map_or_else(env::temp_dir, PathBuf::from);
    let dir = tempfile::tempdir_in(parent).expect("a directory");
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    let config = Config {
        reserve_bytes: 0,
        batch_bytes: (TOGETHER * BLOCK_BYTES) as u64,
        ..Config::default()
    };
    let store = storage::open(dir.path().join("store"), config).expect("it opens");
    let database = Database::builder(dir.path().join("fjall")).open().expect("it opens");
    // Large values apart from the keys, which suits it best.
    let options = || {
        KeyspaceCreateOptions::default().with_kv_separation(Some(KvSeparationOptions::default()))
    };
    let blobs = database.keyspace("blobs", options).expect("a keyspace");

    let (mut one, mut two, mut theirs) = (Vec::new(), Vec::new(), Vec::new());
    for turn in 0..TURNS as u64 {
        let first = 3 * turn * BLOCKS as u64;
        one.push(runtime.block_on(put(&store, blocks(first), 1)));
        two.push(runtime.block_on(put(&store, blocks(first + BLOCKS as u64), 2)));
        let some = blocks(first + 2 * BLOCKS as u64);
        let begun = Instant::now();
        for group in some.chunks(TOGETHER) {
            let mut batch = database.batch();
            for (cid, bytes) in group {
                // The store checks, so this has to as well.
                cid.check(bytes).expect("they belong together");
                batch.insert(&blobs, cid.to_bytes(), &bytes[..]);
            }
            batch.commit().expect("written");
            database.persist(PersistMode::SyncData).expect("synced");
        }
        theirs.push(rate(begun));
    }
    let (one, two, theirs) = (median(one), median(two), median(theirs));
    println!("put_256kib_one_group_in_flight {one:.1} MB/s");
    println!("put_256kib_two_groups_in_flight {two:.1} MB/s");
    println!("put_256kib_fjall {theirs:.1} MB/s");
    println!("put_256kib_ratio_one {:.3} of_fjall", one / theirs);
    println!("put_256kib_ratio_two {:.3} of_fjall", two / theirs);
}

async fn put(store: &Store, blocks: Vec<(Cid, Bytes)>, in_flight: usize) -> f64 {
    let groups: Vec<_> = blocks.chunks(TOGETHER).map(<[_]>::to_vec).collect();
    let begun = Instant::now();
    stream::iter(groups)
        .map(|group| store.put(group))
        .buffered(in_flight)
        .for_each(|result| async { result.expect("kept") })
        .await;
    rate(begun)
}

fn rate(since: Instant) -> f64 {
    (BLOCKS * BLOCK_BYTES) as f64 / since.elapsed().as_secs_f64() / 1e6
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// Blocks that no compression makes smaller.
fn blocks(first: u64) -> Vec<(Cid, Bytes)> {
    let mut state = first | 1;
    (0..BLOCKS)
        .map(|_| {
            let noise = std::iter::repeat_with(|| {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                (state >> 56) as u8
            });
            let block = Block::of(Codec::Raw, noise.take(BLOCK_BYTES).collect::<Vec<_>>());
            (block.cid, block.bytes)
        })
        .collect()
}
