//! How members speak to each other: over streams between nodes whose keys are proven.

mod client;
mod line;
mod message;
mod server;
mod trust;

pub(crate) use client::Peers;
pub(crate) use line::{Line, Silence};
pub(crate) use message::{Answer, Ask, ENTRIES_BYTES, Standing};
pub use server::Admits;
pub(crate) use server::Server;
pub(crate) use trust::Vouched;

use crate::{
    ClusterId,
    engine::LogId,
    lock::{read, write},
    members::LeftBehind,
    record::Belongs,
    seen::Seen,
    store::Glance,
};
use identity::PublicKey;
use protocol::{Time, port::Streams};
use std::{
    sync::{Arc, OnceLock, RwLock},
    time::Duration,
};
use tokio::sync::watch;

/// What every stream between members needs. Shared by all of them.
pub(crate) struct Wire {
    pub(crate) streams: Arc<dyn Streams>,
    pub(crate) me: PublicKey,
    /// What this node is part of.
    belongs: RwLock<Belongs>,
    /// The entry that let this node in.
    joined: OnceLock<LogId>,
    /// What this node has voted and written.
    pub(crate) glance: Glance,
    /// Drawn when this process began.
    life: u64,
    /// When it began.
    since: Time,
    pub(crate) seen: Seen,
    /// Who said that the cluster was recovered without this node, if somebody did.
    behind: watch::Sender<Option<LeftBehind>>,
    /// How long an answer may take.
    pub(crate) patience: Duration,
}

impl Wire {
    pub(crate) fn new(
        streams: Arc<dyn Streams>,
        me: PublicKey,
        belongs: Belongs,
        (glance, life, since): (Glance, u64, Time),
        patience: Duration,
    ) -> Self {
        let belongs = RwLock::new(belongs);
        let (joined, seen) = (OnceLock::new(), Seen::default());
        let behind = watch::Sender::new(None);
        Self { streams, me, belongs, joined, glance, life, since, seen, behind, patience }
    }

    /// Whether the cluster was recovered without this node. It votes for nobody then, does not stand,
    /// and does not lead: those who come back must not be a majority of what is no more.
    pub(crate) fn behind(&self) -> Option<LeftBehind> {
        *self.behind.borrow()
    }

    /// Tells when that is said.
    pub(crate) fn watch_behind(&self) -> watch::Receiver<Option<LeftBehind>> {
        self.behind.subscribe()
    }

    /// A member said that the cluster goes on without this node.
    fn fell_behind(&self, behind: LeftBehind) {
        if self.since < behind.at {
            // It was there all the time: nobody had lost it.
            tracing::error!(
                member = %behind.by, cluster = %behind.into,
                "a member was made a cluster of its own, as if this one was lost; remove it here, and \
                 let it join again with an empty directory"
            );
            return;
        }
        let is_news = self.behind.send_if_modified(|known| {
            let is_news = known.is_none() && self.cluster().is_some();
            *known = known.or(is_news.then_some(behind));
            is_news
        });
        if is_news {
            tracing::error!("{behind}");
        }
    }

    /// Says which entry let this node in. It may have been a member before, and have forgotten on an
    /// empty disk what it voted for and what it took: nobody counts on it without that entry.
    pub(crate) fn set_joined(&self, at: LogId) {
        self.joined.get_or_init(|| at);
    }

    /// Whom this node takes at their word before it knows any member: whoever let it in, and whom it
    /// was told to ask for that.
    pub(crate) fn sponsors(&self) -> Vec<PublicKey> {
        let joined = self.joined.get().map(|at| at.leader_id.node_id.0);
        joined.into_iter().chain(self.belongs().seeds).collect()
    }

    /// Whether one whose log ends like this may be elected, as far as this node knows.
    pub(crate) fn may_elect(&self, last: Option<LogId>) -> bool {
        self.joined.get().is_none_or(|joined| last >= Some(*joined))
    }

    /// Whether this node has the entry that let it in. Before that it may see members that were
    /// members long ago, itself alone among them.
    pub(crate) fn is_grown(&self) -> bool {
        self.may_elect(self.glance.standing().1)
    }

    pub(crate) fn standing(&self) -> Standing {
        let (term, last) = self.glance.standing();
        Standing { life: self.life, term, last: last.map(Into::into) }
    }

    pub(crate) fn belongs(&self) -> Belongs {
        read(&self.belongs).clone()
    }

    /// The cluster that this node is part of, once it was let in.
    pub(crate) fn cluster(&self) -> Option<ClusterId> {
        read(&self.belongs).cluster
    }

    pub(crate) fn set_belongs(&self, belongs: Belongs) {
        *write(&self.belongs) = belongs;
    }
}

/// What is said on a stream, for tests that speak as others do.
#[cfg(test)]
pub(crate) mod raw {
    pub(crate) use super::message::{ANSWER_BYTES, Append, Ballot, CLUSTER, Hello, decode, encode};
}
