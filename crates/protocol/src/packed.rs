//! The form of a receipt in its file: what can be computed is left out.
//!
//! A receipt says much twice: a reveal names the outcome that is in the file, a commitment is a
//! digest of it, a set is a digest of commitments, and transactions share batches. All of it is
//! computed again when the file is read, so that a task takes some 200 bytes. Where something is
//! not what would be computed, it stands there: any receipt has a form, a false one too.

use crate::{
    Admission, Agreed, Agreements, Attempt, Body, CommitBatch, Commitment, Commits, End, Finality,
    Genesis, Header, Height, Input, Job, JobId, Member, Outcome, OutcomeDigest, Output, Part,
    Receipt, Reveal, RevealBatch, Reveals, Ruled, Salt, Seal, TaskIndex, TaskSpec, TaskTable,
    Unsettled, Verdicts, agreement::root_of, commitment_of, draw::Skip, merkle::Inclusion,
    set_digest,
};
use identity::{Digest, PublicKey, Signature, Signed};
use objects::Cid;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, HashMap};

/// How many times what is written once may be referred to, on average: else a small file could
/// stand for more than fits into memory.
const REPEATS: usize = 16;
/// Leaves that may be repeated in any file.
const FREE_LEAVES: usize = 65_536;

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
    header: Header,
    inclusion: Inclusion,
    finality: Finality,
}

/// Task, outcome unless it is the one in the file, sets, skips, whether it rests on a verdict.
#[derive(Serialize, Deserialize)]
struct PackedAgreed(TaskIndex, Option<OutcomeDigest>, Vec<Vec<Attempt>>, Vec<Skip>, bool);

/// Why a packed receipt cannot be read.
pub(crate) const BROKEN: &str = "it refers to something that it does not hold";

impl Packed {
    /// The form of a receipt.
    pub(crate) fn of(receipt: &Receipt) -> Self {
        let body = &receipt.body;
        let job = body.order.payload.id();
        let mut cids = Cids::default();
        let tasks = body.table.tasks.iter().map(|task| pack_task(task, &mut cids)).collect();
        let outcomes =
            body.outcomes.iter().map(|outcome| pack_outcome(outcome, (job, body), &mut cids));
        let outcomes = outcomes.collect();
        let mut commits = Shelf::default();
        let mut reveals = Shelf::default();
        for Part { agreements, .. } in &body.parts {
            agreements.commits.iter().for_each(|batch| commits.add(batch));
            agreements.reveals.iter().for_each(|batch| reveals.add(batch));
        }
        let known = digests(&body.outcomes);
        let opened = opened(reveals.batches.iter().flat_map(|batch| {
            batch.leaves.iter().map(|leaf| (batch.statement.by, leaf.task, leaf.attempt, leaf))
        }));
        let hidden = hidden(commits.batches.iter().flat_map(|batch| {
            let by = batch.statement.by;
            batch.leaves.iter().map(move |leaf| (by, leaf.task, leaf.attempt, leaf.hidden))
        }));
        let agreed = body.parts.iter().flat_map(|part| &part.agreements.tasks);
        let sets = Sets::of(job, agreed.map(|agreed| (agreed.task, &agreed.sets)), &hidden);
        let pack_commits = |batch: &&CommitBatch| {
            let by = batch.statement.by;
            let leaf = |leaf: &Commitment| {
                let (task, attempt) = (leaf.task, leaf.attempt);
                let usual = opened.get(&(by, task, attempt)).copied();
                (task, attempt, unless(leaf.hidden, usual))
            };
            let Commits { job: of, count, root } = batch.statement.payload;
            let leaves = batch.leaves.iter().map(leaf).collect();
            pack_batch((of, count, root), job, &batch.leaves, &batch.statement, leaves)
        };
        let pack_reveals = |batch: &&RevealBatch| {
            let leaf = |leaf: &Reveal| {
                let outcome = unless(leaf.outcome, known.get(&leaf.task).copied());
                let set = unless(leaf.set, sets.get(leaf.task, leaf.attempt));
                (leaf.task, leaf.attempt, leaf.salt, outcome, set)
            };
            let Reveals { job: of, count, root } = batch.statement.payload;
            let leaves = batch.leaves.iter().map(leaf).collect();
            pack_batch((of, count, root), job, &batch.leaves, &batch.statement, leaves)
        };
        let pack_part = |part: &Part| {
            let Agreements { order, drawn, commits: own, reveals: shown, tasks } = &part.agreements;
            let task = |agreed: &Agreed| {
                let outcome = unless(agreed.outcome, known.get(&agreed.task).copied());
                let (sets, skipped) = (agreed.sets.clone(), agreed.skipped.clone());
                PackedAgreed(agreed.task, outcome, sets, skipped, agreed.decided)
            };
            PackedPart {
                order: (*order != body.order).then(|| order.clone()),
                drawn: *drawn,
                commits: own.iter().map(|batch| commits.at(batch)).collect(),
                reveals: shown.iter().map(|batch| reveals.at(batch)).collect(),
                tasks: tasks.iter().map(task).collect(),
                header: part.header.clone(),
                inclusion: part.inclusion.clone(),
                finality: part.finality.clone(),
            }
        };
        Self {
            genesis: body.genesis.clone(),
            order: body.order.clone(),
            args: body.table.args.clone(),
            tasks,
            vouchers: body.vouchers.clone(),
            outcomes,
            commits: commits.batches.iter().map(pack_commits).collect(),
            reveals: reveals.batches.iter().map(pack_reveals).collect(),
            parts: body.parts.iter().map(pack_part).collect(),
            unsettled: body.unsettled.clone(),
            dissent: body.dissent.clone(),
            ruled: body.ruled.clone(),
            verdicts: body.verdicts.clone(),
            seal: receipt.seal.clone(),
            cids: cids.names,
        }
    }

    /// The receipt, with everything that was left out.
    ///
    /// # Errors
    /// [`BROKEN`], or that it repeats itself too often.
    pub(crate) fn open(self) -> Result<Receipt, &'static str> {
        self.check_repeats()?;
        let job = self.order.payload.id();
        let tasks = self.tasks.into_iter().map(|task| open_task(task, &self.cids));
        let table = TaskTable { args: self.args, tasks: tasks.collect::<Result<_, _>>()? };
        let outcomes = self.outcomes.into_iter();
        let outcomes: Vec<Outcome> = outcomes
            .map(|outcome| open_outcome(outcome, (job, &self.order.payload), &table, &self.cids))
            .collect::<Result<_, _>>()?;
        let known = digests(&outcomes);

        let mut reveals = Vec::with_capacity(self.reveals.len());
        for PackedBatch(.., by, _, leaves) in &self.reveals {
            let mut open = Vec::with_capacity(leaves.len());
            for (task, attempt, salt, outcome, set) in leaves {
                let outcome = outcome.or(known.get(task).copied()).ok_or(BROKEN)?;
                let (task, attempt, salt) = (*task, *attempt, *salt);
                let set = set.unwrap_or_default();
                open.push(Reveal { task, attempt, set, outcome, salt });
            }
            reveals.push((*by, open));
        }
        let opened = opened(reveals.iter().flat_map(|(by, leaves)| {
            leaves.iter().map(|leaf| (*by, leaf.task, leaf.attempt, leaf))
        }));
        let mut commits = Vec::with_capacity(self.commits.len());
        for PackedBatch(of, count, root, by, signature, leaves) in self.commits {
            let open = |(task, attempt, hidden): HiddenLeaf| {
                let hidden = hidden.or(opened.get(&(by, task, attempt)).copied()).ok_or(BROKEN)?;
                Ok::<_, &'static str>(Commitment { task, attempt, hidden })
            };
            let leaves: Vec<_> = leaves.into_iter().map(open).collect::<Result<_, _>>()?;
            let (job, count, root) = statement((of, count, root), job, &leaves);
            let payload = Commits { job, count, root };
            commits.push(CommitBatch { statement: Signed { payload, by, signature }, leaves });
        }
        let hidden = hidden(commits.iter().flat_map(|batch| {
            let by = batch.statement.by;
            batch.leaves.iter().map(move |leaf| (by, leaf.task, leaf.attempt, leaf.hidden))
        }));
        let agreed = self.parts.iter().flat_map(|part| &part.tasks);
        let sets =
            Sets::of(job, agreed.map(|PackedAgreed(task, _, sets, ..)| (*task, sets)), &hidden);
        let mut shown = Vec::with_capacity(reveals.len());
        for (packed, (_, mut leaves)) in self.reveals.into_iter().zip(reveals) {
            let PackedBatch(of, count, root, by, signature, said) = packed;
            for (leaf, (.., set)) in leaves.iter_mut().zip(said) {
                leaf.set = set.or(sets.get(leaf.task, leaf.attempt)).ok_or(BROKEN)?;
            }
            let (job, count, root) = statement((of, count, root), job, &leaves);
            let payload = Reveals { job, count, root };
            shown.push(RevealBatch { statement: Signed { payload, by, signature }, leaves });
        }
        let open = |part| open_part(part, &self.order, (&commits, &shown), &known);
        let parts = self.parts.into_iter().map(open).collect::<Result<_, _>>()?;
        let body = Body {
            genesis: self.genesis,
            table,
            vouchers: self.vouchers,
            outcomes,
            parts,
            unsettled: self.unsettled,
            dissent: self.dissent,
            ruled: self.ruled,
            verdicts: self.verdicts,
            order: self.order,
        };
        Ok(Receipt { body, seal: self.seal })
    }

    fn check_repeats(&self) -> Result<(), &'static str> {
        let commits: Vec<usize> = self.commits.iter().map(|batch| batch.5.len()).collect();
        let reveals: Vec<usize> = self.reveals.iter().map(|batch| batch.5.len()).collect();
        let once: usize = commits.iter().chain(&reveals).sum();
        let all = |named: &[u32], sizes: &[usize]| {
            named.iter().filter_map(|at| sizes.get(*at as usize)).sum::<usize>()
        };
        let parts = self.parts.iter();
        let said: usize =
            parts.map(|part| all(&part.commits, &commits) + all(&part.reveals, &reveals)).sum();
        if said > once.saturating_mul(REPEATS).saturating_add(FREE_LEAVES) {
            return Err("it repeats itself too often");
        }
        Ok(())
    }
}

/// A value, unless it is the usual one.
fn unless<T: PartialEq>(value: T, usual: Option<T>) -> Option<T> {
    (usual.as_ref() != Some(&value)).then_some(value)
}

/// Names of content that were used, and where they stand.
#[derive(Default)]
struct Cids {
    names: Vec<Cid>,
    places: HashMap<Cid, CidAt>,
}

impl Cids {
    fn at(&mut self, cid: Cid) -> CidAt {
        *self.places.entry(cid).or_insert_with(|| {
            self.names.push(cid);
            self.names.len() as CidAt - 1
        })
    }
}

fn named(cids: &[Cid], at: CidAt) -> Result<Cid, &'static str> {
    cids.get(at as usize).copied().ok_or(BROKEN)
}

/// Different batches, in the order of their first use.
struct Shelf<'a, B> {
    batches: Vec<&'a B>,
    /// By signer and root; different ones may share these in a receipt that does not hold.
    places: HashMap<(PublicKey, Digest), Vec<u32>>,
}

impl<B> Default for Shelf<'_, B> {
    fn default() -> Self {
        Self { batches: Vec::new(), places: HashMap::new() }
    }
}

/// What tells batches apart quickly.
trait Batch: PartialEq {
    fn key(&self) -> (PublicKey, Digest);
}

impl Batch for CommitBatch {
    fn key(&self) -> (PublicKey, Digest) {
        (self.statement.by, self.statement.payload.root)
    }
}

impl Batch for RevealBatch {
    fn key(&self) -> (PublicKey, Digest) {
        (self.statement.by, self.statement.payload.root)
    }
}

impl<'a, B: Batch> Shelf<'a, B> {
    fn add(&mut self, batch: &'a B) {
        if self.find(batch).is_none() {
            self.places.entry(batch.key()).or_default().push(self.batches.len() as u32);
            self.batches.push(batch);
        }
    }

    fn find(&self, batch: &B) -> Option<u32> {
        let places = self.places.get(&batch.key())?;
        places.iter().copied().find(|at| self.batches[*at as usize] == batch)
    }

    fn at(&self, batch: &B) -> u32 {
        self.find(batch).expect("every batch was added")
    }
}

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

fn pack_task(task: &TaskSpec, cids: &mut Cids) -> PackedTask {
    let inputs = task.inputs.iter();
    let inputs = inputs.map(|input| {
        let name = (input.name != task.name).then(|| input.name.clone());
        (name, cids.at(input.cid), input.size_bytes)
    });
    let inputs = inputs.collect();
    PackedTask(task.name.clone(), inputs, task.stdin.map(|cid| cids.at(cid)), task.params.clone())
}

fn open_task(task: PackedTask, cids: &[Cid]) -> Result<TaskSpec, &'static str> {
    let PackedTask(name, inputs, stdin, params) = task;
    let open = |(own, at, size_bytes): PackedFile| {
        let name = own.unwrap_or_else(|| name.clone());
        Ok::<_, &'static str>(Input { name, cid: named(cids, at)?, size_bytes })
    };
    let inputs = inputs.into_iter().map(open).collect::<Result<_, _>>()?;
    let stdin = stdin.map(|at| named(cids, at)).transpose()?;
    Ok(TaskSpec { name, inputs, stdin, params })
}

fn pack_outcome(outcome: &Outcome, (id, body): (JobId, &Body), cids: &mut Cids) -> PackedOutcome {
    let order = &body.order.payload;
    let task_name = body.table.tasks.get(outcome.task.0 as usize).map(|task| &task.name);
    let outputs = outcome.outputs.iter();
    let outputs = outputs.map(|output| {
        let path = (Some(&output.path) != task_name).then(|| output.path.clone());
        (path, cids.at(output.cid), output.size_bytes)
    });
    let outputs = outputs.collect();
    let (stdout, stderr) = (cids.at(outcome.stdout), cids.at(outcome.stderr));
    PackedOutcome {
        job: unless(outcome.job, Some(id)),
        fingerprint: unless(outcome.fingerprint, Some(order.engine)),
        content: (outcome.task, outcome.end, outcome.fuel, outputs, stdout, stderr),
    }
}

fn open_outcome(
    outcome: PackedOutcome,
    (id, order): (JobId, &Job),
    table: &TaskTable,
    cids: &[Cid],
) -> Result<Outcome, &'static str> {
    let PackedOutcome { job, fingerprint, content } = outcome;
    let (task, end, fuel, outputs, stdout, stderr) = content;
    let task_name = table.tasks.get(task.0 as usize).map(|task| &task.name);
    let open = |(path, at, size_bytes): PackedFile| {
        let path = path.or_else(|| task_name.cloned()).ok_or(BROKEN)?;
        Ok::<_, &'static str>(Output { path, cid: named(cids, at)?, size_bytes })
    };
    Ok(Outcome {
        job: job.unwrap_or(id),
        task,
        end,
        fuel,
        fingerprint: fingerprint.unwrap_or(order.engine),
        outputs: outputs.into_iter().map(open).collect::<Result<_, _>>()?,
        stdout: named(cids, stdout)?,
        stderr: named(cids, stderr)?,
    })
}

fn pack_batch<S, L: Serialize, P>(
    (of, count, root): (JobId, u32, Digest),
    job: JobId,
    leaves: &[L],
    statement: &Signed<S>,
    packed: Vec<P>,
) -> PackedBatch<P> {
    let count = unless(count, u32::try_from(leaves.len()).ok());
    let root = unless(root, Some(root_of(leaves)));
    PackedBatch(unless(of, Some(job)), count, root, statement.by, statement.signature, packed)
}

/// What was signed over these leaves.
fn statement<L: Serialize>(
    (of, count, root): (Option<JobId>, Option<u32>, Option<Digest>),
    job: JobId,
    leaves: &[L],
) -> (JobId, u32, Digest) {
    let count = count.unwrap_or_else(|| u32::try_from(leaves.len()).unwrap_or(u32::MAX));
    (of.unwrap_or(job), count, root.unwrap_or_else(|| root_of(leaves)))
}

fn open_part(
    part: PackedPart,
    order: &Signed<Job>,
    (commits, reveals): (&[CommitBatch], &[RevealBatch]),
    known: &BTreeMap<TaskIndex, OutcomeDigest>,
) -> Result<Part, &'static str> {
    let open = |agreed: PackedAgreed| {
        let PackedAgreed(task, outcome, sets, skipped, decided) = agreed;
        let outcome = outcome.or(known.get(&task).copied()).ok_or(BROKEN)?;
        Ok::<_, &'static str>(Agreed { task, outcome, sets, skipped, decided })
    };
    let agreements = Agreements {
        order: part.order.unwrap_or_else(|| order.clone()),
        drawn: part.drawn,
        commits: pick(commits, &part.commits)?,
        reveals: pick(reveals, &part.reveals)?,
        tasks: part.tasks.into_iter().map(open).collect::<Result<_, _>>()?,
    };
    let PackedPart { header, inclusion, finality, .. } = part;
    Ok(Part { agreements, header, inclusion, finality })
}

fn pick<B: Clone>(batches: &[B], places: &[u32]) -> Result<Vec<B>, &'static str> {
    places.iter().map(|at| batches.get(*at as usize).cloned().ok_or(BROKEN)).collect()
}
