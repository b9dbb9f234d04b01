//! What is protected, and how: signed by the node that made it, and itself an object.

use crate::{Durability, Error, Time, limits};
use identity::{NetworkId, Sign, Signed, canonical};
use objects::Cid;
use serde::{Deserialize, Serialize};

/// The name of the one code that there is: see `storage::erasure`.
pub const CODE: &str = "rs-cauchy-gf256/1";
/// Bytes of a stripe: a shard is coded so many bytes at a time.
pub const UNIT_BYTES: u32 = 64 << 10;

/// How an object is protected. Its bytes, with the signature, are a DAG-CBOR object.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// The network it is meant for.
    pub network: NetworkId,
    /// The object.
    pub root: Cid,
    /// How many shards there are of which kind.
    pub durability: Durability,
    /// The code: [`CODE`].
    pub code: String,
    /// Bytes of a stripe: [`UNIT_BYTES`].
    pub unit_bytes: u32,
    /// Different blocks of the object.
    pub blocks: u64,
    /// Bytes of these blocks.
    pub bytes: u64,
    /// Groups in all pages together.
    pub groups: u64,
    /// The [`crate::Groups`], in order.
    pub pages: Vec<Cid>,
    /// When it was made.
    pub created: Time,
}

impl Sign for Manifest {
    const DOMAIN: &'static str = "manifest";
}

impl Manifest {
    /// Reads a signed manifest and checks it for this network.
    ///
    /// # Errors
    /// What does not hold.
    pub fn decode(bytes: &[u8], network: NetworkId) -> Result<Signed<Self>, Error> {
        let signed: Signed<Self> = canonical::decode(bytes, limits::MANIFEST_BYTES)?;
        Self::check(&signed, network)?;
        Ok(signed)
    }

    /// Checks network, signature and every field; not the pages, nor who signed.
    ///
    /// # Errors
    /// What does not hold.
    pub fn check(signed: &Signed<Self>, network: NetworkId) -> Result<(), Error> {
        let manifest = &signed.payload;
        let wrong = |reason: String| Err(Error::invalid("manifest", reason));
        if manifest.network != network {
            return Err(Error::ForeignNetwork { expected: network, got: manifest.network });
        }
        signed.check(network)?;
        if manifest.code != CODE || manifest.unit_bytes != UNIT_BYTES {
            let code: String = manifest.code.chars().take(40).collect();
            let unit = manifest.unit_bytes;
            return wrong(format!(
                "coded with {code} in units of {unit} bytes; this program knows {CODE} in units \
                 of {UNIT_BYTES}"
            ));
        }
        let groups = manifest.blocks.div_ceil(manifest.durability.data() as u64);
        if manifest.blocks == 0 || manifest.groups != groups {
            return wrong(format!("{} blocks in {} groups", manifest.blocks, manifest.groups));
        }
        if manifest.pages.is_empty() || manifest.pages.len() as u64 > groups {
            return wrong(format!("{} pages for {groups} groups", manifest.pages.len()));
        }
        if manifest.bytes > manifest.blocks.saturating_mul(limits::BLOB_BYTES as u64) {
            return wrong(format!("{} bytes in {} blocks", manifest.bytes, manifest.blocks));
        }
        Ok(())
    }

    /// The name of a signed manifest.
    pub fn cid(signed: &Signed<Self>) -> Cid {
        Cid::of_value(signed)
    }

    /// Data shards of a group: fewer than usual in the last one only.
    pub fn data_of(&self, group: u64) -> usize {
        let data = self.durability.data() as u64;
        let left = self.blocks.saturating_sub(group.saturating_mul(data));
        usize::try_from(left.min(data)).unwrap_or(self.durability.data())
    }
}
