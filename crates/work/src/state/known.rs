//! What nodes said of themselves, what their owners said of them, and what was seen.

use super::{Conduct, Fleet, Link, NodeClass, Window, station::WINDOWS};
use identity::PublicKey;
use objects::Cid;
use protocol::{Profile, Time};

/// The share of the latest speed in what was seen: one of so many.
const SHARE: u64 = 8;

impl Fleet {
    /// A node said what it is. Gives whether that is anything new, or nothing if there are too many
    /// nodes to remember it.
    pub(crate) fn set_profile(
        &mut self,
        node: PublicKey,
        profile: Box<Profile>,
        rtt_ms: Option<u32>,
    ) -> Option<bool> {
        let standing = &mut self.station_for(node)?.standing;
        let rtt_ms = rtt_ms.or(standing.rtt_ms);
        let fresh = |before: &Profile| Profile { at: profile.at, ..before.clone() } != *profile;
        let new = rtt_ms != standing.rtt_ms || standing.profile.as_deref().is_none_or(fresh);
        standing.profile = Some(profile);
        standing.rtt_ms = rtt_ms;
        Some(new)
    }

    /// A node is given nothing any more, or something again.
    pub(crate) fn set_cordon(&mut self, node: PublicKey, reason: Option<String>) -> bool {
        let Some(station) = self.station_for(node) else { return false };
        station.standing.cordon = reason;
        self.forget_idle(&node);
        true
    }

    /// When the owner of a node looks after it: as many as are kept, those that end first.
    pub(crate) fn set_windows(
        &mut self,
        node: PublicKey,
        mut windows: Vec<Window>,
        now: Time,
    ) -> bool {
        windows.retain(|window| window.until > now && window.from < window.until);
        windows.sort_unstable_by_key(|window| (window.until, window.from));
        windows.truncate(WINDOWS);
        let Some(station) = self.station_for(node) else { return false };
        station.standing.windows = windows;
        self.forget_idle(&node);
        true
    }

    /// When something about a node changes by itself, after that time.
    pub(crate) fn next_change(&self, node: &PublicKey, now: Time) -> Option<Time> {
        let windows = &self.station(node)?.standing.windows;
        let times = windows.iter().flat_map(|window| [window.from, window.until]);
        times.filter(|at| *at > now).min()
    }

    /// Why a node is given nothing.
    pub(crate) fn cordon(&self, node: &PublicKey) -> Option<&str> {
        self.station(node)?.standing.cordon.as_deref()
    }

    /// Whether a node is looked after now, or before so much time is over.
    pub(crate) fn in_window(
        &self,
        node: &PublicKey,
        now: Time,
        span_ms: impl FnOnce() -> u64,
    ) -> bool {
        self.station(node).is_some_and(|station| station.in_window(now, span_ms))
    }

    /// Slots of all nodes that are connected.
    pub(crate) fn up_slots(&self) -> u64 {
        let up = self.stations().filter(|(_, station)| station.link == Link::Up).count();
        up as u64 * u64::from(self.slots())
    }

    pub(crate) fn profile(&self, node: &PublicKey) -> Option<&Profile> {
        self.station(node)?.standing.profile.as_deref()
    }

    pub(crate) fn rtt_ms(&self, node: &PublicKey) -> Option<u32> {
        self.station(node)?.standing.rtt_ms
    }

    pub(crate) fn conduct(&self, node: &PublicKey) -> Option<&Conduct> {
        self.station(node).map(|station| &station.standing.conduct)
    }

    /// Of a node that is not known nothing is remembered.
    pub(crate) fn conduct_mut(&mut self, node: &PublicKey) -> Option<&mut Conduct> {
        self.station_mut(node).map(|station| &mut station.standing.conduct)
    }

    pub(crate) fn has_run(&self, node: &PublicKey, program: &Cid) -> bool {
        self.station(node).is_some_and(|station| station.standing.run.contains(program))
    }

    pub(crate) fn ran(&mut self, node: &PublicKey, program: Cid) {
        if let Some(station) = self.station_mut(node) {
            station.ran(program);
        }
    }

    /// Units of fuel that a node burns in a millisecond.
    pub(crate) fn fuel_ms(&self, node: &PublicKey) -> Option<u64> {
        self.station(node)?.fuel_ms()
    }

    /// The node was seen to burn so many units of fuel in a millisecond.
    pub(crate) fn saw_fuel_ms(&mut self, node: &PublicKey, fuel_ms: u64) {
        if let Some(station) = self.station_mut(node) {
            let before = station.standing.seen_fuel_ms.unwrap_or(fuel_ms);
            station.standing.seen_fuel_ms = Some(before - before / SHARE + fuel_ms / SHARE);
        }
    }

    /// The most units of fuel that any node was seen to burn in a millisecond. Only while nothing was
    /// seen of any does it count what they say: whoever boasts is no better than the best one.
    pub(crate) fn fastest(&self) -> u64 {
        let seen = self.stations().filter_map(|(_, station)| station.standing.seen_fuel_ms);
        let said = || self.stations().filter_map(|(_, station)| station.fuel_ms()).max();
        seen.max().or_else(said).unwrap_or(0)
    }

    pub(crate) fn class_of(&self, node: &PublicKey) -> NodeClass {
        self.station(node).map(super::station::Station::class).unwrap_or_default()
    }

    /// Which share of a node is free, of a thousand.
    pub(crate) fn free_share(&self, node: &PublicKey) -> u32 {
        self.station(node).map_or(0, |station| station.free_share(self.slots()))
    }
}
