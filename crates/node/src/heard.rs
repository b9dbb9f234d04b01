//! What peers last said of themselves.

use api::AboutInfo;
use identity::PublicKey;
use protocol::Profile;
use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard},
};
use tokio::sync::watch;

/// What peers last said, as long as they are connected.
#[derive(Clone, Default)]
pub(crate) struct Heard(Arc<Inner>);

#[derive(Default)]
struct Inner {
    said: Mutex<BTreeMap<PublicKey, Said>>,
    /// Told of every profile that is new.
    news: watch::Sender<()>,
}

/// What a peer said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Said {
    pub(crate) about: AboutInfo,
    /// What it measured of itself, by its own word.
    pub(crate) profile: Option<Profile>,
    /// How long a message to it and its answer took, in milliseconds.
    pub(crate) rtt_ms: u64,
}

impl Said {
    fn is_measured(&self) -> bool {
        self.profile.as_ref().is_some_and(|profile| profile.speed.is_some())
    }
}

impl Heard {
    fn lock(&self) -> MutexGuard<'_, BTreeMap<PublicKey, Said>> {
        self.0.said.lock().expect("nobody panics while holding what peers said")
    }

    /// What a peer says now.
    pub(crate) fn insert(&self, peer: PublicKey, said: Said) {
        let before = self.lock().insert(peer, said.clone());
        if said.profile.is_some() && before.is_none_or(|before| before.profile != said.profile) {
            self.0.news.send_replace(());
        }
    }

    /// Forgets what a peer said.
    pub(crate) fn remove(&self, peer: &PublicKey) {
        self.lock().remove(peer);
    }

    /// Whether a peer said what it measured.
    pub(crate) fn is_measured(&self, peer: &PublicKey) -> bool {
        self.lock().get(peer).is_some_and(Said::is_measured)
    }

    /// What a peer last said.
    pub(crate) fn of(&self, peer: &PublicKey) -> Option<Said> {
        self.lock().get(peer).cloned()
    }

    /// Everybody who said what it measured, with how long a message takes.
    pub(crate) fn profiles(&self) -> Vec<(PublicKey, Profile, u64)> {
        let said = self.lock();
        let known = said
            .iter()
            .filter_map(|(peer, said)| Some((*peer, said.profile.clone()?, said.rtt_ms)));
        known.collect()
    }

    /// Changes whenever [`Self::profiles`] has something new.
    pub(crate) fn news(&self) -> watch::Receiver<()> {
        self.0.news.subscribe()
    }
}
