//! What a node is able to do, as it measured itself.

use crate::{Error, Time, limits, terms::check_labels};
use identity::{NetworkId, Sign, Signed};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// What a node measured of itself when it started, or when it was last asked to. A home compares
/// the speed with what it sees, and goes by what it sees.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Speed {
    /// Millions of floating point operations of one core in a second.
    pub mflops: u64,
    /// MiB that one core copies in memory in a second.
    pub memory_mib_s: u64,
    /// MiB written to disk in a second, synced.
    pub disk_mib_s: u64,
    /// Units of fuel that one core burns in a millisecond.
    pub fuel_ms: u64,
}

/// What a node is and has. Signed by the node.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Profile {
    /// What its owner calls it by, for instance `zone=north`.
    pub labels: BTreeMap<String, String>,
    /// The processor, as in `x86_64`.
    pub arch: String,
    /// Cores that programs may use.
    pub cores: u16,
    /// Memory that programs may use.
    pub memory_bytes: u64,
    /// Free space of its store.
    pub disk_bytes: u64,
    /// Names of its GPUs.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub gpus: Vec<String>,
    /// What it measured; none while it has not.
    pub speed: Option<Speed>,
    /// What a billion units of fuel cost there, in credits; 0 where nothing is asked.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub price: u64,
    /// When it said so.
    pub at: Time,
}

fn is_zero(price: &u64) -> bool {
    *price == 0
}

impl Sign for Profile {
    const DOMAIN: &'static str = "profile";
}

impl Profile {
    /// Checks signature and bounds.
    ///
    /// # Errors
    /// What does not hold.
    pub fn check(profile: &Signed<Self>, network: NetworkId) -> Result<(), Error> {
        profile.check(network)?;
        let Self { labels, gpus, arch, .. } = &profile.payload;
        check_labels(labels)?;
        let plain = |text: &String| {
            text.len() <= limits::LABEL_BYTES
                && text.chars().all(|c| c == ' ' || c.is_ascii_graphic())
        };
        if gpus.len() > limits::LABELS || !gpus.iter().chain([arch]).all(plain) {
            return Err(Error::invalid("profile", "a name is too long or not plain"));
        }
        Ok(())
    }
}
