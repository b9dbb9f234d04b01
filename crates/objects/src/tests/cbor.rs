//! The scan finds what is there and refuses what is no DAG-CBOR.

use super::*;
use crate::Codec;
use identity::canonical;
use proptest::prelude::{any, prop, proptest};
use std::collections::BTreeMap;

fn cid(text: &str) -> Cid {
    Cid::of(Codec::Raw, text.as_bytes())
}

fn links(bytes: &[u8]) -> Result<Vec<Cid>, Fault> {
    let (mut cursor, mut found) = (Cursor::new(bytes), Vec::new());
    cursor.links(|cid| found.push(cid))?;
    cursor.finish().map(|()| found)
}

fn document() -> Vec<u8> {
    let inner = BTreeMap::from([("x", vec![cid("one"), cid("two")]), ("y", vec![])]);
    canonical::encode(&BTreeMap::from([("in", inner.clone()), ("other", inner)]))
}

#[test]
fn links_come_in_the_order_of_the_bytes() {
    let two = [cid("one"), cid("two")];
    assert_eq!(links(&document()), Ok([two, two].concat()));
    assert_eq!(links(&[0xf6]), Ok(Vec::new()));
    assert_eq!(links(&[0xfb, 0, 0, 0, 0, 0, 0, 0, 0]), Ok(Vec::new()));
}

#[test]
fn a_path_leads_through_maps_and_lists_to_a_link() {
    let bytes = document();
    let find = |path: &[&str]| Cursor::new(&bytes).find(path);
    assert_eq!(find(&["in", "x", "1", "below"]), Ok(Found::Link(cid("two"), 3)));
    assert_eq!(find(&["other", "x", "0"]), Ok(Found::Link(cid("one"), 3)));
    assert_eq!(find(&["in", "x"]), Ok(Found::Inside));
    assert_eq!(find(&[]), Ok(Found::Inside));
    for (path, number) in [(&["in", "z"][..], 1), (&["in", "x", "2"], 2), (&["in", "x", "-1"], 2)] {
        assert_eq!(find(path), Ok(Found::Nothing(number)), "{path:?}");
    }
}

#[test]
fn what_is_no_dag_cbor_is_refused() {
    let link = canonical::encode(&cid("one"));
    for bytes in [
        &[][..],
        &[0x9f, 0xff],           // a list without a length
        &[0x5f, 0xff],           // bytes without a length
        &[0x81],                 // a list that is cut
        &[0xa1, 0x01, 0x01],     // a key that is a number
        &[0xc1, 0x00],           // a tag of time
        &[0xf7],                 // undefined
        &[0xf8, 0x20],           // a simple value
        &[0x61, 0xff],           // not UTF-8
        &[0x00, 0x00],           // a tail
        &[0xd8, 42, 0x61, b'x'], // a link that is text
        &[0xd8, 42, 0x41, 0],    // a link of nothing
        &link[..link.len() - 1],
        &[0x9b, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff],
        &[0x81; 100_000],
    ] {
        let read = links(bytes);
        assert!(read.is_err(), "{read:?} of {:x?}", &bytes[..bytes.len().min(9)]);
    }
}

#[test]
fn a_link_that_cannot_be_followed_is_named() {
    // The identity hash of `x`.
    let bytes = [0x81, 0xd8, 42, 0x46, 0, 1, 0x55, 0, 1, b'x'];
    assert_eq!(links(&bytes), Err(Fault::Link(Error::ForeignCid("bafkqaaly".into()))));
}

proptest! {
    #[test]
    fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = links(&bytes);
        let _ = Cursor::new(&bytes).find(&["a", "1"]);
    }
}
