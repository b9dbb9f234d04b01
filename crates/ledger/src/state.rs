//! The state of the ledger after a block.

use crate::{
    AuditCount, DisputeRecord, DisputeStatus, Duty, Effect, Refusal, audits::Audits,
    beacons::Beacons, disputes::Disputes, jobs::Jobs, orders::Orders, part::Part,
    standing::Standing, trie::Trie,
};
use identity::{Digest, NetworkId, PublicKey};
use protocol::{
    Block, Cause, Finding, Genesis, Header, Height, JobId, Machine, NodeRecord, OwnerRecord,
    Params, Right, Roster, Sanction, TaskIndex, Time, merkle::Growing,
};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// Rosters that are remembered for checking draws, at most.
const ROSTERS: usize = 1024;

/// The ledger's state. Copies share what did not change.
///
/// Memory: 32 bytes for each recent block (`draw_age_blocks` of the genesis), one bit for each
/// task and about 200 bytes for each job that did not expire, 500 bytes for each dispute about
/// such a job, up to 1,024 rosters, up to 10,000 findings and as many sanctions.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ledger {
    pub(crate) network: NetworkId,
    pub(crate) params: Arc<Params>,
    pub(crate) validators: Arc<Vec<PublicKey>>,
    pub(crate) tip: Header,
    pub(crate) roster: Part<Roster>,
    /// Rosters by the first height they hold for, oldest first.
    rosters: Arc<Vec<(Height, Arc<Roster>)>>,
    pub(crate) beacons: Beacons,
    /// One-time keys of used invitations, until they expire.
    pub(crate) spent: Trie<Time>,
    pub(crate) jobs: Jobs,
    /// Sealed orders.
    pub(crate) orders: Orders,
    /// What differs.
    pub(crate) disputes: Part<Disputes>,
    /// What is run again.
    pub(crate) audits: Audits,
    /// What was found against whom.
    pub(crate) standing: Part<Standing>,
    /// Every final task, in order: (job, task, outcome).
    pub(crate) settled: Growing,
}

impl Ledger {
    /// The state of block 0.
    pub fn genesis(genesis: &Genesis) -> Self {
        let mut roster = Roster::new(genesis.params.distinct);
        for founder in &genesis.founders {
            let name = founder.payload.name.clone();
            let record =
                OwnerRecord { name, sponsor: None, seconds: Default::default(), barred: None };
            roster.set_owner(founder.by, record);
            roster
                .set_node(founder.payload.node, NodeRecord { owner: founder.by, since: Height(0) });
        }
        let roster = Part::from(roster);
        let mut ledger = Self {
            network: genesis.network(),
            params: Arc::new(genesis.params.clone()),
            validators: Arc::new(genesis.validators.clone()),
            tip: Header::of_genesis(genesis, Digest::default()),
            rosters: Arc::new(vec![(Height(0), roster.shared().clone())]),
            roster,
            beacons: Beacons::new(
                protocol::beacon::of_genesis(genesis),
                genesis.params.draw_age_blocks,
            ),
            spent: Trie::default(),
            jobs: Jobs::default(),
            orders: Orders::default(),
            disputes: Part::default(),
            audits: Audits::default(),
            standing: Part::default(),
            settled: Growing::default(),
        };
        ledger.tip.state_root = ledger.root();
        ledger
    }

    /// The header of the last block.
    pub fn tip(&self) -> &Header {
        &self.tip
    }

    /// The network.
    pub fn network(&self) -> NetworkId {
        self.network
    }

    /// The parameters of the genesis.
    pub fn params(&self) -> &Params {
        &self.params
    }

    /// Who votes.
    pub fn validators(&self) -> &[PublicKey] {
        &self.validators
    }

    /// Who is admitted now.
    pub fn roster(&self) -> &Arc<Roster> {
        self.roster.shared()
    }

    /// Who was admitted after block `height`; `None` if that is in the future or forgotten.
    pub fn roster_at(&self, height: Height) -> Option<&Arc<Roster>> {
        if height > self.tip.height {
            return None;
        }
        let after = self.rosters.partition_point(|(from, _)| *from <= height);
        self.rosters.get(after.checked_sub(1)?).map(|(_, roster)| roster)
    }

    /// The first height with the present roster.
    pub fn roster_since(&self) -> Height {
        self.rosters.last().map_or(Height(0), |(from, _)| *from)
    }

    /// The beacon of block `height`, if it can still be drawn with.
    pub fn beacon_at(&self, height: Height) -> Option<&Digest> {
        self.beacons.at(height)
    }

    /// Whether a task is final (until its job expires).
    pub fn is_final(&self, job: &protocol::JobId, task: TaskIndex) -> bool {
        self.jobs.is_final(job, task)
    }

    /// The dispute about a task, until its job expires.
    pub fn dispute(&self, job: &JobId, task: TaskIndex) -> Option<&DisputeRecord> {
        self.disputes.get(job, task)
    }

    /// All disputes about jobs that did not expire.
    pub fn disputes(&self) -> impl Iterator<Item = &DisputeRecord> {
        self.disputes.iter()
    }

    /// What was found against nodes, oldest first; the last 10,000.
    pub fn findings(&self) -> &[Finding] {
        self.standing.findings()
    }

    /// Which rights owners lost, oldest first; the last 10,000.
    pub fn sanctions(&self) -> &[Sanction] {
        self.standing.sanctions()
    }

    /// Whether an owner is not drawn, by a sanction of its own.
    pub fn is_barred(&self, owner: &PublicKey) -> bool {
        self.standing.active(owner, Right::Execute).is_some()
    }

    /// Whether an owner may open disputes and accuse.
    pub fn may_dispute(&self, owner: &PublicKey) -> bool {
        self.standing.active(owner, Right::Dispute).is_none()
    }

    /// Disputes and accusations of an owner that failed, since one was right.
    pub fn failures(&self, owner: &PublicKey) -> u32 {
        self.standing.failures(owner)
    }

    /// How many final tasks of a job were picked for an audit, and audited (until it expires).
    pub fn audited(&self, job: &JobId) -> AuditCount {
        self.jobs.audits(job)
    }

    /// Final tasks that are to be run again, by whom.
    pub fn duties(&self) -> impl Iterator<Item = &Duty> {
        self.audits.duties()
    }

    /// The block that holds a sealed order (until it expires).
    pub fn order_height(&self, job: &JobId) -> Option<Height> {
        self.orders.height(job)
    }

    /// Whether somebody waits for the next block's beacon: a sealed order for its draw, or final
    /// tasks for their audit.
    pub fn owes_block(&self) -> bool {
        let audits = self.params.audit_per_mille > 0 && self.params.auditors > 0;
        (audits && !self.audits.recent.is_empty()) || self.orders.is_waiting(self.tip.height)
    }

    /// Whether a node's party was not drawn at some height from `since` on.
    pub(crate) fn was_barred_since(&self, node: &PublicKey, since: Height) -> bool {
        let at = self.rosters.partition_point(|(from, _)| *from <= since).saturating_sub(1);
        self.rosters[at..].iter().any(|(_, roster)| {
            let party = roster.party_of_node(node);
            party.is_some_and(|party| roster.barred_parties().contains(&party))
        })
    }

    /// Whose node it is.
    pub(crate) fn owner_of(&self, node: &PublicKey) -> Result<PublicKey, Refusal> {
        self.roster.node(node).map(|record| record.owner).ok_or(Refusal::NotANode(*node))
    }

    /// Holds something against a node, unless it is held against it already.
    pub(crate) fn find(
        &mut self,
        node: PublicKey,
        cause: &Cause,
        (tx, height, time): (Digest, Height, Time),
        effects: &mut Vec<Effect>,
    ) {
        let Ok(owner) = self.owner_of(&node) else { return };
        if self.standing.is_known(&node, cause) {
            return;
        }
        let finding = Finding { node, owner, cause: cause.clone(), tx, height, time };
        if let Some(until) = self.standing.find(finding, &self.params, effects) {
            self.change_roster(height, |roster| {
                roster.bar(&owner, Some(until));
            });
            effects.push(Effect::RosterChanged { height });
        }
    }

    /// Something that a node filed failed.
    pub(crate) fn fail(
        &mut self,
        (owner, node): (PublicKey, PublicKey),
        at: (Digest, Height, Time),
        effects: &mut Vec<Effect>,
    ) {
        if let Some(failed) = self.standing.fail(&owner, &self.params) {
            let (tx, height, time) = at;
            let cause = Cause::Unfounded { failed };
            let finding = Finding { node, owner, cause, tx, height, time };
            self.standing.find(finding, &self.params, effects);
        }
    }

    /// The validators could not decide a dispute.
    pub(crate) fn give_up(
        &mut self,
        (job, task): (JobId, TaskIndex),
        at: (Digest, Height, Time),
        effects: &mut Vec<Effect>,
    ) {
        let validators = self.validators.len();
        let Some(record) = self.disputes.get_mut(&job, task) else { return };
        let (home, filer, filed_by, height) = (record.home, record.filer, record.filed_by, at.1);
        let unfounded = record.could_not_be_run(validators);
        record.status = DisputeStatus::Undecided { height };
        let refuted = Vec::new();
        effects.push(Effect::Ruled { job, task, home, outcome: None, refuted, height });
        if unfounded {
            self.fail((filer, filed_by), at, effects);
        }
    }

    /// Gives rights back whose time has come.
    pub(crate) fn release(&mut self, height: Height, time: Time, effects: &mut Vec<Effect>) {
        for (owner, right) in self.standing.release(height, time) {
            effects.push(Effect::Released { owner, right, height });
            if right == Right::Execute {
                self.change_roster(height, |roster| {
                    roster.bar(&owner, None);
                });
                effects.push(Effect::RosterChanged { height });
            }
        }
    }

    /// The roster for changing it in the block at `height`.
    pub(crate) fn change_roster(&mut self, height: Height, change: impl FnOnce(&mut Roster)) {
        change(&mut self.roster);
        let rosters = Arc::make_mut(&mut self.rosters);
        match rosters.last_mut() {
            Some((from, last)) if *from == height => *last = self.roster.shared().clone(),
            _ => rosters.push((height, self.roster.shared().clone())),
        }
        if rosters.len() > ROSTERS {
            rosters.remove(0);
        }
    }

    /// The root that the header carries. The beacon, the height and the validators stand in the
    /// header themselves.
    pub(crate) fn root(&self) -> Digest {
        Digest::of(
            "polity state",
            &[
                self.roster.root().as_bytes(),
                self.spent.root().as_bytes(),
                self.jobs.root().as_bytes(),
                self.orders.root().as_bytes(),
                self.disputes.root().as_bytes(),
                self.audits.root().as_bytes(),
                self.standing.root().as_bytes(),
                self.settled.root().as_bytes(),
                &self.settled.len().to_be_bytes(),
            ],
        )
    }
}

/// Takes final blocks. A block at or below the tip is old news and changes nothing.
impl Machine for Ledger {
    type Input = Block;
    type Effect = Effect;

    fn step(&mut self, _now: Time, block: Block, effects: &mut Vec<Effect>) {
        if block.header.height <= self.tip.height {
            return;
        }
        match self.apply_final(&block) {
            Ok((next, news)) => {
                *self = next;
                effects.extend(news);
            }
            Err(error) => effects.push(Effect::Broken(error.to_string())),
        }
    }
}
