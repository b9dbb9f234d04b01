//! What must hold of every block, and at the end of every run.

use super::{
    At, BEGIN, BOUND_MS, FIRST_MS, QUIET_MS, Settled, World,
    book::{Lie, Reach, names},
    claims_in,
    polity::LIFETIME_MS,
    truth,
};
use identity::PublicKey;
use ledger::{DisputeRecord, DisputeStatus, Effect, Ledger};
use protocol::{
    Agreements, Cause, Certificate, Claim, Finding, Height, JobId, Placement, Right, Time, Tx, draw,
};
use std::collections::BTreeSet;

impl World {
    /// What must hold of a block that was just made.
    pub(super) fn check_block(&mut self, height: Height) {
        let made = self.chain.made(height).expect("it was just made");
        let (txs, effects) = (made.block.txs.clone(), made.effects.clone());
        let (after, time) = (made.after.clone(), made.block.header.time);
        let before = match height.0 {
            1 => Ledger::genesis(&self.polity.genesis),
            _ => self.chain.made(Height(height.0 - 1)).expect("there is one").after.clone(),
        };
        for tx in &txs {
            if let Tx::Agree(agreements) = tx {
                self.check_agreements(&before, &after, agreements);
            }
        }
        self.check_effects(&effects, &after, time);
        self.check_disputes(&after);
        self.check_duties(&after);
    }

    /// Never two agreements about one task; never a wrong outcome while fewer than K of those who
    /// claim it collude; only executors that the draw gives; nothing while it is disputed.
    fn check_agreements(&mut self, before: &Ledger, after: &Ledger, agreements: &Agreements) {
        let order = &agreements.order.payload;
        let job = order.id();
        let beacon = before.beacon_at(agreements.drawn).expect("drawn with a known beacon");
        let roster = before.roster_at(agreements.drawn).expect("drawn from a known roster").clone();
        if order.placement == Placement::Sealed {
            let ordered = before.order_height(&job).expect("a sealed job is ordered first");
            assert_eq!(ordered.next(), agreements.drawn, "drawn with the beacon after the order");
        }
        for agreed in &agreements.tasks {
            let at = (job, agreed.task);
            let claims = claims_in(agreements, agreed.task);
            let executors: Vec<_> = claims.iter().map(Claim::node).collect();
            for claim in &claims {
                let said = claim.check(&job, agreed.task, self.polity.network());
                assert_eq!(said, Ok(agreed.outcome), "executors claim what is agreed on");
            }
            let parties: BTreeSet<_> =
                executors.iter().filter_map(|node| roster.party_of_node(node)).collect();
            assert_eq!(parties.len(), executors.len(), "executors are of different parties");
            let barred = roster.barred_parties();
            assert!(parties.is_disjoint(&barred), "a sanctioned owner was drawn");
            if !agreed.decided {
                let candidates = draw::candidates(beacon, &job, agreed.task, &roster);
                let (skipped, sealed) = (&agreed.skipped, order.placement == Placement::Sealed);
                let fair = match &agreed.first {
                    None => draw::is_fair(&candidates, skipped, &executors),
                    Some(_) if sealed => false,
                    Some(first) => draw::is_fair_beside(first, &candidates, skipped, &executors),
                };
                assert!(fair, "executors of task {} are not drawn", agreed.task);
                assert!(executors.len() >= usize::from(order.verification.k), "too few agree");
            }
            let record = after.dispute(&job, agreed.task).or(before.dispute(&job, agreed.task));
            let open = record.is_some_and(|r| r.opened < after.tip().height && r.is_open());
            assert!(!open, "task {} became final while it was disputed", agreed.task);
            self.check_outcome(at, agreed.outcome, &executors, order.verification.k);
            let settled = Settled { outcome: agreed.outcome, executors };
            let twice = self.settled.insert(at, settled).is_some();
            assert!(!twice, "task {} is final twice", agreed.task);
        }
    }

    fn check_outcome(
        &mut self,
        at: At,
        outcome: protocol::OutcomeDigest,
        executors: &[PublicKey],
        k: u16,
    ) {
        self.tally.count("final tasks");
        if outcome == truth::right(at.0, at.1) {
            return;
        }
        self.tally.count("wrong final tasks, K owners colluding");
        let colluding = executors.iter().filter(|node| !self.is_honest_node(node)).count();
        assert!(
            colluding >= usize::from(k),
            "a wrong outcome of task {} is final by {colluding} liars, {k} must collude",
            at.1
        );
    }

    /// Nobody honest has a finding or a sanction; rights come back when it is time.
    fn check_effects(&mut self, effects: &[Effect], after: &Ledger, time: Time) {
        for effect in effects {
            match effect {
                Effect::Found(Finding { node, cause, .. }) => {
                    assert!(!self.is_honest_node(node), "{} is honest: {cause}", self.name(node));
                    self.tally.count(format!("findings: {}", word_of(cause)));
                    self.note(format_args!("= {} {cause}", self.name(node)));
                }
                Effect::Sanctioned(sanction) => {
                    let place = self.place_of_owner(&sanction.owner);
                    assert!(!self.nodes[place].is_honest(), "the owner of n{place} is honest");
                    self.tally.count("sanctions");
                    let (right, ms) = (sanction.right, sanction.until.since_ms(time));
                    self.note(format_args!("= the owner of n{place} {right} for {ms} ms"));
                    if right == Right::Execute {
                        assert!(after.is_barred(&sanction.owner), "a sanction bars");
                    }
                }
                Effect::Released { owner, right, height } => {
                    let place = self.place_of_owner(owner);
                    let released = |s: &&protocol::Sanction| {
                        s.owner == *owner && s.right == *right && s.released == Some(*height)
                    };
                    let sanction = after.sanctions().iter().find(released).expect("it had one");
                    assert!(sanction.until <= time, "a right came back too early");
                    self.tally.count("releases");
                    self.note(format_args!("= the owner of n{place} is released"));
                }
                Effect::Ruled { outcome, task, refuted, .. } => {
                    let how = if outcome.is_some() { "decided" } else { "not decided" };
                    self.tally.count(format!("disputes {how}"));
                    let names: Vec<_> = refuted.iter().map(|node| self.name(node)).collect();
                    let refuted = if names.is_empty() { "nobody".into() } else { names.join(" ") };
                    self.note(format_args!(
                        "= the dispute about {task} is {how}, against {refuted}"
                    ));
                }
                Effect::Disputed { task, .. } => {
                    self.note(format_args!("= {task} is disputed"));
                }
                Effect::Audited { .. } => self.tally.count("audits"),
                Effect::Unfounded { .. } => self.tally.count("accusations that failed"),
                Effect::Broken(reason) => panic!("the ledger is broken: {reason}"),
                _ => {}
            }
        }
        for sanction in after.sanctions().iter().filter(|s| s.released.is_none()) {
            assert!(sanction.until > time, "a sanction has outlived its time");
        }
    }

    /// Only candidates claim, only validators rule, each once, and a quorum of them decides.
    fn check_disputes(&self, after: &Ledger) {
        let height = after.tip().height;
        let changed = |record: &&DisputeRecord| match record.status {
            DisputeStatus::Open => true,
            DisputeStatus::Decided { height: at, .. } | DisputeStatus::Undecided { height: at } => {
                at == height
            }
        };
        for record in after.disputes().filter(changed) {
            for (node, _) in &record.claims {
                assert!(after.roster().node(node).is_some(), "a stranger claims something");
            }
            let rulers: BTreeSet<_> = record.rulings.iter().map(|(by, _)| *by).collect();
            assert_eq!(rulers.len(), record.rulings.len(), "a validator rules twice");
            let voting = rulers.iter().all(|by| after.validators().contains(by));
            assert!(voting, "somebody rules who does not vote");
            if let DisputeStatus::Decided { outcome, .. } = record.status {
                let equal = record.rulings.iter().filter(|(_, said)| *said == Some(outcome));
                let quorum = Certificate::quorum(self.setting.validators);
                assert!(equal.count() >= quorum, "fewer than a quorum decided");
                let right = truth::right(record.job, record.task);
                assert_eq!(outcome, right, "the validators found what is wrong");
            }
        }
    }

    /// Auditors are of different parties, none of them an executor's.
    fn check_duties(&self, after: &Ledger) {
        let roster = after.roster();
        let fresh = |duty: &&ledger::Duty| duty.settled.next() == after.tip().height;
        for duty in after.duties().filter(fresh) {
            let Some(settled) = self.settled.get(&(duty.job, duty.task)) else {
                panic!("task {} is audited and was never final", duty.task)
            };
            let parties = |nodes: &[PublicKey]| -> BTreeSet<_> {
                nodes.iter().filter_map(|node| roster.party_of_node(node)).collect()
            };
            let auditors = parties(&duty.auditors);
            assert_eq!(auditors.len(), duty.auditors.len(), "auditors are of different parties");
            assert!(auditors.is_disjoint(&parties(&settled.executors)), "one audits itself");
            assert_eq!(duty.outcome, settled.outcome, "what is audited is what was final");
        }
    }

    /// Whether nothing is left to happen: every job of an honest home has ended, everybody is there
    /// and knows the last block, and the ledger has no open end that an honest node could close.
    pub(super) fn is_quiet(&self) -> bool {
        let over = BEGIN.after_ms(FIRST_MS + self.setting.healed_ms());
        if self.unsubmitted > 0 || !self.waiting.is_empty() || !self.cuts.is_empty() {
            return false;
        }
        let tip = self.chain.tip();
        let crashes = !self.setting.splits.is_empty() || !self.setting.is_honest();
        if crashes && self.now < over {
            return false;
        }
        let here = |node: &super::Node| {
            !node.up || (node.ledger.tip().height == tip.tip().height && node.desk.is_clear())
        };
        let open = self.setting.params.audit_per_mille > 0 && tip.owes_block();
        let unanswered = tip.duties().any(|duty| {
            let waits =
                |node: &PublicKey| self.is_honest_node(node) && !duty.answered.contains(node);
            let disputed = tip.dispute(&duty.job, duty.task).is_some();
            !disputed && duty.auditors.iter().any(waits)
        });
        self.nodes.iter().all(here)
            && !open
            && !unanswered
            && tip.disputes().all(|record| !record.is_open())
            && tip.sanctions().iter().all(|sanction| sanction.released.is_some())
    }

    /// Whether as many owners as must agree on a task of this job are honest.
    pub(super) fn has_enough(&self, job: &JobId) -> bool {
        let k = self.jobs.get(job).map_or(0, |ordered| ordered.plan.verification.k);
        self.nodes.iter().filter(|node| node.is_honest()).count() >= usize::from(k)
    }

    /// A job of an honest home ends in time, if there are enough honest owners for it.
    pub(super) fn check_bound(&mut self, job: &JobId, submitted: Time) {
        let healed = BEGIN.after_ms(FIRST_MS + self.setting.healed_ms());
        let took = self.now.since_ms(submitted.max(healed));
        if !self.has_enough(job) {
            return;
        }
        self.tally.most("longest job after healing, ms", took);
        assert!(took <= BOUND_MS, "{} took {took} ms after everything was well", job.0);
    }

    /// What must hold at the end of a run.
    pub(super) fn check_end(&mut self) {
        let healed = self
            .setting
            .healed_ms()
            .max(self.setting.plans.iter().map(|p| p.at_ms).max().unwrap_or(0));
        let long = self.jobs.keys().any(|job| !self.has_enough(job));
        let healed = if long { healed + LIFETIME_MS } else { healed };
        let most = FIRST_MS + healed + BOUND_MS + QUIET_MS;
        assert!(self.now.since_ms(BEGIN) <= most, "the ledger is not quiet in time");
        let tip = self.chain.tip().clone();
        for record in tip.disputes() {
            self.check_named(&tip, record);
        }
        for finding in tip.findings() {
            assert!(!self.is_honest_node(&finding.node), "somebody honest is found guilty");
        }
        self.account(&tip);
        for (node, (job, task)) in self.book.rulers() {
            let cause = Cause::Verdicts { job: *job, task: *task };
            let named = tip.findings().iter().any(|f| f.node == *node && f.cause == cause)
                || is_found_out(&tip, node);
            assert!(named, "{} ruled twice about {task} and is not named", self.name(node));
        }
        for (_, report) in &self.receipts {
            for (task, settled) in &report.settled {
                let on_ledger = self.settled.get(&(report.job, *task)).expect("it is final");
                assert_eq!(settled.outcome, on_ledger.outcome, "a receipt says something else");
            }
        }
    }

    /// Whoever claimed or ruled against a verdict is named.
    fn check_named(&self, tip: &Ledger, record: &DisputeRecord) {
        let DisputeStatus::Decided { outcome, .. } = record.status else { return };
        let cause = Cause::Refuted { job: record.job, task: record.task };
        for node in record.others(outcome) {
            let named = tip.findings().iter().any(|f| f.node == node && f.cause == cause);
            assert!(named, "{} is refuted and not named", self.name(&node));
        }
    }

    /// Every lie is answered for by a finding, or there is a reason why nobody could name it.
    fn account(&mut self, tip: &Ledger) {
        let lies: Vec<_> = self.book.lies().collect();
        for (by, at, lie, reach) in lies {
            let named = tip.findings().iter().any(|finding| names(finding, &by, at, lie));
            let fate = match reach {
                _ if named => "lies: named",
                Reach::Unheard => "lies: nobody heard them",
                Reach::ToLiar => "lies: told to a home that lies",
                Reach::Late => "lies: told when the task had ended",
                // Its owner is sanctioned, and further proofs would only fill the record.
                Reach::Heard if lie != Lie::Outcome && is_found_out(tip, &by) => {
                    "lies: by somebody who was found out before"
                }
                Reach::Heard => self.excuse(by, at, lie),
            };
            self.tally.count(fate);
        }
    }

    /// Why a lie that an honest home heard has no finding.
    fn excuse(&self, by: PublicKey, at: At, lie: Lie) -> &'static str {
        let settled = self.settled.get(&at);
        let believed = settled.is_some_and(|settled| settled.executors.contains(&by));
        if lie == Lie::Outcome && believed {
            return "lies: everybody said the same, and nobody audited it";
        }
        let plan = self.jobs.get(&at.0).map(|ordered| &ordered.plan);
        if settled.is_none() && plan.is_some_and(|plan| plan.cancel_ms.is_some()) {
            return "lies: the job was taken back";
        }
        if settled.is_none() && lie == Lie::Outcome {
            return "lies: too few said anything else";
        }
        panic!("{} lied ({lie:?}) about {} of {}, and is not named", self.name(&by), at.1, at.0.0);
    }

    pub(super) fn is_honest_node(&self, node: &PublicKey) -> bool {
        self.polity.place(node).is_some_and(|place| self.nodes[place].is_honest())
    }

    fn place_of_owner(&self, owner: &PublicKey) -> usize {
        let of = |key: &identity::SecretKey| key.public() == *owner;
        self.polity.owners.iter().position(of).expect("only owners are sanctioned")
    }
}

/// Whether a node was found to contradict itself.
fn is_found_out(ledger: &Ledger, node: &PublicKey) -> bool {
    let contradicts = |cause: &Cause| {
        !matches!(cause, Cause::Refuted { .. } | Cause::Unfounded { .. } | Cause::Votes { .. })
    };
    ledger.findings().iter().any(|found| found.node == *node && contradicts(&found.cause))
}

fn word_of(cause: &Cause) -> &'static str {
    match cause {
        Cause::Refuted { .. } => "refuted by a verdict",
        Cause::Commits { .. } => "two commitments",
        Cause::Reveals { .. } => "two reveals",
        Cause::Opening { .. } => "a reveal that does not open",
        Cause::Verdicts { .. } => "two rulings",
        Cause::Votes { .. } => "two votes",
        Cause::Unfounded { .. } => "unfounded accusations",
    }
}
