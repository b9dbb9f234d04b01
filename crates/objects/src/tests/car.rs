//! Streams of both versions come back, and what is wrong with one is said.

use super::*;
use crate::{Codec, Error, Hash, symlink};
use proptest::prelude::{any, prop, prop_assert_eq, proptest};

struct Read {
    parts: Vec<Part>,
    missing: Vec<Cid>,
}

fn read(bytes: &[u8], step: usize) -> Result<Read, Error> {
    let (mut reader, mut parts) = (Reader::new(), Vec::new());
    for chunk in bytes.chunks(step) {
        reader.push(chunk);
        while let Some(part) = reader.next_part()? {
            parts.push(part);
        }
    }
    let missing = reader.missing_roots().collect();
    reader.finish().map(|()| Read { parts, missing })
}

fn parts(bytes: &[u8], step: usize) -> Result<Vec<Part>, Error> {
    read(bytes, step).map(|read| read.parts)
}

fn raw(bytes: &'static [u8]) -> Block {
    Block::of(Codec::Raw, bytes)
}

/// A stream of one block, its own root.
fn stream() -> Vec<u8> {
    [header(&[raw(b"one").cid]), section(&raw(b"one"))].concat()
}

fn expected() -> Vec<Part> {
    vec![Part::Roots(vec![raw(b"one").cid]), Part::Block(raw(b"one"))]
}

/// `data` inside version 2, `gap` bytes after the head, with its numbers as they are told.
fn wrapped(data: &[u8], gap: usize, numbers: [u64; 3]) -> Vec<u8> {
    let mut bytes = b"\x0a\xa1\x67version\x02".to_vec();
    bytes.extend([0; 16]);
    numbers.iter().for_each(|number| bytes.extend(number.to_le_bytes()));
    bytes.extend(vec![0; gap]);
    bytes.extend(data);
    bytes
}

fn honest(data: &[u8], gap: usize) -> Vec<u8> {
    wrapped(data, gap, [51 + gap as u64, data.len() as u64, 0])
}

#[test]
fn a_stream_comes_back_however_it_is_cut() {
    let blocks = [raw(b"one"), raw(b"")];
    let mut bytes = header(&[blocks[0].cid]);
    bytes.extend(blocks.iter().flat_map(section));
    let [one, two] = blocks.clone();
    let expected = vec![Part::Roots(vec![one.cid]), Part::Block(one), Part::Block(two)];
    for step in [1, 2, 7, 1000] {
        assert_eq!(parts(&bytes, step), Ok(expected.clone()));
        assert_eq!(parts(&honest(&bytes, 9), step), Ok(expected.clone()));
    }
}

#[test]
fn the_header_is_that_of_the_specification() {
    // {"roots": [], "version": 1} in DAG-CBOR, 17 bytes.
    let head = header(&[]);
    assert_eq!(head, b"\x11\xa2\x65roots\x80\x67version\x01");
}

#[test]
fn wrong_bytes_lying_lengths_and_other_versions_are_refused() {
    let block = raw(b"one");
    let good = [header(&[]), section(&block)].concat();
    let mut flipped = good.clone();
    *flipped.last_mut().expect("not empty") ^= 1;
    assert_eq!(parts(&flipped, 9), Err(Error::Mismatch(block.cid)));
    let short = &good[..good.len() - 1];
    let huge = [header(&[]), vec![0xff, 0xff, 0xff, 0x7f]].concat();
    let two = b"\x11\xa2\x65roots\x80\x67version\x02".to_vec();
    let three = b"\x11\xa2\x65roots\x80\x67version\x03".to_vec();
    let rootless = b"\x0a\xa1\x67version\x01".to_vec();
    let no_cid = [header(&[]), vec![2, 1, 0x55]].concat();
    let nothing = [header(&[]), vec![0]].concat();
    for bytes in [short, &huge, &two, &three, &rootless, &no_cid, &nothing, &[]] {
        assert!(matches!(parts(bytes, 9), Err(Error::Car(_))), "{bytes:x?}");
    }
}

#[test]
fn an_index_after_the_data_is_not_looked_at() {
    let data = stream();
    let length = data.len() as u64;
    let mut bytes = wrapped(&data, 0, [51, length, 51 + length]);
    bytes.extend([0xff; 3000]);
    for step in [1, 500, 10_000] {
        assert_eq!(parts(&bytes, step), Ok(expected()));
    }
    let mut reader = Reader::new();
    for chunk in bytes.chunks(100) {
        reader.push(chunk);
        while reader.next_part().expect("a good stream").is_some() {}
    }
    reader.finish().expect("it is whole");
}

#[test]
fn a_forged_block_is_refused_unless_others_check_it() {
    let mut forged = stream();
    *forged.last_mut().expect("it is not empty") ^= 1;
    let read = |mut reader: Reader| {
        reader.push(&forged);
        while reader.next_part()?.is_some() {}
        reader.finish()
    };
    assert!(matches!(read(Reader::new()), Err(Error::Mismatch(_))));
    assert_eq!(read(Reader::unchecked()), Ok(()));
}

#[test]
fn numbers_of_version_2_that_lie_are_refused() {
    let data = stream();
    let length = data.len() as u64;
    for numbers in [
        [50, length, 0],       // inside the header
        [0, 0, 0],             // not finished by its writer
        [51, 0, 0],            // no data
        [51, length + 1, 0],   // longer than it is
        [51, length - 1, 0],   // shorter: the last block goes on after it
        [52, length, 0],       // begins later
        [u64::MAX, length, 0], // beyond all numbers
        [1 << 60, length, 0],  // a gap without end
        [51, length, 60],      // an index inside the data
    ] {
        let read = parts(&wrapped(&data, 0, numbers), 64);
        assert!(matches!(read, Err(Error::Car(_))), "{numbers:?}: {read:?}");
    }
    let inner = honest(&data, 0);
    assert!(matches!(parts(&honest(&inner, 0), 64), Err(Error::Car(_))), "one in the other");
}

#[test]
fn roots_that_are_not_in_the_stream_are_named() {
    let (here, gone) = (raw(b"one").cid, raw(b"gone").cid);
    let bytes = [header(&[gone, here, gone]), section(&raw(b"one"))].concat();
    assert_eq!(read(&bytes, 11).expect("whole").missing, [gone, gone]);
    assert_eq!(read(&stream(), 11).expect("whole").missing, []);
}

#[test]
fn version_0_of_a_cid_means_version_1_in_headers_and_sections() {
    let block = symlink("foo");
    let v0 = [&[0x12, 32][..], block.cid.digest().as_bytes()].concat();
    let link = [&[0xd8, 42, 0x58, 35, 0][..], &v0].concat();
    let head = [b"\xa2\x65roots\x81", &link[..], b"\x67version\x01"].concat();
    let bytes = [
        &[head.len() as u8][..],
        &head,
        &[(v0.len() + block.bytes.len()) as u8],
        &v0,
        &block.bytes,
    ]
    .concat();
    let expected = vec![Part::Roots(vec![block.cid]), Part::Block(block)];
    assert_eq!(parts(&bytes, 5), Ok(expected));
}

#[test]
fn other_codecs_and_hashes_are_refused_by_name_and_the_root_of_nothing_is_left_out() {
    let identity = [header(&[]), vec![6, 1, 0x55, 0, 1, b'x', b'x']].concat();
    assert_eq!(parts(&identity, 9), Err(Error::ForeignCid("bafkqaaly".into())));
    let nothing = b"\x18\xa2\x65roots\x81\xd8\x2a\x45\x00\x01\x55\x00\x00\x67version\x01";
    assert_eq!(nothing.len(), 0x1a);
    let mut nothing = nothing.to_vec();
    nothing[0] = 0x19;
    assert_eq!(parts(&nothing, 9), Ok(vec![Part::Roots(Vec::new())]));
}

proptest! {
    #[test]
    fn any_blocks_come_back_from_both_versions(
        contents in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..300), 0..12),
        hashes in prop::collection::vec(0usize..3, 12),
        step in 1usize..400,
        gap in 0usize..60,
    ) {
        let hashes = hashes.iter().map(|at| [Hash::Sha2_256, Hash::Sha3_256, Hash::Blake3][*at]);
        let blocks: Vec<_> = contents
            .into_iter()
            .zip(hashes)
            .map(|(bytes, hash)| Block {
                cid: Cid::with(hash, Codec::Raw, &bytes),
                bytes: bytes.into(),
            })
            .collect();
        let roots: Vec<_> = blocks.iter().map(|block| block.cid).take(3).collect();
        let mut bytes = header(&roots);
        bytes.extend(blocks.iter().flat_map(section));
        let mut expected = vec![Part::Roots(roots)];
        expected.extend(blocks.into_iter().map(Part::Block));
        prop_assert_eq!(parts(&bytes, step), Ok(expected.clone()));
        prop_assert_eq!(parts(&honest(&bytes, gap), step), Ok(expected));
    }

    #[test]
    fn no_bytes_make_it_panic(tail in prop::collection::vec(any::<u8>(), 0..200), two: bool) {
        let _ = parts(&tail, 13);
        let start = if two { honest(&tail, 0) } else { header(&[]) };
        let _ = parts(&[start, tail].concat(), 13);
    }
}
