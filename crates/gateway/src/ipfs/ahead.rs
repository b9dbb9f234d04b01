//! Blocks, fetched a few ahead of the one that is needed.

use super::refusal::Refusal;
use api::NodeApi;
use axum::{body::Bytes, http::StatusCode};
use objects::Cid;
use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
    time::Duration,
};
use tokio::task::JoinSet;

/// Blocks that are asked for at once, and held at most.
pub(super) const WINDOW: usize = 8;

type Fetched = Result<Bytes, Refusal>;

/// Gets blocks from the node. Every block has a time limit of its own.
#[derive(Clone)]
pub(super) struct Source {
    pub(super) api: Arc<dyn NodeApi>,
    pub(super) limit: Duration,
}

impl Source {
    /// One block. Whoever reads it checks it against its CID.
    pub(super) async fn block(&self, cid: Cid) -> Fetched {
        match tokio::time::timeout(self.limit, self.api.blob(cid)).await {
            Ok(fetched) => fetched.map_err(Refusal::from),
            Err(_) => Err(Refusal::late(format!("{cid} did not arrive in time"))),
        }
    }
}

/// Gets the blocks of a walk in its order. They arrive while nobody asks for them, too: a client
/// that reads slowly does not use up their time. What is under way ends when this is dropped.
pub(super) struct Ahead {
    source: Source,
    asked: HashSet<Cid>,
    running: JoinSet<(Cid, Fetched)>,
    ready: HashMap<Cid, Fetched>,
}

impl Ahead {
    pub(super) fn new(source: Source) -> Self {
        let (asked, ready) = (HashSet::new(), HashMap::new());
        Self { source, asked, running: JoinSet::new(), ready }
    }

    /// The first of the blocks that are wanted, while the next ones are on their way.
    pub(super) async fn first(&mut self, wanted: &[Cid]) -> Fetched {
        let window = &wanted[..wanted.len().min(WINDOW)];
        let Some(first) = window.first().copied() else {
            return Err(Refusal::bad("nothing is wanted"));
        };
        // What was fetched for nothing, because it had come before, is let go.
        self.ready.retain(|cid, _| window.contains(cid));
        for cid in window.iter().copied() {
            if self.running.len() + self.ready.len() < WINDOW || cid == first {
                self.ask(cid);
            }
        }
        loop {
            if let Some(fetched) = self.ready.remove(&first) {
                return fetched;
            }
            match self.running.join_next().await {
                Some(Ok((cid, fetched))) => {
                    self.asked.remove(&cid);
                    self.ready.insert(cid, fetched);
                }
                Some(Err(error)) => {
                    let message = format!("a fetch ended early: {error}");
                    return Err(Refusal::new(StatusCode::INTERNAL_SERVER_ERROR, message));
                }
                // It was asked for and let go in between.
                None => self.ask(first),
            }
        }
    }

    fn ask(&mut self, cid: Cid) {
        if !self.ready.contains_key(&cid) && self.asked.insert(cid) {
            let source = self.source.clone();
            self.running.spawn(async move { (cid, source.block(cid).await) });
        }
    }
}
