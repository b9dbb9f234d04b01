//! The clock: against those of peers, the last block, and the day the polity was founded.

use super::{Check, Patient};
use crate::{
    job::explain::machines::{DRIFT_MS, direction},
    machine, text,
};
use std::time::Duration;

/// What to do about it.
const SET: &str = "set it, and keep it set: timedatectl set-ntp true";

pub(super) fn check(patient: &Patient<'_>) -> Check {
    let now = machine::now();
    let Some(node) = &patient.node else {
        let founded = patient.genesis.as_ref().map(|genesis| genesis.founded);
        let early_ms = founded.map_or(0, |founded| founded.since_ms(now));
        let said = format!("It says {}", text::moment(now));
        if early_ms > 0 {
            let by = text::lasting(Duration::from_millis(early_ms));
            let said = format!("{said}, {by} before this polity was founded.");
            return Check::bad("clock", said).next(SET);
        }
        return Check::good("clock", format!("{said}; no node runs that could compare it."));
    };
    if let Some(off_ms) = node.off_ms() {
        let off = direction(-off_ms);
        return Check::bad("clock", format!("It is {off} those of others.")).next(SET);
    }
    let mut odd: Vec<_> =
        node.nodes.iter().filter_map(|info| Some((info, info.about.as_ref()?))).collect();
    let compared = odd.len();
    odd.retain(|(_, about)| about.ahead_ms.unsigned_abs() > DRIFT_MS + about.within_ms);
    if let Some((info, about)) = odd.first() {
        let off = direction(about.ahead_ms);
        let (name, node) = (&info.owner_name, info.node.short());
        let said =
            format!("It agrees with most others; that of …{node} (owner {name}) is {off} it.");
        return Check::warn("clock", said).next("tell that owner");
    }
    match compared {
        0 => {
            let age = text::lasting(Duration::from_millis(now.since_ms(node.status.head_time)));
            Check::good("clock", format!("No peer to compare with; the last block is {age} old."))
        }
        count => {
            let peers = text::plural(count, "peer");
            Check::good("clock", format!("It agrees with those of {peers}, within 5 s."))
        }
    }
}
