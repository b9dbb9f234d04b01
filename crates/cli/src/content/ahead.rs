//! Blocks of a node that are fetched before they are wanted.

use crate::failure::Failure;
use api::{ApiError, NodeApi, path};
use bytes::Bytes;
use objects::Cid;
use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};
use tokio::task::JoinSet;

/// Blocks that are asked for before they are wanted, at most.
pub(crate) const AHEAD: usize = 256;
/// Blocks in one question: as many as one answer has room for, if they are as large as those that
/// came last.
const TOGETHER: std::ops::RangeInclusive<usize> = 4..=128;
/// Questions that are under way at once.
const FLIGHTS: usize = 4;
/// Bytes of blocks that wait to be wanted; above it nothing more is asked for.
const WAITING_BYTES: usize = 32 << 20;

/// What was asked for, and the answer.
type Landed = (Vec<Cid>, Result<Vec<Bytes>, ApiError>);

/// Gets blocks in the order in which somebody wants them.
pub(crate) struct Ahead<N> {
    node: Arc<N>,
    ready: HashMap<Cid, Bytes>,
    ready_bytes: usize,
    /// Tasks, so that answers are checked on other threads than the one that writes them out.
    flights: JoinSet<Landed>,
    asked: HashSet<Cid>,
    /// Bytes of one block of the last answer.
    usual_bytes: usize,
    /// The last one: in some files it is wanted again at once.
    last: Option<(Cid, Bytes)>,
}

impl<N: NodeApi> Ahead<N> {
    pub(crate) fn new(node: Arc<N>) -> Self {
        Self {
            node,
            ready: HashMap::new(),
            ready_bytes: 0,
            flights: JoinSet::new(),
            asked: HashSet::new(),
            usual_bytes: path::BLOBS_BYTES,
            last: None,
        }
    }

    /// The block that is wanted now. Those that will be are asked for meanwhile.
    pub(crate) async fn next(&mut self, wanted: Cid, upcoming: &[Cid]) -> Result<Bytes, Failure> {
        if let Some((cid, bytes)) = &self.last
            && *cid == wanted
        {
            return Ok(bytes.clone());
        }
        loop {
            if let Some(bytes) = self.ready.remove(&wanted) {
                self.ready_bytes -= bytes.len();
                self.ask(upcoming);
                self.last = Some((wanted, bytes.clone()));
                return Ok(bytes);
            }
            if !self.asked.contains(&wanted) {
                self.fly(vec![wanted]);
            }
            self.ask(upcoming);
            let Some(landed) = self.flights.join_next().await else { continue };
            let (cids, answer) = landed.map_err(Failure::internal)?;
            self.take(wanted, cids, answer)?;
        }
    }

    fn take(
        &mut self,
        wanted: Cid,
        cids: Vec<Cid>,
        answer: Result<Vec<Bytes>, ApiError>,
    ) -> Result<(), Failure> {
        for cid in &cids {
            self.asked.remove(cid);
        }
        match answer {
            Ok(blocks) => {
                let bytes: usize = blocks.iter().map(Bytes::len).sum();
                self.usual_bytes = bytes / blocks.len().max(1);
                for (cid, bytes) in cids.into_iter().zip(blocks) {
                    self.ready_bytes += bytes.len();
                    if let Some(before) = self.ready.insert(cid, bytes) {
                        self.ready_bytes -= before.len();
                    }
                }
                Ok(())
            }
            // What only might be wanted may be missing.
            Err(_) if cids[0] != wanted => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    /// Asks for what will be wanted, as far as there is room.
    fn ask(&mut self, upcoming: &[Cid]) {
        let together = path::BLOBS_BYTES / self.usual_bytes.max(1);
        let together = together.clamp(*TOGETHER.start(), *TOGETHER.end());
        let new = |cid: &&Cid| !self.ready.contains_key(cid) && !self.asked.contains(cid);
        let mut new: Vec<_> = upcoming.iter().take(AHEAD).filter(new).copied().collect();
        let mut seen = HashSet::new();
        new.retain(|cid| seen.insert(*cid));
        for few in new.chunks(together) {
            let has_room = self.flights.len() < FLIGHTS && self.ready_bytes < WAITING_BYTES;
            // One more block does not make a question while others are under way.
            if !has_room || (few.len() < together && !self.flights.is_empty()) {
                return;
            }
            self.fly(few.to_vec());
        }
    }

    fn fly(&mut self, cids: Vec<Cid>) {
        self.asked.extend(&cids);
        let node = self.node.clone();
        self.flights.spawn(async move {
            let answer = node.blobs(cids.clone()).await;
            (cids, answer)
        });
    }
}
