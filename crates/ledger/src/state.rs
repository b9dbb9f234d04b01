//! The state of the ledger after a block.

use crate::{Effect, beacons::Beacons, jobs::Jobs};
use identity::{Digest, NetworkId, PublicKey};
use protocol::{
    Block, Genesis, Header, Height, Machine, NodeRecord, OwnerRecord, Params, Roster, TaskIndex,
    Time, merkle::Growing,
};
use serde::{Deserialize, Serialize};
use std::{collections::BTreeMap, sync::Arc};

/// Rosters that are remembered for checking draws, at most.
const ROSTERS: usize = 1024;

/// The ledger's state. Copies share what did not change.
///
/// Memory: 32 bytes for each recent block (`draw_age_blocks` of the genesis), one bit for each
/// task and about 200 bytes for each job that did not expire, up to 1,024 rosters.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ledger {
    pub(crate) network: NetworkId,
    pub(crate) params: Params,
    pub(crate) validators: Vec<PublicKey>,
    pub(crate) tip: Header,
    pub(crate) roster: Arc<Roster>,
    /// Rosters by the first height they hold for, oldest first.
    rosters: Vec<(Height, Arc<Roster>)>,
    pub(crate) beacons: Beacons,
    /// One-time keys of used invitations, until they expire.
    pub(crate) spent: BTreeMap<String, Time>,
    pub(crate) jobs: Jobs,
    /// Every final task, in order: (job, task, outcome).
    pub(crate) settled: Growing,
}

impl Ledger {
    /// The state of block 0.
    pub fn genesis(genesis: &Genesis) -> Self {
        let mut roster = Roster::default();
        for founder in &genesis.founders {
            let name = founder.payload.name.clone();
            let record = OwnerRecord { name, sponsor: None, seconds: Default::default() };
            roster.set_owner(founder.by, record);
            roster
                .set_node(founder.payload.node, NodeRecord { owner: founder.by, since: Height(0) });
        }
        let roster = Arc::new(roster);
        let mut ledger = Self {
            network: genesis.network(),
            params: genesis.params.clone(),
            validators: genesis.validators.clone(),
            tip: Header::of_genesis(genesis, Digest::default()),
            rosters: vec![(Height(0), roster.clone())],
            roster,
            beacons: Beacons::new(
                protocol::beacon::of_genesis(genesis),
                genesis.params.draw_age_blocks,
            ),
            spent: BTreeMap::new(),
            jobs: Jobs::default(),
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
        &self.roster
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

    /// How many tasks became final so far.
    pub fn settled_tasks(&self) -> u64 {
        self.settled.len()
    }

    /// The roster for changing it in the block at `height`.
    pub(crate) fn change_roster(&mut self, height: Height, change: impl FnOnce(&mut Roster)) {
        change(Arc::make_mut(&mut self.roster));
        match self.rosters.last_mut() {
            Some((from, last)) if *from == height => *last = self.roster.clone(),
            _ => self.rosters.push((height, self.roster.clone())),
        }
        if self.rosters.len() > ROSTERS {
            self.rosters.remove(0);
        }
    }

    /// The root that the header carries. The beacon, the height and the validators stand in the
    /// header themselves.
    pub(crate) fn root(&self) -> Digest {
        let mut spent = identity::Hasher::new("polity spent");
        for (key, expires) in &self.spent {
            spent.part(key.as_bytes());
            spent.part(&expires.0.to_be_bytes());
        }
        Digest::of(
            "polity state",
            &[
                self.roster.root().as_bytes(),
                spent.finish().as_bytes(),
                self.jobs.root().as_bytes(),
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
