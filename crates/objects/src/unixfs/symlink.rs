//! Symbolic links.

use super::data;
use crate::{Block, Codec, dag_pb};

/// The block of a symbolic link to `target`, a path in the notation of POSIX. Nothing here follows
/// it; whoever writes it to a disk has to look where it leads.
pub fn symlink(target: &str) -> Block {
    Block::of(Codec::DagPb, dag_pb::encode([], &data::encode_symlink(target)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Cid, Error, Node};
    use bytes::Bytes;

    #[test]
    fn a_link_has_the_name_that_others_give_it() {
        // From the fixtures of the gateway conformance suite.
        let known: Cid = "QmTB8BaCJdCH5H3k7GrxJsxgDNmNYGGR71C58ERkivXoj5".parse().expect("CIDv0");
        let block = symlink("foo");
        assert_eq!((block.cid, block.bytes.len()), (known, 9));
        assert_eq!(Node::parse(block.cid, block.bytes), Ok(Node::Symlink("foo".into())));
        let dots = symlink("../../étc");
        assert_eq!(Node::parse(dots.cid, dots.bytes), Ok(Node::Symlink("../../étc".into())));
    }

    #[test]
    fn a_target_that_is_no_text_is_malformed() {
        let bytes = Bytes::from_static(&[0x0a, 5, 8, 4, 0x12, 1, 0xff]);
        let cid = Cid::of(Codec::DagPb, &bytes);
        assert!(matches!(Node::parse(cid, bytes), Err(Error::Malformed { .. })));
    }
}
