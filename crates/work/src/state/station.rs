//! What a home knows of one node.

use super::{Conduct, NodeClass};
use identity::PublicKey;
use objects::Cid;
use protocol::{JobId, Profile, TaskIndex, Time, pairs};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// Times of maintenance of one node that are kept.
pub(crate) const WINDOWS: usize = 16;
/// Programs that a node has run of late, and surely still has at hand.
const RUN: usize = 16;

/// A time in which the owner of a node looks after it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Window {
    /// When it begins.
    pub from: Time,
    /// When it ends.
    pub until: Time,
}

/// What a replica has for itself while it runs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Ask {
    pub(crate) cpus: u16,
    pub(crate) memory_bytes: u64,
    pub(crate) gpus: u16,
}

impl Ask {
    pub(crate) fn is_nothing(&self) -> bool {
        *self == Self::default()
    }

    /// Both together.
    pub(crate) fn and(self, other: Self) -> Self {
        Self {
            cpus: self.cpus.saturating_add(other.cpus),
            memory_bytes: self.memory_bytes.saturating_add(other.memory_bytes),
            gpus: self.gpus.saturating_add(other.gpus),
        }
    }

    /// What is left of it.
    pub(crate) fn without(self, other: Self) -> Self {
        Self {
            cpus: self.cpus.saturating_sub(other.cpus),
            memory_bytes: self.memory_bytes.saturating_sub(other.memory_bytes),
            gpus: self.gpus.saturating_sub(other.gpus),
        }
    }
}

/// Whether a node can be spoken to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Link {
    /// It can.
    Up,
    /// It could a moment ago; until then its return is waited for.
    Returning(Time),
    /// It cannot.
    #[default]
    Down,
}

/// What a home knows of one node.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Station {
    pub(crate) link: Link,
    /// Since when it is connected.
    pub(crate) since: Time,
    /// When it last said something useful.
    pub(crate) heard: Time,
    /// It let a lease run out, and has said nothing useful since.
    pub(crate) stalled: bool,
    /// Tasks of which it has a live replica that has not revealed.
    pub(crate) held: BTreeSet<(JobId, TaskIndex)>,
    /// How many of them have not committed either.
    pub(crate) outstanding: u32,
    /// Tasks for which it is its turn, waiting for it.
    #[serde(with = "pairs")]
    pub(crate) queue: BTreeMap<JobId, BTreeSet<TaskIndex>>,
    /// Written by versions that let jobs take turns in the order of their names.
    #[serde(default, skip_serializing, deserialize_with = "read_and_drop")]
    served: (),
    /// How often it was given something.
    #[serde(default)]
    pub(crate) turns: u64,
    /// What its replicas have for themselves.
    #[serde(default, with = "pairs")]
    pub(crate) taken: BTreeMap<(JobId, TaskIndex), Ask>,
    #[serde(default)]
    pub(crate) standing: Standing,
}

/// What is remembered of a node that is away, too.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Standing {
    /// What it said of itself.
    pub(crate) profile: Option<Box<Profile>>,
    /// How long a message takes to it and back.
    pub(crate) rtt_ms: Option<u32>,
    /// Why it is given nothing.
    pub(crate) cordon: Option<String>,
    /// When its owner looks after it, sorted.
    pub(crate) windows: Vec<Window>,
    pub(crate) conduct: Conduct,
    /// Programs that it has run, the latest last.
    pub(crate) run: Vec<Cid>,
    /// Units of fuel that it was seen to burn in a millisecond.
    pub(crate) seen_fuel_ms: Option<u64>,
}

impl Station {
    /// Nothing is going on with it.
    pub(crate) fn is_idle(&self) -> bool {
        self.link == Link::Down && self.held.is_empty() && self.queue.is_empty()
    }

    /// Nothing that anybody asked to remember is lost if it is forgotten.
    pub(crate) fn is_plain(&self) -> bool {
        self.standing == Standing::default()
    }

    /// Whether there is room for a replica beside what is held back: if it has something for itself,
    /// of that; else of the slots, of which as large a part is held back as of the cores.
    pub(crate) fn has_room(&self, ask: Ask, held: Ask, slots: u32) -> bool {
        if ask.is_nothing() && held.is_nothing() {
            return true;
        }
        let Some(profile) = &self.standing.profile else { return ask.is_nothing() };
        let cores = u32::from(profile.cores.max(1));
        let left = cores.saturating_sub(u32::from(held.cpus));
        if self.outstanding >= slots.saturating_mul(left).div_ceil(cores) {
            return false;
        }
        if ask.is_nothing() {
            return true;
        }
        let taken = self.taken().and(held);
        let gpus = u16::try_from(profile.gpus.len()).unwrap_or(u16::MAX);
        taken.cpus.saturating_add(ask.cpus) <= profile.cores
            && taken.memory_bytes.saturating_add(ask.memory_bytes) <= profile.memory_bytes
            && taken.gpus.saturating_add(ask.gpus) <= gpus
    }

    pub(crate) fn taken(&self) -> Ask {
        self.taken.values().fold(Ask::default(), |sum, ask| sum.and(*ask))
    }

    /// Which share of it is free, of a thousand: of its slots; if its cores are known half of that, and
    /// half of its cores; and no more than of what replicas have for themselves.
    pub(crate) fn free_share(&self, slots: u32) -> u32 {
        let share = |taken: u64, all: u64| {
            let free = all.saturating_sub(taken) * 1_000;
            u32::try_from(free.checked_div(all).unwrap_or(1_000)).unwrap_or(1_000)
        };
        let of_slots = share(u64::from(self.outstanding), u64::from(slots));
        let Some(profile) = self.standing.profile.as_ref().filter(|profile| profile.cores > 0)
        else {
            return of_slots;
        };
        let of_cores = share(u64::from(self.outstanding), u64::from(profile.cores));
        let taken = self.taken();
        of_slots
            .midpoint(of_cores)
            .min(share(u64::from(taken.cpus), u64::from(profile.cores)))
            .min(share(taken.memory_bytes >> 20, profile.memory_bytes >> 20))
    }

    /// Which nodes it is like.
    pub(crate) fn class(&self) -> NodeClass {
        let profile = self.standing.profile.as_ref();
        let speed = profile.and_then(|profile| profile.speed).map_or(0, |speed| speed.fuel_ms);
        NodeClass {
            arch: profile.map(|profile| profile.arch.clone()).unwrap_or_default(),
            speed: speed.checked_ilog2().map_or(0, |log| log + 1),
        }
    }

    /// Units of fuel that it burns in a millisecond: as was seen, or else as it measured.
    pub(crate) fn fuel_ms(&self) -> Option<u64> {
        let measured = self.standing.profile.as_ref().and_then(|profile| profile.speed);
        self.standing.seen_fuel_ms.or(measured.map(|speed| speed.fuel_ms))
    }

    /// It ran a program.
    pub(crate) fn ran(&mut self, program: Cid) {
        let run = &mut self.standing.run;
        run.retain(|other| *other != program);
        run.push(program);
        if run.len() > RUN {
            run.remove(0);
        }
    }

    /// Whether it is looked after now, or before so much time is over.
    pub(crate) fn in_window(&self, now: Time, span_ms: impl FnOnce() -> u64) -> bool {
        let ahead = |window: &&Window| window.until > now;
        match self.standing.windows.iter().find(ahead) {
            None => false,
            Some(window) => window.from <= now || window.from < now.after_ms(span_ms()),
        }
    }
}

fn read_and_drop<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<(), D::Error> {
    Option::<JobId>::deserialize(deserializer).map(|_| ())
}

/// The node itself is always there.
pub(crate) fn own(me: PublicKey) -> BTreeMap<PublicKey, Station> {
    BTreeMap::from([(me, Station { link: Link::Up, ..Station::default() })])
}
