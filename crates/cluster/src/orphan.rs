//! A member that hears of no leader asks the others how they stand: whether its cluster goes on without
//! it is said to whoever asks.

use crate::{Replicated, driver::Role, voice::Voice, wire::Line};
use identity::PublicKey;
use openraft::async_runtime::watch::WatchReceiver;
use protocol::port::Clock;
use std::sync::Arc;

/// Pause between two rounds.
const PAUSE_MS: u64 = 5_000;
/// Members that are asked in one round; the next round asks others.
const ASKED: usize = 8;

/// Asks until somebody has answered, and then while nobody leads; it is dropped when the cluster ends.
/// A member that follows goes by what it knew of its leader before, so that it asks once as well.
pub(crate) async fn run<M: Replicated>(voice: Voice<M>, clock: Arc<dyn Clock>) {
    let (mut begun, mut met) = (0, false);
    // An election takes less.
    let mut pause_ms = voice.choice.silence_ms;
    loop {
        clock.pause(pause_ms).await;
        if voice.wire.behind().is_some() {
            return;
        }
        pause_ms = PAUSE_MS;
        if met && *voice.role.borrow() != Role::Follows(None) {
            continue;
        }
        for member in others(&voice, begun) {
            match Line::open(&voice.wire, member).await {
                Ok(_) => met = true,
                Err(silence) => tracing::debug!(member = %member.short(), %silence, "is not met"),
            }
        }
        begun += ASKED;
    }
}

/// The members of this round.
fn others<M: Replicated>(voice: &Voice<M>, begun: usize) -> Vec<PublicKey> {
    let metrics = voice.engine.metrics().borrow_watched().clone();
    let nodes = metrics.membership_config.membership().nodes();
    let others: Vec<_> =
        nodes.map(|(member, _)| member.0).filter(|member| *member != voice.wire.me).collect();
    let count = others.len();
    others.into_iter().cycle().skip(begun % count.max(1)).take(count.min(ASKED)).collect()
}
