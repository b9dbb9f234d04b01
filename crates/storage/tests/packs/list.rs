//! The reader of packs as a list of decoders, in the form of that of `protocol`. The fuzzer uses
//! it, too.
//!
//! Whatever it is given, it does not panic, and what it takes for a record stands in the file.

use objects::{Cid, Codec};
use storage::PackImage;

/// Says whether there is a record in some bytes; panics if the reader breaks its word.
pub(crate) type Decoder = fn(&[u8]) -> bool;

/// All of them.
pub(crate) const DECODERS: &[(&str, Decoder)] =
    &[("pack", pack), ("pack_records", records), ("pack_tail", tail)];

/// Bytes of a record, at most.
const RECORD_BYTES: u64 = 1 << 20;
/// Bytes before the first record.
const HEAD_BYTES: usize = 32;
const SALT: u32 = 0x5eed;

/// Any bytes as those of a pack.
fn pack(bytes: &[u8]) -> bool {
    let image = PackImage::new(bytes.to_vec(), RECORD_BYTES).expect("memory");
    let found = image.records().expect("memory");
    let mut end = HEAD_BYTES as u64;
    for record in &found {
        assert!(record.offset >= end && record.end > record.offset, "records do not overlap");
        end = record.end;
        if let Some((cid, blob)) = &record.blob {
            let place = usize::try_from(record.end).expect("a place") - blob.len();
            assert_eq!(bytes[place - 36..place], cid.to_bytes(), "its name stands before it");
            assert_eq!(bytes[place..][..blob.len()], blob[..]);
        }
    }
    assert!(found.is_empty() || end <= bytes.len() as u64, "and end with the file");
    !found.is_empty()
}

/// Any bytes behind a right head and a record.
fn tail(bytes: &[u8]) -> bool {
    let first = [&Cid::of(Codec::Raw, b"first").to_bytes()[..], b"first"].concat();
    let mut file = PackImage::write(&[&first], SALT);
    let before = file.len() as u64;
    file.extend_from_slice(bytes);
    assert!(pack(&file), "a right record is found whatever stands behind it");
    let image = PackImage::new(file, RECORD_BYTES).expect("memory");
    image.records().expect("memory").iter().any(|record| record.offset >= before)
}

/// Any bodies under right checksums: each is cut off by a byte that says how long it is.
fn records(bytes: &[u8]) -> bool {
    let (mut bodies, mut left) = (Vec::new(), bytes);
    while let Some((length, rest)) = left.split_first() {
        let (body, rest) = rest.split_at(rest.len().min(usize::from(*length)));
        bodies.push(body);
        left = rest;
    }
    let file = PackImage::write(&bodies, SALT);
    pack(&file);
    let image = PackImage::new(file, RECORD_BYTES).expect("memory");
    let found = image.records().expect("memory");
    let blobs = found.iter().filter_map(|record| record.blob.as_ref());
    for (cid, blob) in blobs {
        let whole = [&cid.to_bytes()[..], blob].concat();
        assert!(bodies.contains(&&whole[..]), "only what was written is read");
    }
    found.len() == bodies.len() && !bodies.is_empty()
}
