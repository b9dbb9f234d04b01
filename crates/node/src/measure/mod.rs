//! What this node is and can do, as it measured itself: said in signed profiles, its own and one for
//! each further executor in this process.

mod machine;

use crate::{chain::Chain, worker::Executor};
use anyhow::Context;
use identity::{PublicKey, SecretKey, Signed};
use protocol::{Height, Profile, Speed, port::Clock};
use std::{collections::BTreeMap, path::PathBuf, sync::Arc};
use storage::Store;
use tokio::sync::{Notify, watch};

/// Free bytes of a disk that is measured, at least.
const DISK_BYTES: u64 = 16 << 20;
/// Pause before a profile is said anew, because free space changes.
const REFRESH_MS: u64 = 600_000;
/// Least pause between two measurements.
const AGAIN_MS: u64 = 60_000;

/// What measuring needs of the node.
pub(crate) struct Parts {
    /// The node's key, and those of its further executors.
    pub(crate) keys: Vec<SecretKey>,
    pub(crate) chain: Chain,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) executor: Arc<Executor>,
    pub(crate) store: Store,
    /// The store's directory, whose disk is measured.
    pub(crate) dir: PathBuf,
    pub(crate) labels: BTreeMap<String, String>,
    pub(crate) price: u64,
    /// Programs that run at the same time.
    pub(crate) cores: u16,
}

/// What was measured last. A cheap copy.
#[derive(Clone)]
pub(crate) struct Own {
    profiles: watch::Receiver<Vec<Signed<Profile>>>,
    again: Arc<Notify>,
}

impl Own {
    /// Profiles that nobody measures any more.
    #[cfg(test)]
    pub(crate) fn of(profiles: Vec<Signed<Profile>>) -> Self {
        Self { profiles: watch::channel(profiles).1, again: Arc::default() }
    }

    /// The profile of one of this process's nodes; none before the first measurement.
    pub(crate) fn profile(&self, node: &PublicKey) -> Option<Signed<Profile>> {
        self.profiles.borrow().iter().find(|profile| profile.by == *node).cloned()
    }

    /// All of them, now and whenever they change.
    pub(crate) fn watch(&self) -> watch::Receiver<Vec<Signed<Profile>>> {
        self.profiles.clone()
    }

    /// Has the node measure itself again, because outcomes disagree with what it said. Not more
    /// often than once in a while, however often it is asked for.
    pub(crate) fn again(&self) {
        self.again.notify_one();
    }
}

/// Measures in the background. What is given back first ends when the node does.
pub(crate) fn start(parts: Parts) -> (impl Future<Output = anyhow::Result<()>>, Own) {
    let (say, profiles) = watch::channel(Vec::new());
    let again = Arc::new(Notify::new());
    let own = Own { profiles, again };
    let doubt = own.clone();
    let (chain, keys) = (parts.chain.clone(), parts.keys.clone());
    let measuring = async move {
        tokio::select! {
            ended = parts.run(&doubt.again, &say) => ended,
            () = doubt_in_disputes(&chain, &keys, &doubt) => Ok(()),
        }
    };
    (measuring, own)
}

impl Parts {
    async fn run(
        self,
        again: &Notify,
        say: &watch::Sender<Vec<Signed<Profile>>>,
    ) -> anyhow::Result<()> {
        let mut speed = self.speed().await?;
        let mut said: Option<Profile> = None;
        loop {
            let measured = self.clock.now();
            let profile = self.profile(speed).await;
            if said.as_ref().is_none_or(|before| is_news(before, &profile)) {
                say.send_replace(self.sign(&profile));
                said = Some(profile);
            }
            tokio::select! {
                () = again.notified() => {
                    self.clock.until(measured.after_ms(AGAIN_MS)).await;
                    speed = self.speed().await?;
                }
                () = self.clock.until(measured.after_ms(REFRESH_MS)) => {}
            }
        }
    }

    /// Half a second of one core, beside everything else.
    async fn speed(&self) -> anyhow::Result<Option<Speed>> {
        // What is left of a disk belongs to the journals.
        let room = self.disk_bytes().await >= DISK_BYTES;
        let (executor, dir) = (self.executor.clone(), self.dir.clone());
        let dir = room.then_some(dir);
        let measured = tokio::task::spawn_blocking(move || executor.measure(dir.as_deref()));
        match measured.await.context("measuring this machine")? {
            Ok(speed) => {
                tracing::info!(?speed, "measured what this machine does");
                Ok(Some(speed))
            }
            Err(error @ execution::Error::KnownAnswer { .. }) => Err(error.into()),
            Err(error) => {
                tracing::warn!(%error, "this machine cannot be measured");
                Ok(None)
            }
        }
    }

    /// Bytes that the store may still take. A store that does not answer is seen elsewhere.
    async fn disk_bytes(&self) -> u64 {
        let status = self.store.status().await;
        status.map_or(0, |status| status.free_bytes.saturating_sub(status.reserve_bytes))
    }

    async fn profile(&self, speed: Option<Speed>) -> Profile {
        let disk_bytes = self.disk_bytes().await;
        Profile {
            labels: self.labels.clone(),
            arch: std::env::consts::ARCH.into(),
            cores: self.cores,
            memory_bytes: machine::memory_bytes(),
            disk_bytes,
            gpus: machine::gpus(),
            speed,
            price: self.price,
            at: self.clock.now(),
        }
    }

    fn sign(&self, profile: &Profile) -> Vec<Signed<Profile>> {
        let network = self.chain.network();
        self.keys.iter().map(|key| Signed::new(profile.clone(), network, key)).collect()
    }
}

/// Whether a home would decide otherwise: every member of its cluster keeps what is said.
fn is_news(before: &Profile, now: &Profile) -> bool {
    let disk = before.disk_bytes.abs_diff(now.disk_bytes) > before.disk_bytes / 8;
    disk || Profile { at: now.at, disk_bytes: now.disk_bytes, ..before.clone() } != *now
}

/// Has the node measure itself again when it is one of those whose outcomes of a task differ.
async fn doubt_in_disputes(chain: &Chain, keys: &[SecretKey], own: &Own) {
    let nodes: Vec<_> = keys.iter().map(SecretKey::public).collect();
    let mut head = chain.head();
    let mut seen = chain.ledger().tip().height;
    while head.changed().await.is_ok() {
        head.borrow_and_update();
        let ledger = chain.ledger();
        let is_mine = |claims: &[(PublicKey, protocol::OutcomeDigest)]| {
            claims.iter().any(|(node, _)| nodes.contains(node))
        };
        let is_new = |opened: Height| opened > seen;
        if ledger.disputes().any(|known| is_new(known.opened) && is_mine(&known.claims)) {
            own.again();
        }
        seen = ledger.tip().height;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use protocol::Time;

    #[test]
    fn only_what_could_change_a_choice_is_said_again() {
        let before = Profile { cores: 4, disk_bytes: 800, at: Time(1), ..Profile::default() };
        let later = Profile { at: Time(2), disk_bytes: 750, ..before.clone() };
        assert!(!is_news(&before, &later));
        assert!(is_news(&before, &Profile { disk_bytes: 600, ..later.clone() }));
        assert!(is_news(&before, &Profile { cores: 8, ..later.clone() }));
        let speed = Some(Speed { mflops: 1, ..Speed::default() });
        assert!(is_news(&before, &Profile { speed, ..later }));
    }
}
