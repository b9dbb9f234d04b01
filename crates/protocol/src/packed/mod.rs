//! The form of a receipt in its file: what can be computed is left out.
//!
//! A receipt says much twice: a reveal names the outcome that is in the file, a commitment is a
//! digest of it, a set is a digest of commitments, and transactions share batches. All of it is
//! computed again when the file is read, so that a task takes some 200 bytes. Where something is
//! not what would be computed, it stands there: any receipt has a form, a false one too.

mod open;
mod pack;
#[cfg(test)]
mod tests;

use crate::{
    Admission, Attempt, Axis, End, Finality, Genesis, Header, Height, Job, JobId, Member, Outcome,
    OutcomeDigest, Reveal, RevealBatch, Ruled, Salt, Seal, TaskIndex, Unsettled, Verdicts,
    commitment_of, draw::Skip, merkle::Inclusion, set_digest,
};
use identity::{Digest, PublicKey, Signature, Signed};
use objects::Cid;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, HashMap};

/// A receipt as it is written.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Packed {
    genesis: Genesis,
    order: Signed<Job>,
    /// Every name of content, in the order of its first use.
    cids: Vec<Cid>,
    args: Vec<String>,
    tasks: Vec<PackedTask>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    axes: Vec<Axis>,
    vouchers: Vec<Signed<Admission>>,
    outcomes: Vec<PackedOutcome>,
    /// Every batch, in the order of its first use.
    commits: Vec<PackedBatch<HiddenLeaf>>,
    reveals: Vec<PackedBatch<OpenLeaf>>,
    parts: Vec<PackedPart>,
    unsettled: Vec<(TaskIndex, Unsettled)>,
    dissent: Vec<RevealBatch>,
    ruled: Vec<Ruled>,
    verdicts: Vec<Signed<Verdicts>>,
    seal: Signed<Seal>,
}

/// Place of a name in [`Packed::cids`].
type CidAt = u32;

/// A file: its name, unless it is the task's own; its content; its size.
type PackedFile = (Option<String>, CidAt, u64);

/// Name, inputs, stdin, parameters.
#[derive(Serialize, Deserialize)]
struct PackedTask(String, Vec<PackedFile>, Option<CidAt>, Vec<(String, String)>);

#[derive(Serialize, Deserialize)]
struct PackedOutcome {
    /// Unless it is the receipt's.
    #[serde(rename = "j", default, skip_serializing_if = "Option::is_none")]
    job: Option<JobId>,
    /// Unless it is the one that the job names.
    #[serde(rename = "f", default, skip_serializing_if = "Option::is_none")]
    fingerprint: Option<Digest>,
    /// Task, end, fuel, outputs, stdout, stderr.
    #[serde(rename = "o")]
    content: (TaskIndex, End, u64, Vec<PackedFile>, CidAt, CidAt),
}

/// Job, count and root, where they are not those of the leaves; signer; signature; leaves.
#[derive(Serialize, Deserialize)]
struct PackedBatch<L>(Option<JobId>, Option<u32>, Option<Digest>, PublicKey, Signature, Vec<L>);

/// A commitment, and its digest unless a reveal opens it.
type HiddenLeaf = (TaskIndex, Attempt, Option<Digest>);
/// A reveal; outcome and set unless they are those of the task.
type OpenLeaf = (TaskIndex, Attempt, Salt, Option<OutcomeDigest>, Option<Digest>);

#[derive(Serialize, Deserialize)]
struct PackedPart {
    /// Unless it is the receipt's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    order: Option<Signed<Job>>,
    drawn: Height,
    commits: Vec<u32>,
    reveals: Vec<u32>,
    tasks: Vec<PackedAgreed>,
    /// Who was first by score, and in which of these tasks; sorted.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    firsts: Vec<(PublicKey, Vec<u32>)>,
    header: Header,
    inclusion: Inclusion,
    finality: Finality,
}

/// Task, outcome unless it is the one in the file, sets, skips, whether it rests on a verdict.
#[derive(Serialize, Deserialize)]
struct PackedAgreed(TaskIndex, Option<OutcomeDigest>, Vec<Vec<Attempt>>, Vec<Skip>, bool);

/// The outcome of each task in the file.
fn digests(outcomes: &[Outcome]) -> BTreeMap<TaskIndex, OutcomeDigest> {
    let mut known = BTreeMap::new();
    for outcome in outcomes {
        known.entry(outcome.task).or_insert_with(|| outcome.digest());
    }
    known
}

type Spoken = (PublicKey, TaskIndex, Attempt);

/// The commitment that each reveal opens.
fn opened<'a>(
    reveals: impl Iterator<Item = (PublicKey, TaskIndex, Attempt, &'a Reveal)>,
) -> HashMap<Spoken, Digest> {
    let mut opened = HashMap::new();
    for (by, task, attempt, leaf) in reveals {
        let hidden = || commitment_of(&by, &leaf.salt, &leaf.outcome);
        opened.entry((by, task, attempt)).or_insert_with(hidden);
    }
    opened
}

type Hidden = HashMap<(TaskIndex, Attempt), (PublicKey, Digest)>;

/// The first commitment of each replica.
fn hidden(commits: impl Iterator<Item = (PublicKey, TaskIndex, Attempt, Digest)>) -> Hidden {
    let mut hidden = HashMap::new();
    for (by, task, attempt, digest) in commits {
        hidden.entry((task, attempt)).or_insert((by, digest));
    }
    hidden
}

/// The sets of each task, by their digests.
struct Sets<'a>(HashMap<TaskIndex, Vec<(&'a Vec<Attempt>, Digest)>>);

impl<'a> Sets<'a> {
    fn of(
        job: JobId,
        agreed: impl Iterator<Item = (TaskIndex, &'a Vec<Vec<Attempt>>)>,
        hidden: &Hidden,
    ) -> Self {
        let mut sets: HashMap<_, Vec<_>> = HashMap::new();
        for (task, shown) in agreed {
            for attempts in shown {
                let members: Option<Vec<Member>> = attempts
                    .iter()
                    .map(|attempt| {
                        let (node, hidden) = *hidden.get(&(task, *attempt))?;
                        Some(Member { node, attempt: *attempt, hidden })
                    })
                    .collect();
                if let Some(members) = members {
                    let digest = set_digest(&job, task, &members);
                    sets.entry(task).or_default().push((attempts, digest));
                }
            }
        }
        Self(sets)
    }

    /// The first set with this replica in it.
    fn get(&self, task: TaskIndex, attempt: Attempt) -> Option<Digest> {
        let sets = self.0.get(&task)?;
        sets.iter().find(|(attempts, _)| attempts.contains(&attempt)).map(|(_, digest)| *digest)
    }
}
