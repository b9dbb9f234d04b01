//! CAR: blocks in one stream. Version 1 is written; versions 1 and 2 are read.
//!
//! Source: IPLD specifications "Content Addressable aRchives (CARv1)" and "(CARv2)". A header names
//! the roots, then sections follow: a length, a CID, and the bytes of the block. Version 2 wraps
//! such a stream, and may add an index, which is not looked at.

mod head;
mod reader;

use crate::{Block, Cid, cid::CID_BYTES, wire::put_varint};
use serde::Serialize;

pub use reader::{Part, Reader};

#[derive(Serialize)]
struct Header {
    roots: Vec<Cid>,
    version: u64,
}

/// The start of a stream.
pub fn header(roots: &[Cid]) -> Vec<u8> {
    let header = identity::canonical::encode(&Header { roots: roots.to_vec(), version: 1 });
    let mut out = Vec::with_capacity(header.len() + 4);
    put_varint(&mut out, header.len() as u64);
    out.extend(header);
    out
}

/// One block of a stream.
pub fn section(block: &Block) -> Vec<u8> {
    let mut out = Vec::with_capacity(block.bytes.len() + CID_BYTES + 4);
    out.extend(section_head(block.cid, block.bytes.len()));
    out.extend_from_slice(&block.bytes);
    out
}

/// What stands before the bytes of a block of this size in a stream, for writers that have no need
/// to copy them.
pub fn section_head(cid: Cid, size_bytes: usize) -> Vec<u8> {
    let mut out = Vec::with_capacity(CID_BYTES + 4);
    put_varint(&mut out, (CID_BYTES + size_bytes) as u64);
    out.extend(cid.to_bytes());
    out
}

#[cfg(test)]
#[path = "../tests/car.rs"]
mod tests;
