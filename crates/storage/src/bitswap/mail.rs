//! What peers said that one fetch waits for.

use crate::{exchange::Refusal, lock::lock};
use identity::PublicKey;
use objects::{Checked, Cid};
use std::{
    collections::{HashMap, VecDeque},
    sync::Mutex,
};
use tokio::sync::Notify;

/// A block that came.
#[derive(Debug)]
pub(super) struct Arrived {
    pub(super) peer: PublicKey,
    pub(super) block: Checked,
}

/// The news of one fetch. Bounded by what it wants and whom it asks: a block comes once, and of
/// each peer only the last word about an object is kept.
#[derive(Debug)]
pub(super) struct Mail {
    pub(super) id: u64,
    /// Whom it asks.
    pub(super) peers: Vec<PublicKey>,
    news: Mutex<News>,
    pub(super) wake: Notify,
}

/// What has not been looked at yet.
#[derive(Default, Debug)]
pub(super) struct News {
    pub(super) blocks: VecDeque<Arrived>,
    pub(super) presences: HashMap<(PublicKey, Cid), bool>,
    pub(super) faults: HashMap<PublicKey, Refusal>,
    pub(super) closed: bool,
}

impl Mail {
    pub(super) fn new(id: u64, peers: Vec<PublicKey>) -> Self {
        Self { id, peers, news: Mutex::default(), wake: Notify::new() }
    }

    /// Adds news and wakes the fetch.
    pub(super) fn add(&self, add: impl FnOnce(&mut News)) {
        add(&mut lock(&self.news));
        self.wake.notify_one();
    }

    /// Takes the oldest block, if there is one.
    pub(super) fn block(&self) -> Option<Arrived> {
        lock(&self.news).blocks.pop_front()
    }

    /// Takes everything but blocks.
    pub(super) fn words(&self) -> News {
        let mut news = lock(&self.news);
        News {
            blocks: VecDeque::new(),
            presences: std::mem::take(&mut news.presences),
            faults: std::mem::take(&mut news.faults),
            closed: news.closed,
        }
    }
}
