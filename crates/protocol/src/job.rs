//! A job: an owner's signed order, and the table of its tasks.

use crate::{Error, JobId, TaskKey, TaskSpec, TaskTable, Terms, Time, limits, terms::is_default};
use identity::{AtOnce, Digest, NetworkId, Notary, PublicKey, Sign, Signed, canonical};
use objects::Cid;
use serde::{Deserialize, Serialize};
use std::{fmt, str::FromStr};

/// What a task may use. A task that meets a limit ends with it, the same on every replica, except
/// for wall time, which is no result.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Limits {
    /// Units of work: about one for each Wasm instruction.
    pub fuel: u64,
    /// Linear memory.
    pub memory_bytes: u64,
    /// Everything the program writes: files, stdout and stderr together.
    pub output_bytes: u64,
    /// Wall time of one replica.
    pub wall_ms: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            fuel: 100_000_000_000,
            memory_bytes: 512 << 20,
            output_bytes: 64 << 20,
            wall_ms: 600_000,
        }
    }
}

/// How many replicas run a task, and how many must agree.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Verification {
    /// Replicas of different owners that must agree.
    pub k: u16,
    /// Replicas at most.
    pub n: u16,
}

impl Verification {
    /// One replica, compared with nothing.
    pub const SINGLE: Self = Self { k: 1, n: 1 };
}

impl fmt::Display for Verification {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if *self == Self::SINGLE {
            f.write_str("single")
        } else {
            write!(f, "{}of{}", self.k, self.n)
        }
    }
}

impl FromStr for Verification {
    type Err = Error;
    fn from_str(text: &str) -> Result<Self, Error> {
        let wrong = || {
            Error::invalid(
                "verification",
                format!("'{text}' is neither 'single' nor K'of'N with 1 ≤ K ≤ N ≤ 64, as in 2of3"),
            )
        };
        if text == "single" {
            return Ok(Self::SINGLE);
        }
        let (k, n) = text.split_once("of").ok_or_else(wrong)?;
        let parsed =
            Self { k: k.parse().map_err(|_| wrong())?, n: n.parse().map_err(|_| wrong())? };
        if parsed.k == 0 || parsed.k > parsed.n || parsed.n > limits::REPLICAS {
            return Err(wrong());
        }
        Ok(parsed)
    }
}

/// How the replicas are found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Placement {
    /// Drawn with the last final beacon: at once, but a submitter could grind its nonce.
    Fast,
    /// Ordered on the ledger first, and drawn with the beacon of the next block: one more round,
    /// and nothing to grind.
    Sealed,
}

impl fmt::Display for Placement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Fast => "fast",
            Self::Sealed => "sealed",
        })
    }
}

impl FromStr for Placement {
    type Err = Error;
    fn from_str(text: &str) -> Result<Self, Error> {
        match text {
            "fast" => Ok(Self::Fast),
            "sealed" => Ok(Self::Sealed),
            _ => {
                Err(Error::invalid("placement", format!("'{text}' is neither 'fast' nor 'sealed'")))
            }
        }
    }
}

/// An owner's order. Its id is the CID of this payload.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Job {
    /// The network it is meant for.
    pub network: NetworkId,
    /// The node that takes care of it.
    pub home: PublicKey,
    /// The program: a Wasm module.
    pub program: Cid,
    /// Its tasks: the CID of a [`TaskTable`].
    pub table: Cid,
    /// How many tasks the table has.
    pub tasks: u32,
    /// The engine that must run it: version and configuration, as in [`crate::Outcome::fingerprint`].
    /// Nodes with another one do not run it, so that no honest node is ever compared with them.
    pub engine: Digest,
    /// Seed of the randomness that the program sees: see [`TaskTable::seed_of`].
    pub seed: Digest,
    /// What each task may use.
    pub limits: Limits,
    /// How the replicas are found.
    pub placement: Placement,
    /// How many must agree.
    pub verification: Verification,
    /// When the submitter signed it.
    pub issued: Time,
    /// Until when results count (block time).
    pub expires: Time,
    /// Makes two orders of the same content two jobs.
    pub nonce: Digest,
    /// What the queue is told about it, and who may run it.
    #[serde(default, skip_serializing_if = "is_default")]
    pub terms: Terms,
}

impl Sign for Job {
    const DOMAIN: &'static str = "job";
}

impl Job {
    /// The job's id.
    pub fn id(&self) -> JobId {
        JobId(Cid::of_value(self))
    }

    /// Checks signature, network and every field; not the submitter's standing, nor the clock.
    ///
    /// # Errors
    /// What does not hold.
    pub fn check(order: &Signed<Self>, network: NetworkId) -> Result<(), Error> {
        Self::check_by(order, network, &mut AtOnce)
    }

    /// As [`Self::check`]; the signature is the notary's.
    ///
    /// # Errors
    /// What does not hold.
    pub fn check_by(
        order: &Signed<Self>,
        network: NetworkId,
        notary: &mut impl Notary,
    ) -> Result<(), Error> {
        let job = &order.payload;
        let wrong = |reason: String| Err(Error::invalid("job", reason));
        if job.network != network {
            return Err(Error::ForeignNetwork { expected: network, got: job.network });
        }
        notary.see(order, network)?;
        if job.tasks == 0 || job.tasks > limits::TASKS {
            return wrong(format!("{} tasks; 1 to {} are allowed", job.tasks, limits::TASKS));
        }
        let Verification { k, n } = job.verification;
        if k == 0 || k > n || n > limits::REPLICAS {
            return wrong(format!("{k} of {n} replicas"));
        }
        let task_bytes = limits::RECEIPT_TASK_BYTES + u64::from(k) * limits::RECEIPT_REPLICA_BYTES;
        let most = limits::RECEIPT_BYTES as u64 / task_bytes;
        if u64::from(job.tasks) > most {
            let tasks = job.tasks;
            return wrong(format!(
                "{tasks} tasks: with {k} replicas of each a receipt has room for {most}; split it"
            ));
        }
        if job.expires <= job.issued {
            return wrong("it expires before it was issued".into());
        }
        let l = &job.limits;
        if l.fuel == 0 || l.memory_bytes == 0 || l.wall_ms == 0 {
            return wrong("a limit of zero".into());
        }
        if l.memory_bytes > 4 << 30 || l.output_bytes > 1 << 30 || l.wall_ms > 86_400_000 {
            return wrong(
                "limits over 4 GiB of memory, 1 GiB of output or a day of wall time".into(),
            );
        }
        job.terms.check(job.issued, job.expires)
    }
}

impl Job {
    /// What the result of a task is a function of, whichever job it is a part of: program, seed,
    /// inputs, arguments, parameters, engine, and every limit but wall time.
    pub fn key_of(&self, table: &TaskTable, task: &TaskSpec) -> TaskKey {
        let Limits { fuel, memory_bytes, output_bytes, .. } = self.limits;
        let seed = table.seed_of(&self.seed, task);
        let all = (self.program, seed, self.engine, fuel, memory_bytes, output_bytes);
        TaskKey(Digest::of("polity task key", &[&canonical::encode(&all)]))
    }
}
