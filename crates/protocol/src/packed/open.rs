//! Reading: what was left out is computed again, and a file that says more than it has to, or in
//! another order, is refused: a receipt has one file.

use super::{
    CidAt, HiddenLeaf, OpenLeaf, Packed, PackedAgreed, PackedBatch, PackedFile, PackedOutcome,
    PackedPart, PackedTask, Sets, Spoken, hidden, opened,
};
use crate::{
    Agreed, Agreements, Body, CommitBatch, Commitment, Commits, Input, Job, JobId, Outcome,
    OutcomeDigest, Output, Part, Receipt, Reveal, RevealBatch, Reveals, TaskIndex, TaskSpec,
    TaskTable, agreement::root_of, port::Crew,
};
use identity::{Digest, PublicKey, Signed};
use objects::Cid;
use serde::Serialize;
use std::{
    borrow::Cow,
    collections::{BTreeMap, HashMap, HashSet},
    hash::Hash,
};

/// How many times what is written once may be referred to, on average: else a small file could
/// stand for more than fits into memory.
const REPEATS: usize = 16;
/// Leaves that may be repeated in any file.
const FREE_LEAVES: usize = 65_536;
/// What a crew does in one piece.
const PIECE: usize = 256;

/// Why a packed receipt cannot be read.
const BROKEN: &str = "it refers to something that it does not hold";
/// Why it is not read though it could be.
const UNUSUAL: &str = "it is not written as receipts are";

/// What came of reading.
type Opened<T> = Result<T, &'static str>;

impl Packed {
    /// The receipt, with everything that was left out: the only one with this form.
    ///
    /// # Errors
    /// That something is missing, that the receipt has another form, or that it repeats itself too
    /// often.
    pub(crate) fn open(self, crew: &dyn Crew) -> Opened<Receipt> {
        self.check_repeats()?;
        self.check_order()?;
        let job = self.order.payload.id();
        let mut names = Names::of(&self.cids)?;
        let tasks = self.tasks.into_iter().map(|task| open_task(task, &mut names));
        let table = TaskTable::grid(self.args, tasks.collect::<Opened<_>>()?, self.axes);
        let outcomes = self.outcomes.into_iter();
        let outcomes: Vec<Outcome> = outcomes
            .map(|outcome| open_outcome(outcome, (job, &self.order.payload), &table, &mut names))
            .collect::<Opened<_>>()?;
        names.end()?;
        let known = digests(&outcomes, crew);

        let reveals: Vec<Opening<'_>> =
            self.reveals.iter().map(|batch| open_leaves(batch, &known)).collect::<Opened<_>>()?;
        let opened = opened(reveals.iter().flat_map(|(packed, leaves)| {
            leaves.iter().map(|leaf| (packed.3, leaf.task, leaf.attempt, leaf))
        }));
        let commits = crew.map(&self.commits, |batch| open_commits(batch, job, &opened));
        let commits: Vec<CommitBatch> = commits.into_iter().collect::<Opened<_>>()?;
        let hidden = hidden(commits.iter().flat_map(|batch| {
            let by = batch.statement.by;
            batch.leaves.iter().map(move |leaf| (by, leaf.task, leaf.attempt, leaf.hidden))
        }));
        let agreed = self.parts.iter().flat_map(|part| &part.tasks);
        let sets =
            Sets::of(job, agreed.map(|PackedAgreed(task, _, sets, ..)| (*task, sets)), &hidden);
        let reveals = crew.map(&reveals, |opening| open_reveals(opening, job, &sets));
        let reveals: Vec<RevealBatch> = reveals.into_iter().collect::<Opened<_>>()?;
        all_differ(&commits)?;
        all_differ(&reveals)?;

        let parts = crew
            .map(&self.parts, |part| open_part(part, &self.order, (&commits, &reveals), &known));
        let body = Body {
            parts: parts.into_iter().collect::<Opened<_>>()?,
            genesis: self.genesis,
            table,
            vouchers: self.vouchers,
            outcomes,
            unsettled: self.unsettled,
            dissent: self.dissent,
            ruled: self.ruled,
            verdicts: self.verdicts,
            order: self.order,
        };
        Ok(Receipt { body, seal: self.seal })
    }

    fn check_repeats(&self) -> Opened<()> {
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

    /// Batches stand in the order of their first use, and all are used.
    fn check_order(&self) -> Opened<()> {
        let (mut commits, mut reveals) = (FirstUses::default(), FirstUses::default());
        for part in &self.parts {
            part.commits.iter().try_for_each(|at| commits.see(*at))?;
            part.reveals.iter().try_for_each(|at| reveals.see(*at))?;
        }
        commits.end(self.commits.len())?;
        reveals.end(self.reveals.len())
    }
}

/// What stands there; what is usual, if nothing does. Nobody writes down what is usual.
fn usually<T: PartialEq>(said: Option<T>, usual: Option<T>) -> Opened<T> {
    match (said, usual) {
        (Some(said), Some(usual)) if said == usual => Err(UNUSUAL),
        (Some(one), _) | (None, Some(one)) => Ok(one),
        (None, None) => Err(BROKEN),
    }
}

fn all_differ<T: Eq + Hash>(items: &[T]) -> Opened<()> {
    let mut seen = HashSet::with_capacity(items.len());
    if items.iter().all(|item| seen.insert(item)) { Ok(()) } else { Err(UNUSUAL) }
}

/// Places in a list that are used for the first time one after the other.
#[derive(Default)]
struct FirstUses {
    next: u32,
}

impl FirstUses {
    fn see(&mut self, at: u32) -> Opened<()> {
        if at > self.next {
            return Err(UNUSUAL);
        }
        self.next = self.next.max(at.saturating_add(1));
        Ok(())
    }

    /// Checks that all of the list was used, and nothing behind its end.
    fn end(self, count: usize) -> Opened<()> {
        match (self.next as usize).cmp(&count) {
            std::cmp::Ordering::Less => Err(UNUSUAL),
            std::cmp::Ordering::Equal => Ok(()),
            std::cmp::Ordering::Greater => Err(BROKEN),
        }
    }
}

/// Names of content, as they are used.
struct Names<'a> {
    cids: &'a [Cid],
    uses: FirstUses,
}

impl<'a> Names<'a> {
    fn of(cids: &'a [Cid]) -> Opened<Self> {
        all_differ(cids)?;
        Ok(Self { cids, uses: FirstUses::default() })
    }

    fn at(&mut self, at: CidAt) -> Opened<Cid> {
        self.uses.see(at)?;
        self.cids.get(at as usize).copied().ok_or(BROKEN)
    }

    fn end(self) -> Opened<()> {
        self.uses.end(self.cids.len())
    }
}

fn open_task(task: PackedTask, names: &mut Names<'_>) -> Opened<TaskSpec> {
    let PackedTask(name, inputs, stdin, params) = task;
    let open = |(own, at, size_bytes): PackedFile| {
        let cid = names.at(at)?;
        Ok(Input { name: usually(own, Some(name.clone()))?, cid, size_bytes })
    };
    let inputs = inputs.into_iter().map(open).collect::<Opened<_>>()?;
    let stdin = stdin.map(|at| names.at(at)).transpose()?;
    Ok(TaskSpec { name, inputs, stdin, params })
}

fn open_outcome(
    outcome: PackedOutcome,
    (id, order): (JobId, &Job),
    table: &TaskTable,
    names: &mut Names<'_>,
) -> Opened<Outcome> {
    let PackedOutcome { job, fingerprint, content } = outcome;
    let (task, end, fuel, outputs, stdout, stderr) = content;
    let task_name = table.name(task.0 as usize);
    let open = |(path, at, size_bytes): PackedFile| {
        let cid = names.at(at)?;
        Ok(Output { path: usually(path, task_name.clone().map(Cow::into_owned))?, cid, size_bytes })
    };
    Ok(Outcome {
        job: usually(job, Some(id))?,
        task,
        end,
        fuel,
        fingerprint: usually(fingerprint, Some(order.engine))?,
        outputs: outputs.into_iter().map(open).collect::<Opened<_>>()?,
        stdout: names.at(stdout)?,
        stderr: names.at(stderr)?,
    })
}

/// The outcome of each task in the file.
fn digests(outcomes: &[Outcome], crew: &dyn Crew) -> BTreeMap<TaskIndex, OutcomeDigest> {
    let pieces: Vec<_> = outcomes.chunks(PIECE).collect();
    let name = |piece: &&[Outcome]| super::digests(piece).into_iter().collect::<Vec<_>>();
    let mut known = BTreeMap::new();
    for (task, digest) in crew.map(&pieces, name).into_iter().flatten() {
        known.entry(task).or_insert(digest);
    }
    known
}

/// A batch of reveals, and its leaves without their sets, unless these are written.
type Opening<'a> = (&'a PackedBatch<OpenLeaf>, Vec<Reveal>);

fn open_leaves<'a>(
    batch: &'a PackedBatch<OpenLeaf>,
    known: &BTreeMap<TaskIndex, OutcomeDigest>,
) -> Opened<Opening<'a>> {
    let open = |(task, attempt, salt, outcome, set): &OpenLeaf| {
        let outcome = usually(*outcome, known.get(task).copied())?;
        let set = set.unwrap_or_default();
        Ok(Reveal { task: *task, attempt: *attempt, set, outcome, salt: *salt })
    };
    Ok((batch, batch.5.iter().map(open).collect::<Opened<_>>()?))
}

fn open_commits(
    batch: &PackedBatch<HiddenLeaf>,
    job: JobId,
    opened: &HashMap<Spoken, Digest>,
) -> Opened<CommitBatch> {
    let PackedBatch(of, count, root, by, signature, leaves) = batch;
    let open = |(task, attempt, said): &HiddenLeaf| {
        let hidden = usually(*said, opened.get(&(*by, *task, *attempt)).copied())?;
        Ok(Commitment { task: *task, attempt: *attempt, hidden })
    };
    let leaves: Vec<_> = leaves.iter().map(open).collect::<Opened<_>>()?;
    let (job, count, root) = statement((*of, *count, *root), job, &leaves)?;
    let payload = Commits { job, count, root };
    Ok(CommitBatch { statement: Signed { payload, by: *by, signature: *signature }, leaves })
}

fn open_reveals((batch, leaves): &Opening<'_>, job: JobId, sets: &Sets<'_>) -> Opened<RevealBatch> {
    let PackedBatch(of, count, root, by, signature, said) = batch;
    let open = |(leaf, (.., set)): (&Reveal, &OpenLeaf)| {
        let set = usually(*set, sets.get(leaf.task, leaf.attempt))?;
        Ok(Reveal { set, ..*leaf })
    };
    let leaves: Vec<_> = leaves.iter().zip(said).map(open).collect::<Opened<_>>()?;
    let (job, count, root) = statement((*of, *count, *root), job, &leaves)?;
    let payload = Reveals { job, count, root };
    Ok(RevealBatch { statement: Signed { payload, by: *by, signature: *signature }, leaves })
}

/// What was signed over these leaves.
fn statement<L: Serialize>(
    (of, count, root): (Option<JobId>, Option<u32>, Option<Digest>),
    job: JobId,
    leaves: &[L],
) -> Opened<(JobId, u32, Digest)> {
    let count = usually(count, u32::try_from(leaves.len()).ok())?;
    Ok((usually(of, Some(job))?, count, usually(root, Some(root_of(leaves)))?))
}

fn open_part(
    part: &PackedPart,
    order: &Signed<Job>,
    (commits, reveals): (&[CommitBatch], &[RevealBatch]),
    known: &BTreeMap<TaskIndex, OutcomeDigest>,
) -> Opened<Part> {
    let firsts = open_firsts(&part.firsts, part.tasks.len())?;
    let open = |(at, PackedAgreed(task, outcome, sets, skipped, decided)): (u32, &PackedAgreed)| {
        let outcome = usually(*outcome, known.get(task).copied())?;
        let (sets, skipped) = (sets.clone(), skipped.clone());
        let first = firsts.get(&at).copied();
        Ok(Agreed { task: *task, outcome, sets, skipped, decided: *decided, first })
    };
    let agreements = Agreements {
        order: usually(part.order.clone(), Some(order.clone()))?,
        drawn: part.drawn,
        commits: pick(commits, &part.commits)?,
        reveals: pick(reveals, &part.reveals)?,
        tasks: (0..).zip(&part.tasks).map(open).collect::<Opened<_>>()?,
    };
    Ok(Part {
        agreements,
        header: part.header.clone(),
        inclusion: part.inclusion.clone(),
        finality: part.finality.clone(),
    })
}

/// Who was first in each of so many tasks.
fn open_firsts(firsts: &[(PublicKey, Vec<u32>)], tasks: usize) -> Opened<BTreeMap<u32, PublicKey>> {
    if firsts.windows(2).any(|pair| pair[0].0 >= pair[1].0) {
        return Err(UNUSUAL);
    }
    let mut of_task = BTreeMap::new();
    for (node, places) in firsts {
        if places.is_empty() || places.windows(2).any(|pair| pair[0] >= pair[1]) {
            return Err(UNUSUAL);
        }
        for place in places {
            if *place as usize >= tasks {
                return Err(BROKEN);
            }
            if of_task.insert(*place, *node).is_some() {
                return Err(UNUSUAL);
            }
        }
    }
    Ok(of_task)
}

fn pick<B: Clone>(batches: &[B], places: &[u32]) -> Opened<Vec<B>> {
    places.iter().map(|at| batches.get(*at as usize).cloned().ok_or(BROKEN)).collect()
}
