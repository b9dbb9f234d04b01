//! The same content here and there.

use bytes::Bytes;
use objects::{Block, FileBuilder, FileRoot};
use std::fmt::Write;

/// Sizes of files, in bytes. Some faults of the transports show only beyond 20 MiB.
pub(crate) const SIZES: [usize; 6] = [0, 1 << 10, 1 << 20, (1 << 20) + 1, 20 << 20, 200 << 20];

const CHUNK: usize = 1 << 20;

/// The bytes of a file, in parts.
pub(crate) fn parts_of(size: usize, seed: usize) -> impl Iterator<Item = Bytes> {
    let base: Vec<u8> = (0..CHUNK).map(|at| (at ^ (at >> 8)) as u8).collect();
    (0..size).step_by(CHUNK).map(move |at| {
        let mark = ((at / CHUNK * 37) ^ seed) as u8;
        base[..CHUNK.min(size - at)].iter().map(|byte| byte ^ mark).collect()
    })
}

/// The root of a file, and its blocks.
pub(crate) fn file_of(size: usize, seed: usize) -> (FileRoot, Vec<Block>) {
    let mut builder = FileBuilder::new();
    let mut blocks = Vec::new();
    for part in parts_of(size, seed) {
        builder.push(&part, &mut blocks);
    }
    let root = builder.finish(&mut blocks);
    (root, blocks)
}

/// The digest of a file's bytes.
pub(crate) fn digest_of(size: usize, seed: usize) -> String {
    let all: Vec<u8> = parts_of(size, seed).flatten().collect();
    hex(&all)
}

/// The sha2-256 of some bytes, as text.
pub(crate) fn hex(bytes: &[u8]) -> String {
    let digest = identity::Digest::plain(bytes);
    digest.as_bytes().iter().fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").unwrap();
        text
    })
}
