//! One good input for each decoder of packs.

use objects::{Cid, Codec};
use storage::PackImage;

/// What the tail of a pack is salted with.
const SALT: u32 = 0x5eed;

/// Good bytes for a decoder.
pub(crate) fn specimen(name: &str) -> Vec<u8> {
    let controls = include_str!("../../src/store/golden/controls.txt");
    let byte = |pair: &[u8]| {
        let pair = std::str::from_utf8(pair).expect("text");
        u8::from_str_radix(pair, 16).expect("two digits")
    };
    let body = |bytes: &[u8]| [&Cid::of(Codec::Raw, bytes).to_bytes()[..], bytes].concat();
    let mut bodies = vec![body(b""), body(b"one"), body(&[7; 90])];
    bodies.extend(controls.lines().map(|line| line.as_bytes().chunks(2).map(byte).collect()));
    let bodies: Vec<&[u8]> = bodies.iter().map(Vec::as_slice).collect();
    match name {
        "pack_records" => {
            let sized = bodies
                .iter()
                .flat_map(|body| [&[u8::try_from(body.len()).expect("short")], *body].concat());
            sized.collect()
        }
        "pack_tail" => PackImage::write(&bodies, SALT).split_off(32),
        _ => PackImage::write(&bodies, 7),
    }
}
