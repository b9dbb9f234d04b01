//! What a block links to.

use objects::{Cid, Codec};

/// The links of a block, and whether the block could be read to its end.
///
/// More lenient than whoever opens an object: what a block might link to is kept. A CID of a kind
/// that the store cannot hold is left out.
pub(super) fn links(cid: &Cid, bytes: &[u8]) -> (Vec<Cid>, bool) {
    let mut found = Vec::new();
    let is_whole = match cid.codec() {
        Codec::Raw => Some(()),
        Codec::DagPb => dag_pb(bytes, &mut found),
        Codec::DagCbor => dag_cbor(bytes, &mut found),
    };
    (found, is_whole.is_some())
}

/// Goes through a dag-pb node: field 2 is a link, and field 1 of that a CID.
fn dag_pb(bytes: &[u8], found: &mut Vec<Cid>) -> Option<()> {
    let mut node = Fields(bytes);
    while let Some((number, content)) = node.next()? {
        if number != 2 {
            continue;
        }
        let mut link = Fields(content?);
        while let Some((number, content)) = link.next()? {
            if number == 1 {
                found.extend(Cid::try_from(content?).ok());
            }
        }
    }
    Some(())
}

/// The fields of a protobuf message.
struct Fields<'a>(&'a [u8]);

/// The number of a field, and its bytes if it has some.
type Field<'a> = (u64, Option<&'a [u8]>);

impl<'a> Fields<'a> {
    /// `None` if it is malformed, and `Some(None)` at its end.
    fn next(&mut self) -> Option<Option<Field<'a>>> {
        if self.0.is_empty() {
            return Some(None);
        }
        let tag = self.varint()?;
        let content = match tag & 7 {
            0 => self.varint().map(|_| None)?,
            1 => self.take(8).map(|_| None)?,
            2 => {
                let length = self.varint()?;
                Some(self.take(length)?)
            }
            5 => self.take(4).map(|_| None)?,
            _ => return None,
        };
        Some(Some((tag >> 3, content)))
    }

    fn varint(&mut self) -> Option<u64> {
        let mut value = 0;
        for shift in (0..64).step_by(7) {
            let (first, rest) = self.0.split_first()?;
            self.0 = rest;
            value |= u64::from(first & 0x7f) << shift;
            if first & 0x80 == 0 {
                return Some(value);
            }
        }
        None
    }

    fn take(&mut self, length: u64) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(usize::try_from(length).ok()?)?;
        self.0 = rest;
        Some(taken)
    }
}

/// Goes through a DAG-CBOR value item by item. How items are nested does not matter for links, so
/// that no depth is too deep.
fn dag_cbor(mut bytes: &[u8], found: &mut Vec<Cid>) -> Option<()> {
    /// The tag of a link.
    const LINK: u64 = 42;
    let mut is_link = false;
    while let Some((first, rest)) = bytes.split_first() {
        bytes = rest;
        let (kind, info) = (first >> 5, first & 31);
        let width = match info {
            0..24 => 0,
            24..28 => 1 << (info - 24),
            _ => return None,
        };
        let (argument, rest) = bytes.split_at_checked(width)?;
        bytes = rest;
        let number = argument.iter().fold(0, |all, byte| all << 8 | u64::from(*byte));
        let number = if width == 0 { u64::from(info) } else { number };
        if kind == 2 || kind == 3 {
            let (content, rest) = bytes.split_at_checked(usize::try_from(number).ok()?)?;
            bytes = rest;
            if is_link {
                found.extend(Cid::try_from(content.strip_prefix(&[0])?).ok());
            }
        } else if is_link {
            return None;
        }
        is_link = kind == 6 && number == LINK;
    }
    (!is_link).then_some(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use objects::Block;
    use serde::Serialize;
    use std::collections::BTreeMap;

    fn raw(text: &str) -> Cid {
        Cid::of(Codec::Raw, text.as_bytes())
    }

    #[test]
    fn links_of_a_value_are_found_however_deep() {
        #[derive(Serialize)]
        struct Value {
            a: Vec<Cid>,
            b: BTreeMap<String, Vec<Cid>>,
            text: String,
            number: i64,
            wide: u64,
            yes: bool,
            none: Option<Cid>,
            some: Option<Cid>,
            #[serde(with = "serde_bytes")]
            bytes: Vec<u8>,
        }
        let value = Value {
            a: vec![raw("1"), raw("2")],
            b: BTreeMap::from([("x".to_string(), vec![raw("3")])]),
            text: "*".repeat(70_000),
            number: -70_000,
            wide: u64::MAX,
            yes: true,
            none: None,
            some: Some(raw("4")),
            bytes: vec![0xd8, 42, 0x58, 37],
        };
        let block = Block::of(Codec::DagCbor, identity::canonical::encode(&value));
        let (mut found, is_whole) = links(&block.cid, &block.bytes);
        found.sort();
        let mut expected: Vec<_> = ["1", "2", "3", "4"].map(raw).into();
        expected.sort();
        assert_eq!((found, is_whole), (expected, true));
        let deep = vec![0x81; 1 << 20];
        assert_eq!(links(&block.cid, &deep), (vec![], true));
    }

    #[test]
    fn cut_and_senseless_blocks_are_said_to_be_so() {
        let block = Block::of(Codec::DagCbor, identity::canonical::encode(&vec![raw("1")]));
        for cut in 2..block.bytes.len() {
            assert!(!links(&block.cid, &block.bytes[..cut]).1, "{cut}");
        }
        assert!(!links(&block.cid, &[0xd8, 42, 1]).1);
        assert!(!links(&block.cid, &[0x9f]).1);
        let node = Cid::of(Codec::DagPb, b"x");
        assert!(!links(&node, &[0x12, 5, 0]).1);
        assert!(!links(&node, &[0xff; 20]).1);
    }

    #[test]
    fn links_of_a_file_are_found() {
        let (root, blocks) = objects::file(&vec![7; 3 << 20].into());
        let node = blocks.iter().find(|block| block.cid == root.cid).expect("the root");
        assert_eq!(links(&node.cid, &node.bytes).0.len(), 3);
    }
}
