//! What machines themselves may be the reason for: clocks, engines, versions.

use super::{Facts, Said};
use crate::text;
use api::NodeInfo;
use identity::PublicKey;
use std::time::Duration;

/// How far clocks may differ before it is worth a word, in milliseconds.
pub(crate) const DRIFT_MS: u64 = 5_000;

impl Facts<'_> {
    /// The order may name an engine that its home does not have any more.
    pub(super) fn own_engine(&self) -> Option<Said> {
        let (wanted, own) = (self.detail.order.payload.engine, self.status.fingerprint);
        if wanted == own || self.is_over() {
            return None;
        }
        let others: Vec<_> = self.nodes.iter().filter_map(|node| node.about.as_ref()).collect();
        let having = others.iter().filter(|about| about.engine == wanted).count();
        Some(
            Said::new(format!(
                "The order names another engine (…{}) than this node has (…{}): this node cannot \
                 run it, and of {} that told what they have, {having} can.",
                text::short(wanted),
                text::short(own),
                text::plural(others.len(), "other node"),
            ))
            .next("order it again with this version: polity run …"),
        )
    }

    /// The clock of this machine may be off.
    pub(super) fn own_clock(&self) -> Option<Said> {
        if self.is_over() {
            return None;
        }
        off_ms(self.nodes, self.status.head_time.since_ms(self.status.clock)).map(|off_ms| {
            let off = direction(-off_ms);
            Said::new(format!("The clock of this machine is {off} those of others: set it."))
                .next("polity doctor")
        })
    }

    /// What a node said of itself that may be why it does not run the order.
    pub(super) fn oddity(&self, node: &PublicKey) -> Option<String> {
        let about = self.info(node)?.about.as_ref()?;
        if about.engine != self.detail.order.payload.engine {
            let version = &about.version;
            return Some(format!("it has version {version} and another engine"));
        }
        let off = about.ahead_ms.unsigned_abs() > DRIFT_MS + about.within_ms;
        off.then(|| format!("its clock is {} this one", direction(about.ahead_ms)))
    }

    pub(super) fn info(&self, node: &PublicKey) -> Option<&NodeInfo> {
        self.nodes.iter().find(|info| info.node == *node)
    }
}

/// How far the clocks of others are ahead of this one, if most of them are off by more than may
/// be, or if the ledger is ahead by so much.
pub(crate) fn off_ms(nodes: &[NodeInfo], ledger_ahead_ms: u64) -> Option<i64> {
    let mut offsets: Vec<_> = nodes.iter().filter_map(|node| node.about.as_ref()).collect();
    offsets.retain(|about| about.within_ms < DRIFT_MS);
    offsets.sort_by_key(|about| about.ahead_ms);
    let median = offsets.get(offsets.len() / 2).map(|about| about.ahead_ms);
    let ledger = i64::try_from(ledger_ahead_ms).unwrap_or(i64::MAX);
    let far = |ms: &i64| ms.unsigned_abs() > DRIFT_MS;
    median.filter(far).or(Some(ledger).filter(far))
}

/// `2 h ahead of`, `12.0 s behind`.
pub(crate) fn direction(ahead_ms: i64) -> String {
    let by = text::lasting(Duration::from_millis(ahead_ms.unsigned_abs()));
    if ahead_ms < 0 { format!("{by} behind") } else { format!("{by} ahead of") }
}
