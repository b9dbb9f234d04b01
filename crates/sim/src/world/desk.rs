//! What a node does about the ledger's open ends: a validator rules on disputes, an auditor runs
//! final tasks again, an executor objects to what it knows to be wrong, everybody accuses.
//!
//! All of it follows from the ledger's state, so that it survives a crash, and is said again until
//! the ledger has it.

use super::{Event, World, claims_in, truth};
use identity::{PublicKey, Signed};
use ledger::{DisputeRecord, Duty};
use protocol::{
    Accusation, Agreements, Audit, Cause, Contradiction, Dispute, JobId, OutcomeDigest, Ruling,
    TaskIndex, Time, Tx, Verdicts,
};
use std::collections::{BTreeMap, BTreeSet};

/// How long a node waits before it says something again.
const AGAIN_MS: u64 = 2_000;

/// A task.
pub(super) type At = (JobId, TaskIndex);

/// In what part a node disputes something.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum As {
    /// It ran a replica, and what is final is something else.
    Executor,
    /// Its replicas differ.
    Home,
}

/// What a node has in memory about the ledger's open ends.
#[derive(Default)]
pub(super) struct Desk {
    /// What it found by running tasks again; nothing if it could not.
    pub(super) found: BTreeMap<At, Option<OutcomeDigest>>,
    running: BTreeSet<At>,
    /// When it last spoke about a task.
    spoke: BTreeMap<At, Time>,
    /// Its disputes that the ledger does not have yet, as an executor and as a home.
    filed: BTreeMap<(At, As), Dispute>,
    /// When it last submitted them, and with how many claims.
    said: BTreeMap<(At, As), (Time, usize)>,
    /// What it saw validators rule first.
    rulings: BTreeMap<(PublicKey, At), Signed<Verdicts>>,
    /// Contradictions of rulings that it saw, and when it spoke about them.
    accused: BTreeMap<(PublicKey, Cause), (Accusation, Time)>,
    /// Whether it looks again by itself.
    pub(super) reviewing: bool,
}

impl Desk {
    pub(super) fn is_clear(&self) -> bool {
        self.filed.is_empty() && self.running.is_empty() && self.accused.is_empty()
    }
}

impl World {
    /// A node looks at what is open, and does its part.
    pub(super) fn review(&mut self, node: usize) {
        if !self.nodes[node].up {
            return;
        }
        let mut open = self.review_disputes(node);
        open |= self.review_duties(node);
        open |= self.review_filed(node);
        open |= self.review_accusations(node);
        if open && !self.nodes[node].desk.reviewing {
            self.nodes[node].desk.reviewing = true;
            let life = self.nodes[node].life;
            self.after(AGAIN_MS, Event::Review { node, life });
        }
    }

    /// Rules on open disputes, several under one signature.
    fn review_disputes(&mut self, node: usize) -> bool {
        let me = self.nodes[node].public();
        let ledger = &self.nodes[node].ledger;
        if ledger.validators().binary_search(&me).is_err() {
            return false;
        }
        let said = |record: &DisputeRecord| record.rulings.iter().any(|(by, _)| *by == me);
        let open: Vec<At> = ledger
            .disputes()
            .filter(|record| record.is_open() && !said(record))
            .map(|record| (record.job, record.task))
            .collect();
        let mut due = Vec::new();
        for at in &open {
            match self.nodes[node].desk.found.get(at).copied() {
                Some(found) if self.may_speak(node, *at) => due.push((*at, found)),
                Some(_) => {}
                None => self.rerun(node, *at),
            }
        }
        if !due.is_empty() {
            self.rule(node, &due);
        }
        !open.is_empty()
    }

    fn rule(&mut self, node: usize, due: &[(At, Option<OutcomeDigest>)]) {
        let network = self.polity.network();
        let owner = &self.nodes[node];
        let mut batches: Vec<Vec<Ruling>> = Vec::new();
        for ((job, task), found) in due {
            let outcomes = match owner.liar() {
                Some(liar) => liar.rulings(&owner.hand(), (*job, *task), *found),
                None => vec![*found],
            };
            for (nth, outcome) in outcomes.into_iter().enumerate() {
                if batches.len() <= nth {
                    batches.push(Vec::new());
                }
                batches[nth].push(Ruling { job: *job, task: *task, outcome });
            }
        }
        for rulings in batches {
            let tasks: Vec<_> = rulings.iter().map(|ruling| ruling.task.to_string()).collect();
            self.note(format_args!("n{node} rules on {}", tasks.join(" ")));
            let verdicts = Verdicts::sign(rulings, network, &self.nodes[node].key);
            self.submit(node, Tx::Verdict(Box::new(verdicts)));
        }
    }

    /// Runs again what the beacon picked it for.
    fn review_duties(&mut self, node: usize) -> bool {
        let me = self.nodes[node].public();
        let mine = |duty: &&Duty| duty.auditors.contains(&me) && !duty.answered.contains(&me);
        let ledger = &self.nodes[node].ledger;
        let duties: Vec<Duty> = ledger.duties().filter(mine).cloned().collect();
        let mut open = false;
        for duty in duties {
            let at = (duty.job, duty.task);
            let record = self.nodes[node].ledger.dispute(&duty.job, duty.task);
            let claimed = record.is_some_and(|record| {
                !record.is_open() || record.claims.iter().any(|(by, _)| *by == me)
            });
            let Some(found) = self.nodes[node].desk.found.get(&at).copied() else {
                open = true;
                self.rerun(node, at);
                continue;
            };
            let Some(truth) = found else { continue };
            let owner = &self.nodes[node];
            let outcome = match owner.liar() {
                Some(liar) => liar.audits(&owner.hand(), &duty, truth),
                None => truth,
            };
            let differs = outcome != duty.outcome;
            if (differs && claimed) || !self.may_speak(node, at) {
                open |= !(differs && claimed);
                continue;
            }
            open = true;
            self.answer_duty(node, &duty, outcome);
        }
        open
    }

    fn answer_duty(&mut self, node: usize, duty: &Duty, outcome: OutcomeDigest) {
        let (network, key) = (self.polity.network(), self.nodes[node].key.clone());
        let Duty { job, task, .. } = *duty;
        let audit = Signed::new(Audit { job, task, outcome }, network, &key);
        if outcome == duty.outcome {
            self.note(format_args!("n{node} audits {task}: the same"));
            return self.submit(node, Tx::Audit(audit));
        }
        let Some(Tx::Agree(agreements)) = self.chain.find(&duty.tx) else { return };
        let dispute = Dispute {
            order: agreements.order.clone(),
            drawn: agreements.drawn,
            task,
            claims: claims_in(agreements, task),
            audits: vec![audit],
        };
        self.note(format_args!("n{node} audits {task}, and disputes it"));
        self.submit(node, Tx::Dispute(Box::new(Signed::new(dispute, network, &key))));
    }

    /// Sees a final block: what does it know better?
    pub(super) fn object(&mut self, node: usize, agreements: &Agreements) {
        if !self.nodes[node].is_honest() {
            return;
        }
        let objections = self.nodes[node].acting().objections(agreements);
        for (task, claims) in objections {
            let (order, drawn) = (agreements.order.clone(), agreements.drawn);
            let dispute = Dispute { order, drawn, task, claims, audits: Vec::new() };
            self.note(format_args!("n{node} disputes what is final: {task}"));
            self.file(node, As::Executor, dispute);
        }
    }

    /// Files a dispute, and again until the ledger has all that it claims, or will never take it.
    pub(super) fn file(&mut self, node: usize, part: As, dispute: Dispute) {
        let at = (dispute.order.payload.id(), dispute.task);
        self.nodes[node].desk.filed.insert((at, part), dispute);
        self.review(node);
    }

    fn review_filed(&mut self, node: usize) -> bool {
        let network = self.polity.network();
        let filed: Vec<_> = self.nodes[node].desk.filed.keys().copied().collect();
        for place in filed {
            let Some(dispute) = self.nodes[node].desk.filed.get(&place).cloned() else { continue };
            let signed = Signed::new(dispute, network, &self.nodes[node].key);
            let tx = Tx::Dispute(Box::new(signed));
            match self.refusal(node, &tx) {
                Some(refusal) if !refusal.is_passing() => {
                    self.nodes[node].desk.filed.remove(&place);
                }
                _ if self.may_file(node, place) => self.submit(node, tx),
                _ => {}
            }
        }
        !self.nodes[node].desk.filed.is_empty()
    }

    fn may_file(&mut self, node: usize, place: (At, As)) -> bool {
        let (now, desk) = (self.now, &mut self.nodes[node].desk);
        let count = desk.filed.get(&place).map_or(0, |dispute| dispute.claims.len());
        let may = desk
            .said
            .get(&place)
            .is_none_or(|(before, claims)| now.since_ms(*before) >= AGAIN_MS || *claims < count);
        if may {
            desk.said.insert(place, (now, count));
        }
        may
    }

    /// A node sees rulings, and what the same validator said before.
    pub(super) fn see_rulings(&mut self, node: usize, verdicts: &Signed<Verdicts>) {
        let by = verdicts.by;
        if !self.nodes[node].is_honest() || !self.polity.genesis.validators.contains(&by) {
            return;
        }
        let issued = self.nodes[node].ledger.tip().time;
        for ruling in &verdicts.payload.rulings {
            let place = (by, (ruling.job, ruling.task));
            let desk = &mut self.nodes[node].desk;
            let first = desk.rulings.entry(place).or_insert_with(|| verdicts.clone());
            let before = first.payload.on(&ruling.job, ruling.task).and_then(|r| r.outcome);
            if before.is_none() {
                *first = verdicts.clone();
            }
            let (first, second) = (first.clone(), verdicts.clone());
            let contradiction = Contradiction::Verdicts { first, second };
            // Not to have been able to run a task before is none.
            if let Ok((_, cause)) = contradiction.check(self.polity.network()) {
                let accusation = Accusation { against: by, contradiction, issued };
                if let Cause::Verdicts { job, task } = cause {
                    self.book.contradicted((by, (job, task)));
                }
                desk.accused.entry((by, cause)).or_insert((accusation, Time(0)));
            }
        }
    }

    /// Accuses a node, and again until the ledger has it.
    pub(super) fn accuse(&mut self, node: usize, contradiction: Contradiction) {
        let network = self.polity.network();
        let (against, cause) = contradiction.check(network).expect("an honest accusation holds");
        let issued = self.nodes[node].ledger.tip().time;
        let accusation = Accusation { against, contradiction, issued };
        let accused = &mut self.nodes[node].desk.accused;
        accused.entry((against, cause)).or_insert((accusation, Time(0)));
        self.review(node);
    }

    fn review_accusations(&mut self, node: usize) -> bool {
        let now = self.now;
        let findings = self.nodes[node].ledger.findings();
        let known = |by: &PublicKey, cause: &Cause| {
            findings.iter().any(|finding| finding.node == *by && finding.cause == *cause)
        };
        let accused = &self.nodes[node].desk.accused;
        let open: Vec<_> = accused
            .iter()
            .filter(|((by, cause), _)| !known(by, cause))
            .map(|(place, (accusation, said))| (place.clone(), accusation.clone(), *said))
            .collect();
        self.nodes[node].desk.accused.retain(|place, _| open.iter().any(|(p, ..)| p == place));
        for (place, accusation, said) in &open {
            if now.since_ms(*said) < AGAIN_MS {
                continue;
            }
            if let Some((_, said)) = self.nodes[node].desk.accused.get_mut(place) {
                *said = now;
            }
            self.note(format_args!("n{node} accuses {}", self.name(&place.0)));
            let (network, key) = (self.polity.network(), &self.nodes[node].key);
            let signed = Signed::new(accusation.clone(), network, key);
            let tx = Tx::Accuse(Box::new(signed));
            // Whoever was found out often enough is not found out again.
            match self.refusal(node, &tx) {
                Some(refusal) if !refusal.is_passing() => {
                    self.nodes[node].desk.accused.remove(place);
                }
                _ => self.submit(node, tx),
            }
        }
        !self.nodes[node].desk.accused.is_empty()
    }

    /// Begins to run a task again, unless it does already.
    fn rerun(&mut self, node: usize, at: At) {
        if self.nodes[node].desk.running.insert(at) {
            let run_ms = self.random.between(20, 60) * self.nodes[node].nature.slowness;
            let life = self.nodes[node].life;
            self.after(run_ms, Event::Reran { node, life, at });
        }
    }

    /// A task was run again. Without inputs there is nothing to find: those of a job that was
    /// really ordered can be had.
    pub(super) fn reran(&mut self, node: usize, at: At) {
        let found = self.jobs.contains_key(&at.0).then(|| truth::right(at.0, at.1));
        let desk = &mut self.nodes[node].desk;
        desk.running.remove(&at);
        desk.found.insert(at, found);
        self.review(node);
    }

    fn may_speak(&mut self, node: usize, at: At) -> bool {
        let (now, spoke) = (self.now, &mut self.nodes[node].desk.spoke);
        let may = spoke.get(&at).is_none_or(|before| now.since_ms(*before) >= AGAIN_MS);
        if may {
            spoke.insert(at, now);
        }
        may
    }
}
