//! Writing: what follows from the rest is left out.

use super::{
    CidAt, Packed, PackedAgreed, PackedBatch, PackedOutcome, PackedPart, PackedTask, Sets, digests,
    hidden, opened,
};
use crate::{
    Agreed, Agreements, Body, CommitBatch, Commitment, Commits, JobId, Outcome, Part, Receipt,
    Reveal, RevealBatch, Reveals, TaskSpec, agreement::root_of,
};
use identity::{Digest, PublicKey, Signed};
use objects::Cid;
use serde::Serialize;
use std::{
    collections::{BTreeMap, HashMap, hash_map::Entry},
    hash::Hash,
};

impl Packed {
    /// The form of a receipt.
    pub(crate) fn of(receipt: &Receipt) -> Self {
        let body = &receipt.body;
        let job = body.order.payload.id();
        let mut cids = Cids::default();
        let tasks = body.table.rows().iter().map(|task| pack_task(task, &mut cids)).collect();
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
                firsts: pack_firsts(tasks),
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
            axes: body.table.axes().to_vec(),
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
}

/// Who was first by score, each with the places of the tasks.
fn pack_firsts(tasks: &[Agreed]) -> Vec<(PublicKey, Vec<u32>)> {
    let mut firsts: BTreeMap<_, Vec<_>> = BTreeMap::new();
    for (place, agreed) in (0..).zip(tasks) {
        if let Some(first) = agreed.first {
            firsts.entry(first).or_default().push(place);
        }
    }
    firsts.into_iter().collect()
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

/// Different batches, in the order of their first use.
struct Shelf<'a, B> {
    batches: Vec<&'a B>,
    places: HashMap<&'a B, u32>,
}

impl<B> Default for Shelf<'_, B> {
    fn default() -> Self {
        Self { batches: Vec::new(), places: HashMap::new() }
    }
}

impl<'a, B: Eq + Hash> Shelf<'a, B> {
    fn add(&mut self, batch: &'a B) {
        if let Entry::Vacant(place) = self.places.entry(batch) {
            place.insert(self.batches.len() as u32);
            self.batches.push(batch);
        }
    }

    fn at(&self, batch: &B) -> u32 {
        *self.places.get(batch).expect("every batch was added")
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

fn pack_outcome(outcome: &Outcome, (id, body): (JobId, &Body), cids: &mut Cids) -> PackedOutcome {
    let order = &body.order.payload;
    let task_name = body.table.name(outcome.task.0 as usize);
    let outputs = outcome.outputs.iter();
    let outputs = outputs.map(|output| {
        let path =
            (Some(output.path.as_str()) != task_name.as_deref()).then(|| output.path.clone());
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
