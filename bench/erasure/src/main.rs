//! Encoding and decoding beside ISA-L on one core: rounds alternate, and the best of each counts,
//! for whatever else runs on the machine only makes a round slower.
//! `cargo run --release` in this directory; prints `name value unit` lines.

mod isal;

use std::{hint::black_box, time::Instant};
use storage::erasure::Code;

const UNIT: usize = 64 << 10;
/// Stripes that are coded in one round, all different: together larger than the second cache.
const STRIPES: usize = 16;
const ROUNDS: usize = 151;

fn main() {
    for (data, total) in [(4, 6), (10, 14), (20, 30)] {
        compare(data, total);
    }
}

fn compare(data: usize, total: usize) {
    let code = Code::new(data, total).expect("in range");
    let mut encoder = isal::Rows::encoder(data, total);
    let mut decoder = isal::Rows::decoder(data, total);
    let stripes: Vec<Vec<Vec<u8>>> = (0..STRIPES)
        .map(|stripe| (0..total).map(|shard| bytes(stripe * total + shard)).collect())
        .collect();
    let mut made: Vec<Vec<Vec<u8>>> = vec![vec![vec![0; UNIT]; total - data]; STRIPES];
    let mut times: [Vec<f64>; 4] = Default::default();
    for _ in 0..ROUNDS {
        times[0].push(round(&stripes, &mut made, |shards, results| {
            code.encode_into(&shards[..data], results);
        }));
        times[1].push(round(&stripes, &mut made, |shards, results| {
            encoder.sums(&shards[..data], results);
        }));
        times[2].push(round(&stripes, &mut made, |shards, results| {
            let mut left: Vec<Option<&[u8]>> = shards.iter().copied().map(Some).collect();
            left[0] = None;
            code.reconstruct_into(&left, &[0], &mut results[..1]).expect("enough are left");
        }));
        times[3].push(round(&stripes, &mut made, |shards, results| {
            decoder.sums(&shards[1..=data], &mut results[..1]);
        }));
    }
    let bytes = (STRIPES * data * UNIT) as f64;
    let [encode, isal_encode, decode, isal_decode] = times.map(|all| bytes / best(&all) / 1e9);
    let name = format!("{data}+{}", total - data);
    println!("erasure-encode-{name} {encode:.2} GB/s");
    println!("isal-encode-{name} {isal_encode:.2} GB/s");
    println!("erasure-encode-{name}-of-isal {:.2} ratio", encode / isal_encode);
    println!("erasure-decode-one-{name} {decode:.2} GB/s");
    println!("isal-decode-one-{name} {isal_decode:.2} GB/s");
    println!("erasure-decode-one-{name}-of-isal {:.2} ratio", decode / isal_decode);
}

fn bytes(seed: usize) -> Vec<u8> {
    let mut state = seed as u64 * 2 + 1;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state as u8
    };
    (0..UNIT).map(|_| next()).collect()
}

/// Seconds for all stripes.
fn round(
    stripes: &[Vec<Vec<u8>>],
    made: &mut [Vec<Vec<u8>>],
    mut work: impl FnMut(&[&[u8]], &mut [&mut [u8]]),
) -> f64 {
    let start = Instant::now();
    for (stripe, made) in stripes.iter().zip(made.iter_mut()) {
        let shards: Vec<&[u8]> = stripe.iter().map(Vec::as_slice).collect();
        let mut results: Vec<&mut [u8]> = made.iter_mut().map(Vec::as_mut_slice).collect();
        work(black_box(&shards), &mut results);
    }
    let seconds = start.elapsed().as_secs_f64();
    black_box(made);
    seconds
}

fn best(all: &[f64]) -> f64 {
    all.iter().copied().fold(f64::INFINITY, f64::min)
}
