//! A block as the engine carries it: the protocol's canonical bytes, named by the header's digest.

use crate::convert;
use bytes::{BufMut, Bytes};
use commonware_codec::{Buf, EncodeSize, Error, RangeCfg, Read, Write};
use commonware_consensus::{Block as EngineBlock, BoundedBlock, Heightable, types::Height};
use commonware_cryptography::{Digested, Digestible, sha256};
use protocol::{Block, NamedBlock, limits};
use std::sync::Arc;

/// A block with its bytes, which are encoded once.
#[derive(Clone, Debug)]
pub(crate) struct Sealed {
    block: Arc<NamedBlock>,
    digest: sha256::Digest,
    bytes: Bytes,
}

impl Sealed {
    /// Seals a block, unless it is larger than a block may be.
    pub(crate) fn new(block: Block) -> Result<Digested<Self>, protocol::Error> {
        let bytes = Bytes::from(block.encode());
        if bytes.len() > limits::BLOCK_BYTES {
            return Err(protocol::Error::Invalid {
                noun: "block",
                reason: format!("{} bytes, at most {}", bytes.len(), limits::BLOCK_BYTES),
            });
        }
        let digest = convert::digest(block.header.digest());
        let block = Arc::new(NamedBlock::new(block));
        Ok(Digested::precomputed(Self { block, digest, bytes }, digest))
    }

    pub(crate) fn block(&self) -> &Arc<NamedBlock> {
        &self.block
    }
}

impl Digestible for Sealed {
    type Digest = sha256::Digest;

    fn digest(&self) -> sha256::Digest {
        self.digest
    }
}

impl Heightable for Sealed {
    fn height(&self) -> Height {
        Height::new(self.block.header.height.0)
    }
}

impl EngineBlock for Sealed {
    fn parent(&self) -> sha256::Digest {
        convert::digest(self.block.header.parent)
    }
}

impl BoundedBlock for Sealed {
    fn max_encode_size((): &()) -> usize {
        // The length is a varint of at most five bytes.
        limits::BLOCK_BYTES + 5
    }
}

impl Write for Sealed {
    fn write(&self, buffer: &mut impl BufMut) {
        self.bytes.write(buffer);
    }
}

impl EncodeSize for Sealed {
    fn encode_size(&self) -> usize {
        self.bytes.encode_size()
    }
}

impl Read for Sealed {
    type Cfg = ();

    fn read_cfg(buffer: &mut impl Buf, (): &()) -> Result<Self, Error> {
        let bytes = Bytes::read_cfg(buffer, &RangeCfg::from(0..=limits::BLOCK_BYTES))?;
        let block = NamedBlock::decode(&bytes).map_err(|e| Error::Wrapped("block", Box::new(e)))?;
        let digest = convert::digest(block.header.digest());
        Ok(Self { block: Arc::new(block), digest, bytes })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::{child, genesis_block, tx};
    use commonware_codec::{DecodeExt, Encode};

    #[test]
    fn a_block_keeps_its_name_across_the_engines_encoding() {
        let block = child(&genesis_block(), vec![tx(1), tx(2)]);
        let sealed = Sealed::new(block.clone()).unwrap();
        let bytes = sealed.encode();
        assert!(bytes.len() <= Sealed::max_encode_size(&()));
        let back = Sealed::decode(bytes.clone()).expect("a block");
        assert_eq!(***back.block(), block);
        assert_eq!(back.digest().0, block.header.digest().0);
        assert_eq!(back.encode(), bytes);
        assert_eq!(back.parent().0, block.header.parent.0);
    }

    #[test]
    fn bytes_that_are_no_block_are_refused() {
        let block = child(&genesis_block(), vec![tx(1)]);
        let bytes = Sealed::new(block).unwrap().encode().to_vec();
        for cut in 0..bytes.len() {
            assert!(Sealed::decode(Bytes::copy_from_slice(&bytes[..cut])).is_err(), "cut {cut}");
        }
        let mut other = bytes.clone();
        let last = other.len() - 1;
        other[last] ^= 1;
        let other = Sealed::decode(Bytes::from(other));
        let same = Sealed::decode(Bytes::from(bytes)).unwrap();
        assert!(other.is_err() || other.is_ok_and(|o| o.digest() != same.digest()));
    }
}
