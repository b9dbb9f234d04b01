//! What a block links to.

use crate::{
    Cid, Codec, Error, NODE_BYTES,
    cbor::{Cursor, Fault},
    dag_pb,
};
use bytes::Bytes;

/// All links of a block that was checked against its CID, in the order in which they stand there;
/// one that stands there twice comes twice. A block of [`NODE_BYTES`] has room for some 116,000.
///
/// # Errors
/// [`Error::Malformed`] for bytes that are not of their codec, for values nested too deep and for
/// more than [`NODE_BYTES`] of a codec that links; [`Error::ForeignCid`] for a link of a codec or
/// hash that is not supported here.
pub fn links(cid: Cid, bytes: &Bytes) -> Result<Vec<Cid>, Error> {
    if cid.codec() == Codec::Raw {
        return Ok(Vec::new());
    }
    if bytes.len() > NODE_BYTES {
        return Err(Error::malformed(cid, format!("{} bytes", bytes.len())));
    }
    if cid.codec() == Codec::DagPb {
        let node = dag_pb::decode(cid, bytes)?;
        return Ok(node.links.into_iter().map(|link| link.cid).collect());
    }
    let mut found = Vec::new();
    let mut cursor = Cursor::new(bytes);
    let read = cursor.links(|link| found.push(link)).and_then(|()| cursor.finish());
    read.map(|()| found).map_err(|fault| fault.of(cid))
}

impl Fault {
    /// The fault as one of this block.
    pub(crate) fn of(self, cid: Cid) -> Error {
        match self {
            Self::Malformed(reason) => Error::malformed(cid, reason),
            Self::Link(error) => error,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Block, directory, file};

    #[test]
    fn every_codec_gives_its_links() {
        let raw = Block::of(Codec::Raw, vec![0xd8, 42]);
        assert_eq!(links(raw.cid, &raw.bytes), Ok(Vec::new()));
        let value = vec![raw.cid, raw.cid];
        let value = Block::of(Codec::DagCbor, identity::canonical::encode(&value));
        assert_eq!(links(value.cid, &value.bytes), Ok(vec![raw.cid; 2]));
        let (root, blocks) = file(&Bytes::from(vec![7; crate::CHUNK_BYTES + 1]));
        let top = blocks.last().expect("a root");
        assert_eq!(links(root.cid, &top.bytes), Ok(vec![blocks[0].cid, blocks[1].cid]));
        let empty = directory(&[]).expect("a directory");
        assert_eq!(links(empty.cid, &empty.bytes), Ok(Vec::new()));
    }

    #[test]
    fn a_node_that_is_no_unixfs_gives_its_links_too() {
        // "One link without data" of the fixtures of the codec: a link of CIDv0.
        let hash = "7521fe19c374a97759226dc5c0c8e674e73950e81b211f7dd3b6b30883a08a51";
        let digest: Vec<u8> = (0..64)
            .step_by(2)
            .map(|at| u8::from_str_radix(&hash[at..at + 2], 16).expect("two digits"))
            .collect();
        let bytes = [&[0x12, 0x24, 0x0a, 0x22, 0x12, 0x20][..], &digest].concat();
        let block = Block::of(Codec::DagPb, bytes);
        let known = "bafybeihyivpglm6o6wrafbe36fp5l67abmewk7i2eob5wacdbhz7as5obe";
        assert_eq!(block.cid.to_string(), known);
        let found = links(block.cid, &block.bytes).expect("one link");
        assert_eq!((found.len(), found[0].digest().as_bytes().as_slice()), (1, &digest[..]));
    }

    #[test]
    fn what_cannot_be_read_is_refused() {
        let large = Block::of(Codec::DagCbor, vec![0x40; NODE_BYTES + 1]);
        assert!(matches!(links(large.cid, &large.bytes), Err(Error::Malformed { .. })));
        let cut = Block::of(Codec::DagPb, vec![0x12, 9]);
        assert!(matches!(links(cut.cid, &cut.bytes), Err(Error::Malformed { .. })));
        // "Links with hash only" of the fixtures: a hash of five bytes.
        let bytes = vec![0x12, 0x0b, 0x0a, 0x09, 1, 0x55, 0, 5, 0, 1, 2, 3, 4];
        let foreign = Block::of(Codec::DagPb, bytes);
        assert!(matches!(links(foreign.cid, &foreign.bytes), Err(Error::ForeignCid(_))));
    }
}
