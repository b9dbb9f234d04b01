//! The document that founds a network and pins what consensus depends on.

use crate::{Error, Time, limits};
use identity::{Digest, NetworkId, PublicKey, Sign, Signed, canonical};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// One owner's word that it founds, with its first node.
///
/// Signed by the owner under [`NetworkId::FOUNDING`], because the network has no name yet.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Founder {
    /// The owner's first node: a validator if the genesis makes it one.
    pub node: PublicKey,
    /// What the owner calls itself, 1 to 64 characters; no proof of anything.
    pub name: String,
    /// Where the node can be reached (multiaddr texts), at most 8.
    pub addresses: Vec<String>,
}

impl Sign for Founder {
    const DOMAIN: &'static str = "founder";
}

/// What the replicas of one task must differ in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Distinct {
    /// Owners: more precisely parties, see [`crate::Roster::party`].
    #[default]
    Owners,
    /// Nodes, of whichever owner. It shows determinism, not honesty: only for a polity that one
    /// owner founded alone, and to which no other owner is admitted.
    Nodes,
}

impl Distinct {
    pub(crate) fn is_usual(&self) -> bool {
        *self == Self::Owners
    }
}

/// What every node of a network must agree on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Params {
    /// How long a validator waits for a leader before it votes to skip it.
    pub leader_timeout_ms: u64,
    /// The longest time without a block.
    pub heartbeat_ms: u64,
    /// How far a block's time may be ahead of a validator's clock.
    pub clock_drift_ms: u64,
    /// The longest time between a job's submission and its expiry.
    pub job_lifetime_ms: u64,
    /// The longest validity of an invitation.
    pub invitation_lifetime_ms: u64,
    /// How old the beacon of a draw may be, in blocks.
    pub draw_age_blocks: u64,
    /// How long an owner loses a right: the first time, the second, and so on; the last one from
    /// then on. Block time.
    pub sanctions_ms: Vec<u64>,
    /// Of a thousand final tasks, how many are run again by other owners.
    pub audit_per_mille: u16,
    /// How many owners run such a task again.
    pub auditors: u16,
    /// How long validators have to decide a dispute, and an eighth of it more for each that is open
    /// already. Block time.
    pub verdict_ms: u64,
    /// Fuel that validators spend on one disputed task, at most: disputes about tasks that may use
    /// more are not taken.
    pub verdict_fuel: u64,
    /// Disputes that one owner may have open.
    pub open_disputes: u32,
    /// Disputes and accusations of one owner that may fail before it loses the right to file them.
    pub failed_disputes: u32,
    /// Whether nodes may be told to misbehave. Only `polity demo` founds such a network.
    pub demonstration: bool,
    /// What the replicas of one task must differ in.
    #[serde(default, skip_serializing_if = "Distinct::is_usual")]
    pub distinct: Distinct,
}

impl Default for Params {
    fn default() -> Self {
        Self {
            leader_timeout_ms: 400,
            heartbeat_ms: 60_000,
            clock_drift_ms: 10_000,
            job_lifetime_ms: 7 * 86_400_000,
            invitation_lifetime_ms: 7 * 86_400_000,
            draw_age_blocks: 100_000,
            sanctions_ms: vec![3_600_000, 86_400_000, 30 * 86_400_000],
            audit_per_mille: 20,
            auditors: 2,
            verdict_ms: 1_800_000,
            verdict_fuel: 1_000_000_000_000,
            open_disputes: 256,
            failed_disputes: 3,
            demonstration: false,
            distinct: Distinct::Owners,
        }
    }
}

/// The genesis document. Its digest is the network's name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Genesis {
    /// Version of this document: 1.
    pub version: u8,
    /// What the network calls itself; no proof of anything.
    pub name: String,
    /// When it was founded; the time of block 0.
    pub founded: Time,
    /// The founders, sorted by owner key, all different.
    pub founders: Vec<Signed<Founder>>,
    /// The nodes that vote, a subset of the founders' nodes, sorted.
    pub validators: Vec<PublicKey>,
    /// The parameters.
    pub params: Params,
}

impl Genesis {
    /// Founds a network of these owners; the nodes of the first `validators` of them vote.
    ///
    /// # Errors
    /// [`Error::Invalid`] if the founders or the count do not make a network.
    pub fn found(
        name: String,
        founded: Time,
        founders: Vec<Signed<Founder>>,
        validators: usize,
        params: Params,
    ) -> Result<Self, Error> {
        if validators == 0 || validators > founders.len() {
            return Err(Error::invalid(
                "genesis",
                format!(
                    "{validators} validators of {} founders; every validator is a founder's node",
                    founders.len()
                ),
            ));
        }
        let mut voting: Vec<_> = founders[..validators].iter().map(|f| f.payload.node).collect();
        voting.sort();
        let mut founders = founders;
        founders.sort_by_key(|f| f.by);
        let genesis = Self { version: 1, name, founded, founders, validators: voting, params };
        genesis.check()?;
        Ok(genesis)
    }

    /// Reads and checks a document.
    ///
    /// # Errors
    /// If it is not canonical, or not a genesis.
    pub fn decode(bytes: &[u8]) -> Result<Self, Error> {
        let genesis: Self = canonical::decode(bytes, limits::GENESIS_BYTES)?;
        genesis.check()?;
        Ok(genesis)
    }

    /// The canonical bytes.
    pub fn encode(&self) -> Vec<u8> {
        canonical::encode(self)
    }

    /// The network's name: a digest of this document.
    pub fn network(&self) -> NetworkId {
        NetworkId(Digest::of("polity genesis", &[&self.encode()]))
    }

    /// Faults that the validators tolerate: f in n ≥ 3f + 1.
    pub fn tolerated_faults(&self) -> usize {
        self.validators.len().saturating_sub(1) / 3
    }

    fn check(&self) -> Result<(), Error> {
        let wrong = |reason: String| Err(Error::invalid("genesis", reason));
        if self.version != 1 {
            return wrong(format!("version {}; this polity reads version 1", self.version));
        }
        if self.founders.is_empty() || self.founders.len() > limits::VALIDATORS * 8 {
            return wrong(format!("{} founders", self.founders.len()));
        }
        let mut nodes = BTreeSet::new();
        for pair in self.founders.windows(2) {
            if pair[0].by >= pair[1].by {
                return wrong(format!("owner {} founds twice, or out of order", pair[1].by));
            }
        }
        for founder in &self.founders {
            founder.check(NetworkId::FOUNDING)?;
            check_name(&founder.payload.name)?;
            let addresses = &founder.payload.addresses;
            if addresses.len() > 8 || addresses.iter().any(|a| a.len() > 256) {
                return wrong(format!("too many or too long addresses of {}", founder.by));
            }
            if !nodes.insert(founder.payload.node) {
                return wrong(format!("node {} is named twice", founder.payload.node));
            }
        }
        check_name(&self.name)?;
        if self.validators.is_empty() || self.validators.len() > limits::VALIDATORS {
            return wrong(format!("{} validators", self.validators.len()));
        }
        if self.validators.windows(2).any(|pair| pair[0] >= pair[1]) {
            return wrong("validators repeat, or are out of order".into());
        }
        if let Some(stranger) = self.validators.iter().find(|v| !nodes.contains(v)) {
            return wrong(format!("validator {stranger} is no founder's node"));
        }
        let p = &self.params;
        if p.leader_timeout_ms == 0 || p.heartbeat_ms == 0 || p.job_lifetime_ms == 0 {
            return wrong("a duration of zero".into());
        }
        if p.sanctions_ms.is_empty() || p.sanctions_ms.len() > 16 || p.sanctions_ms.contains(&0) {
            return wrong("1 to 16 durations of sanctions, none of them zero".into());
        }
        if p.audit_per_mille > 1_000 || p.auditors > 16 {
            return wrong("more than 1,000 of 1,000 tasks, or more than 16 auditors".into());
        }
        if p.distinct == Distinct::Nodes && self.founders.len() > 1 {
            return wrong("several founders, but replicas of one owner".into());
        }
        if p.verdict_ms == 0 || p.open_disputes == 0 || p.failed_disputes == 0 {
            return wrong("nobody could dispute".into());
        }
        Ok(())
    }
}

/// Names are for people: short, and nothing that moves a cursor.
pub(crate) fn check_name(name: &str) -> Result<(), Error> {
    if name.is_empty() || name.chars().count() > 64 || name.chars().any(char::is_control) {
        return Err(Error::invalid("name", "1 to 64 characters, none of them control characters"));
    }
    Ok(())
}
