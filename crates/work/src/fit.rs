//! Which nodes may run a job at all.

use crate::{JobRecord, Work, state::Seat};
use identity::PublicKey;
use protocol::{Class, Needs, Roster};

/// Why a node may not run a job, or not now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unfit {
    /// It was not admitted, or barred, when the job was drawn.
    NotDrawn,
    /// Its party is sanctioned.
    Barred,
    /// It contradicted itself in this job.
    Accused,
    /// Its owner gives it no work now, for this reason.
    Cordoned(String),
    /// Its owner looks after it, or will before the task is done.
    Window,
    /// It has not said what it is, and the job asks for something.
    Unknown,
    /// It lacks this label, or has another value for it.
    Label(String),
    /// It has another processor.
    Arch,
    /// It has too few cores.
    Cpus,
    /// It has too little memory.
    Memory,
    /// It has too few GPUs.
    Gpus,
    /// It has too little room on its disk.
    Disk,
    /// The job names other owners.
    Owner,
    /// The job names other nodes.
    Node,
    /// A message takes too long to it and back, or it is not known how long.
    Far,
    /// The data of the job may not be shown to it.
    Class,
}

impl Work {
    /// Whether a node may be given a replica of a job now, whatever it has to do.
    pub(crate) fn is_eligible(&self, record: &JobRecord, node: &PublicKey) -> bool {
        self.obstacle(record, node).is_none()
    }

    /// Why a node may not be given a replica of a job now; nothing if it may.
    pub(crate) fn obstacle(&self, record: &JobRecord, node: &PublicKey) -> Option<Unfit> {
        let Some(seat) = record.seat(node).filter(|seat| record.is_candidate(*seat)) else {
            return Some(Unfit::NotDrawn);
        };
        if self.barred.contains(node) {
            return Some(Unfit::Barred);
        }
        if record.accused.contains(&seat) {
            return Some(Unfit::Accused);
        }
        self.unfit(record, node)
    }

    /// Why a node is not what a job needs now; nothing if it is.
    pub(crate) fn unfit(&self, record: &JobRecord, node: &PublicKey) -> Option<Unfit> {
        let needs = &record.order.payload.terms.needs;
        if let Some(reason) = self.fleet.cordon(node) {
            return Some(Unfit::Cordoned(reason.into()));
        }
        let span_ms = || self.span_ms(record, node);
        if self.fleet.in_window(node, self.now, span_ms) {
            return Some(Unfit::Window);
        }
        if *needs == Needs::default() {
            return None;
        }
        let roster = record.roster().and_then(|root| self.rosters.get(&root));
        roster
            .and_then(|roster| unowned(needs, &record.order.by, roster, node))
            .or_else(|| self.far(needs, node))
            .or_else(|| self.lacking(record, node))
    }

    fn far(&self, needs: &Needs, node: &PublicKey) -> Option<Unfit> {
        let near_ms = needs.near_ms?;
        let rtt_ms = if *node == self.me { Some(0) } else { self.fleet.rtt_ms(node) };
        rtt_ms.is_none_or(|rtt_ms| rtt_ms > near_ms).then_some(Unfit::Far)
    }

    fn lacking(&self, record: &JobRecord, node: &PublicKey) -> Option<Unfit> {
        let job = &record.order.payload;
        let needs = &job.terms.needs;
        let restricted = needs.class == Class::Restricted;
        let reserves = needs.cpus > 0 || needs.gpus > 0;
        let asks = restricted || reserves || needs.disk_bytes > 0;
        if !asks && needs.arch.is_none() && needs.labels.is_empty() {
            return None;
        }
        let Some(profile) = self.fleet.profile(node) else { return Some(Unfit::Unknown) };
        let (name, value) = Class::RESTRICTED;
        let own = restricted.then_some((name, value));
        let asked = needs.labels.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        let has = |(name, value): &(&str, &str)| {
            profile.labels.get(*name).is_some_and(|found| found == value)
        };
        if let Some((name, _)) = asked.chain(own).find(|label| !has(label)) {
            return Some(Unfit::Label(name.into()));
        }
        if needs.arch.as_ref().is_some_and(|arch| *arch != profile.arch) {
            return Some(Unfit::Arch);
        }
        if needs.cpus > profile.cores {
            return Some(Unfit::Cpus);
        }
        if usize::from(needs.gpus) > profile.gpus.len() {
            return Some(Unfit::Gpus);
        }
        if reserves && job.limits.memory_bytes > profile.memory_bytes {
            return Some(Unfit::Memory);
        }
        (needs.disk_bytes > profile.disk_bytes).then_some(Unfit::Disk)
    }
}

/// Why a node is not one of those to whom a job may go by its owner or its name.
fn unowned(
    needs: &Needs,
    submitter: &PublicKey,
    roster: &Roster,
    node: &PublicKey,
) -> Option<Unfit> {
    let Some(owner) = roster.node(node).map(|record| record.owner) else {
        return Some(Unfit::NotDrawn);
    };
    let named = needs.owners.contains(&owner);
    let own = || owner == *submitter || roster.party(&owner) == roster.party(submitter);
    match needs.class {
        Class::Internal if !named && !own() => return Some(Unfit::Class),
        Class::Restricted if !own() => return Some(Unfit::Class),
        Class::Public | Class::Restricted if !needs.owners.is_empty() && !named => {
            return Some(Unfit::Owner);
        }
        Class::Public | Class::Internal | Class::Restricted => {}
    }
    (!needs.nodes.is_empty() && !needs.nodes.contains(node)).then_some(Unfit::Node)
}

impl JobRecord {
    /// Whether a node was among those that could be drawn.
    fn is_candidate(&self, seat: Seat) -> bool {
        let barred = self.draw.as_ref().and_then(|draw| draw.barred.as_ref());
        barred.is_none_or(|barred| !barred.contains(&seat))
    }
}
