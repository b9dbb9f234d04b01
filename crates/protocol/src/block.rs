//! Blocks of the ledger: headers, transactions, and what makes a block final.

use crate::{
    Accusation, Admission, Agreements, Audit, Certificate, Dispute, Error, Genesis, Height, Job,
    Seconding, Time, Verdicts, beacon, limits, merkle,
};
use identity::{Batch, Digest, NetworkId, PublicKey, Signed, canonical};
use serde::{Deserialize, Serialize};

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
        Digest::of("polity tx", &[&self.encode()])
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
            Err(Error::invalid("block", "the transactions are not those of the header"))
        }
    }
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
