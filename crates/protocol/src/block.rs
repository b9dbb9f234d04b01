//! Blocks of the ledger: headers, transactions, and what makes a block final.

use crate::{
    Accusation, Admission, Agreements, Audit, Certificate, Dispute, Error, Genesis, Height, Job,
    Seconding, Time, Verdicts, beacon, limits, merkle,
};
use bytes::Bytes;
use identity::{Batch, Digest, NetworkId, PublicKey, Signed, canonical};
use serde::{Deserialize, Serialize};
use std::ops::Deref;

const OTHER_TXS: &str = "the transactions are not those of the header";

/// One entry of the ledger.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Tx {
    /// An owner or a node joins.
    Admit(Box<Signed<Admission>>),
    /// A second owner vouches for a sponsored one.
    Second(Signed<Seconding>),
    /// Tasks of a job were agreed on.
    Agree(Box<Agreements>),
    /// A job to be drawn with the beacon of the next block.
    Order(Box<Signed<Job>>),
    /// Outcomes of a task differ.
    Dispute(Box<Signed<Dispute>>),
    /// A validator ran disputed tasks again.
    Verdict(Box<Signed<Verdicts>>),
    /// A node contradicts itself.
    Accuse(Box<Signed<Accusation>>),
    /// A final task was run again, and gave the same.
    Audit(Signed<Audit>),
}

impl Tx {
    /// Reads a transaction.
    ///
    /// # Errors
    /// If it is too large or not canonical.
    pub fn decode(bytes: &[u8]) -> Result<Self, Error> {
        Ok(canonical::decode(bytes, limits::TX_BYTES)?)
    }

    /// The canonical bytes: the leaf of the block's transaction tree.
    pub fn encode(&self) -> Vec<u8> {
        canonical::encode(self)
    }

    /// What [`Self::encode`] gives for [`Tx::Agree`], without taking the agreements.
    pub(crate) fn encode_agreements(agreements: &Agreements) -> Vec<u8> {
        #[derive(Serialize)]
        #[serde(rename_all = "snake_case")]
        enum Borrowed<'a> {
            Agree(&'a Agreements),
        }
        canonical::encode(&Borrowed::Agree(agreements))
    }

    /// The transaction's name.
    pub fn digest(&self) -> Digest {
        Self::name(&self.encode())
    }

    /// The name of a transaction by its canonical bytes.
    pub fn name(bytes: &[u8]) -> Digest {
        Digest::of("polity tx", &[bytes])
    }
}

/// What a certificate signs, by its digest.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Header {
    /// The network.
    pub network: NetworkId,
    /// The block's number.
    pub height: Height,
    /// Digest of the header before it.
    pub parent: Digest,
    /// The proposer's clock: later than the parent's, and not far ahead of the validators'.
    pub time: Time,
    /// The validator that proposed it; block 0 has none.
    pub proposer: Option<PublicKey>,
    /// The beacon from here on.
    pub beacon: Digest,
    /// The proposer's contribution to it (see [`beacon`]); empty in block 0.
    #[serde(with = "serde_bytes")]
    pub beacon_proof: Vec<u8>,
    /// RFC 9162 root over the canonical bytes of the transactions.
    pub tx_root: Digest,
    /// Root of the ledger's state after the block.
    pub state_root: Digest,
    /// Digest of the validator set that certifies the block.
    pub validators: Digest,
}

impl Header {
    /// The header's name: what the engine votes on.
    pub fn digest(&self) -> Digest {
        Digest::of("polity header", &[&canonical::encode(self)])
    }

    /// The header of block 0.
    pub fn of_genesis(genesis: &Genesis, state_root: Digest) -> Self {
        Self {
            network: genesis.network(),
            height: Height(0),
            parent: Digest::default(),
            time: genesis.founded,
            proposer: None,
            beacon: beacon::of_genesis(genesis),
            beacon_proof: Vec::new(),
            tx_root: merkle::root::<&[u8]>([]),
            state_root,
            validators: validators_digest(&genesis.validators),
        }
    }
}

/// Digest of a validator set, in its order.
pub(crate) fn validators_digest(validators: &[PublicKey]) -> Digest {
    let keys: Vec<&[u8]> = validators.iter().map(|key| &key.0[..]).collect();
    Digest::of("polity validators", &keys)
}

/// A header with its transactions.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Block {
    /// The header.
    pub header: Header,
    /// The transactions, in order.
    pub txs: Vec<Tx>,
}

impl Block {
    /// Reads a block and checks that its header commits to its transactions.
    ///
    /// # Errors
    /// If it is too large, not canonical, or the root differs.
    pub fn decode(bytes: &[u8]) -> Result<Self, Error> {
        let block: Self = canonical::decode(bytes, limits::BLOCK_BYTES)?;
        block.check_root()?;
        Ok(block)
    }

    /// The canonical bytes.
    pub fn encode(&self) -> Vec<u8> {
        canonical::encode(self)
    }

    /// The root over the transactions.
    pub fn tx_root(txs: &[Tx]) -> Digest {
        merkle::root(txs.iter().map(Tx::encode))
    }

    /// Checks that the header commits to the transactions.
    ///
    /// # Errors
    /// [`Error::Invalid`].
    pub fn check_root(&self) -> Result<(), Error> {
        if Self::tx_root(&self.txs) == self.header.tx_root {
            Ok(())
        } else {
            Err(Error::invalid("block", OTHER_TXS))
        }
    }
}

/// A transaction with its canonical bytes and its name, which cost more than looking at it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NamedTx {
    tx: Tx,
    bytes: Bytes,
    name: Digest,
}

impl NamedTx {
    /// Names a transaction.
    pub fn new(tx: Tx) -> Self {
        let bytes = Bytes::from(tx.encode());
        let name = Tx::name(&bytes);
        Self { tx, bytes, name }
    }

    /// Reads a transaction and names it.
    ///
    /// # Errors
    /// If it is too large or not canonical.
    pub fn decode(bytes: Bytes) -> Result<Self, Error> {
        let tx = Tx::decode(&bytes)?;
        let name = Tx::name(&bytes);
        Ok(Self { tx, bytes, name })
    }

    /// What it says.
    pub fn tx(&self) -> &Tx {
        &self.tx
    }

    /// Its canonical bytes.
    pub fn bytes(&self) -> &Bytes {
        &self.bytes
    }

    /// Its name: [`Tx::digest`].
    pub fn digest(&self) -> Digest {
        self.name
    }
}

/// A block with the names of its transactions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NamedBlock {
    block: Block,
    names: Vec<Digest>,
}

impl NamedBlock {
    /// Names the transactions of a block.
    pub fn new(block: Block) -> Self {
        let names = block.txs.iter().map(Tx::digest).collect();
        Self { block, names }
    }

    /// Reads a block as [`Block::decode`] does, and names its transactions.
    ///
    /// # Errors
    /// If it is too large, not canonical, or the root differs.
    pub fn decode(bytes: &[u8]) -> Result<Self, Error> {
        let block: Block = canonical::parse(bytes, limits::BLOCK_BYTES)?;
        // Each transaction is encoded once, for its name, its leaf and the canonical form.
        let txs: Vec<_> = block.txs.iter().map(Tx::encode).collect();
        if assemble(&block.header, &txs) != bytes {
            return Err(identity::Error::NotCanonical.into());
        }
        if merkle::root(&txs) != block.header.tx_root {
            return Err(Error::invalid("block", OTHER_TXS));
        }
        let names = txs.iter().map(|bytes| Tx::name(bytes)).collect();
        Ok(Self { block, names })
    }

    /// The names of the transactions, in their order.
    pub fn names(&self) -> &[Digest] {
        &self.names
    }

    /// The block itself.
    pub fn into_block(self) -> Block {
        self.block
    }
}

impl Deref for NamedBlock {
    type Target = Block;
    fn deref(&self) -> &Block {
        &self.block
    }
}

/// The canonical bytes of a block, of whose transactions they are known: a map of two (RFC 8949,
/// section 3), the shorter key first.
fn assemble(header: &Header, txs: &[Vec<u8>]) -> Vec<u8> {
    let header = canonical::encode(header);
    let size = txs.iter().map(Vec::len).sum::<usize>() + header.len() + 32;
    let mut bytes = Vec::with_capacity(size);
    bytes.extend(b"\xa2\x63txs");
    let count = txs.len() as u64;
    let width: u32 = match count {
        0..24 => 0,
        24..0x100 => 1,
        0x100..0x1_0000 => 2,
        0x1_0000..0x1_0000_0000 => 4,
        _ => 8,
    };
    let short = if width == 0 { count as u8 } else { 24 + width.ilog2() as u8 };
    bytes.push(0x80 | short);
    bytes.extend(&count.to_be_bytes()[8 - width as usize..]);
    txs.iter().for_each(|tx| bytes.extend(tx));
    bytes.extend(b"\x66header");
    bytes.extend(header);
    bytes
}

/// Why a header is final: a chain of headers above it, of which the last is certified.
///
/// The engine certifies a block, and with it all its ancestors; most blocks carry their own
/// certificate, and then `above` is empty.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Finality {
    /// Headers that follow, each naming the one before it as its parent.
    pub above: Vec<Header>,
    /// The certificate over the last of them, or over the header itself.
    pub certificate: Certificate,
}

impl Finality {
    /// Checks that `header` is final under these validators.
    ///
    /// # Errors
    /// What does not hold.
    pub fn check(
        &self,
        header: &Header,
        network: NetworkId,
        validators: &[PublicKey],
    ) -> Result<(), Error> {
        self.check_chain(header, network, validators)?;
        Ok(self.certificate.verify(network, validators)?)
    }

    /// The same, with the signatures left to be checked with others.
    pub(crate) fn queue(
        &self,
        header: &Header,
        (network, validators): (NetworkId, &[PublicKey]),
        batch: &mut Batch,
    ) -> Result<(), Error> {
        self.check_chain(header, network, validators)?;
        Ok(self.certificate.queue(network, validators, batch)?)
    }

    fn check_chain(
        &self,
        header: &Header,
        network: NetworkId,
        validators: &[PublicKey],
    ) -> Result<(), Error> {
        let expected = validators_digest(validators);
        let mut at = header;
        check_header(at, network, expected)?;
        for above in &self.above {
            check_header(above, network, expected)?;
            if above.parent != at.digest() || above.height != at.height.next() {
                return Err(Error::invalid("finality", "the headers are not a chain"));
            }
            at = above;
        }
        if self.certificate.payload != at.digest() {
            return Err(Error::invalid("finality", "the certificate is another block's"));
        }
        Ok(())
    }
}

fn check_header(header: &Header, network: NetworkId, validators: Digest) -> Result<(), Error> {
    if header.network != network {
        return Err(Error::ForeignNetwork { expected: network, got: header.network });
    }
    if header.validators != validators {
        return Err(Error::invalid("header", "certified by another set of validators"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Params, Seconding, Time};
    use identity::SecretKey;

    fn block(count: u64) -> Block {
        let key = SecretKey::from_seed([1; 32]);
        let tx = |n: u64| {
            let owner = PublicKey(Digest::of("owner", &[&n.to_be_bytes()]).0);
            Tx::Second(Signed::new(Seconding { owner }, NetworkId::FOUNDING, &key))
        };
        let txs: Vec<_> = (0..count).map(tx).collect();
        let founder =
            crate::Founder { node: key.public(), name: "1".into(), addresses: Vec::new() };
        let founder = Signed::new(founder, NetworkId::FOUNDING, &key);
        let founders = vec![founder];
        let genesis = Genesis::found("named".into(), Time(1), founders, 1, Params::default());
        let genesis = genesis.expect("a genesis");
        let header = Header::of_genesis(&genesis, Digest::default());
        Block { header: Header { tx_root: Block::tx_root(&txs), ..header }, txs }
    }

    #[test]
    fn a_named_block_is_read_as_a_block_is() {
        for count in [0, 1, 23, 24, 255, 256, 300] {
            let block = block(count);
            let bytes = block.encode();
            let named = NamedBlock::decode(&bytes).expect("a block");
            let txs: Vec<_> = block.txs.iter().map(Tx::encode).collect();
            assert_eq!(assemble(&block.header, &txs), bytes, "{count}");
            assert_eq!(named, NamedBlock::new(block.clone()));
            assert_eq!(*named, block);
            let names: Vec<_> = block.txs.iter().map(Tx::digest).collect();
            assert_eq!(named.names(), names);
            for cut in 0..bytes.len().min(600) {
                assert!(NamedBlock::decode(&bytes[..cut]).is_err());
            }
        }
    }

    #[test]
    fn other_bytes_and_other_transactions_are_refused() {
        let good = block(2);
        let mut other = good.clone();
        other.txs.pop();
        assert!(NamedBlock::decode(&other.encode()).is_err(), "not those of the header");
        // The same array, its length in a byte more than it needs.
        let mut wide = good.encode();
        assert_eq!(wide[5], 0x82);
        wide.splice(5..6, [0x98, 2]);
        assert!(NamedBlock::decode(&wide).is_err());
        let mut tail = good.encode();
        tail.push(0);
        assert!(NamedBlock::decode(&tail).is_err());
    }
}
