//! The store of the polity in memory: a map, and pins.

use super::{Polity, State};
use api::{
    ApiError, Blocks, Chore, ChoreReport, Chores, Code, HolderInfo, PinInfo, PinMode, Progress,
    Received, Reply, Stock, StorageApi, USER_LABEL, Whereabouts,
};
use bytes::Bytes;
use futures::{FutureExt, StreamExt, future, stream};
use identity::PublicKey;
use objects::{Block, Cid, links};
use protocol::{Time, durability::Tolerance};
use std::collections::HashSet;

impl State {
    /// Everything below these that is here, and how many blocks are not.
    fn below(&self, roots: impl IntoIterator<Item = Cid>) -> (HashSet<Cid>, u64) {
        let (mut found, mut missing) = (HashSet::new(), 0);
        let mut open: Vec<_> = roots.into_iter().collect();
        while let Some(cid) = open.pop() {
            match self.blobs.get(&cid) {
                Some(block) if found.insert(cid) => open.extend(links(cid, block).unwrap()),
                Some(_) => {}
                None => missing += 1,
            }
        }
        (found, missing)
    }

    fn all_below(&self, root: Cid) -> Result<HashSet<Cid>, ApiError> {
        let (found, missing) = self.below([root]);
        if missing > 0 {
            let message = format!("nobody has all of {root} now");
            return Err(ApiError::new(Code::ObjectUnavailable, message));
        }
        Ok(found)
    }

    fn bytes(&self, cids: &HashSet<Cid>) -> u64 {
        cids.iter().map(|cid| self.blobs[cid].len() as u64).sum()
    }

    fn chore(&mut self, chore: Chore) -> Result<ChoreReport, ApiError> {
        match chore {
            Chore::Fetch { root, mode, from } => {
                for block in from.iter().flat_map(|_| std::mem::take(&mut self.foreign)) {
                    self.blobs.insert(block.cid, block.bytes);
                }
                let found = self.all_below(root)?;
                let bytes = self.bytes(&found);
                let blocks = if mode == PinMode::Direct { 1 } else { found.len() as u64 };
                Ok(ChoreReport::Fetched { blocks, bytes })
            }
            Chore::Pin { root, mode, name, .. } => {
                let found = self.all_below(root)?;
                let label = USER_LABEL.to_string();
                self.pins.retain(|pin| pin.root != root);
                self.pins.push(PinInfo { label, root, mode, name, since: Time(1) });
                let bytes = self.bytes(&found);
                Ok(ChoreReport::Pinned { blocks: found.len() as u64, bytes })
            }
            Chore::Verify => {
                let all: HashSet<_> = self.blobs.keys().copied().collect();
                let wrong = |cid: &&Cid| cid.check(&self.blobs[*cid]).is_err();
                let damaged: Vec<_> = all.iter().filter(wrong).copied().collect();
                let (records, bytes) = (all.len() as u64, self.bytes(&all));
                Ok(ChoreReport::Verified { records, bytes, damaged })
            }
            Chore::Collect { dry_run, .. } => {
                let (kept, missing) = self.below(self.pins.iter().map(|pin| pin.root));
                let kept_bytes = self.bytes(&kept);
                let all: HashSet<_> = self.blobs.keys().copied().collect();
                let (collected, collected_bytes) =
                    ((all.len() - kept.len()) as u64, self.bytes(&all) - kept_bytes);
                if !dry_run {
                    self.blobs.retain(|cid, _| kept.contains(cid));
                }
                let freed_bytes = if dry_run { 0 } else { collected_bytes };
                let kept = kept.len() as u64;
                Ok(ChoreReport::Collected {
                    kept,
                    kept_bytes,
                    young: 0,
                    young_bytes: 0,
                    collected,
                    collected_bytes,
                    freed_bytes,
                    missing,
                    damaged: 0,
                })
            }
            Chore::Protect { root, durability } => {
                let node = PublicKey([1; 32]);
                let holder = HolderInfo {
                    node,
                    owner_name: "lab".into(),
                    slots: vec![0],
                    shards: 1,
                    bytes: 1,
                    present: 1,
                    absent: 0,
                    unreachable: None,
                };
                let tolerance = Tolerance { owners: 1, nodes: 2 };
                let spread = Whereabouts {
                    object: root,
                    manifest: root,
                    maker: node,
                    durability,
                    blocks: 1,
                    bytes: 1,
                    sequence: 0,
                    holders: vec![holder],
                    unreadable: 0,
                    tolerance: Some(tolerance),
                };
                self.spread.insert(root, spread);
                Ok(ChoreReport::Protected {
                    manifest: root,
                    blocks: 1,
                    bytes: 1,
                    kept_bytes: 2,
                    nodes: 6,
                    tolerance,
                    failed: vec![(node, "full".into())],
                })
            }
            Chore::Repair => Ok(ChoreReport::Repaired { healed: 0, missing: Vec::new() }),
        }
    }
}

impl Polity {
    /// Changes a block, or loses it.
    pub(crate) fn spoil(&self, cid: Cid, bytes: Option<&[u8]>) {
        let mut state = self.state.lock().unwrap();
        match bytes {
            Some(bytes) => drop(state.blobs.insert(cid, Bytes::copy_from_slice(bytes))),
            None => drop(state.blobs.remove(&cid)),
        }
    }

    /// What a peer of IPFS has; whoever is named is that peer.
    pub(crate) fn foreign(&self, blocks: Vec<Block>) {
        self.state.lock().unwrap().foreign = blocks;
    }

    /// How many blocks came with puts.
    pub(crate) fn put_blocks(&self) -> u64 {
        self.state.lock().unwrap().put
    }
}

impl StorageApi for Polity {
    fn put(&self, mut blocks: Blocks) -> Reply<'_, Received> {
        async move {
            let mut received = Received::default();
            while let Some(block) = blocks.next().await {
                let (cid, bytes) = block?;
                cid.check(&bytes).unwrap();
                received.blocks += 1;
                received.bytes += bytes.len() as u64;
                let mut state = self.state.lock().unwrap();
                state.blobs.insert(cid, bytes);
                state.put += 1;
            }
            Ok(received)
        }
        .boxed()
    }

    fn pins(&self, label: Option<String>, after: Option<(String, Cid)>) -> Reply<'_, Vec<PinInfo>> {
        let pins =
            if after.is_some() { Vec::new() } else { self.state.lock().unwrap().pins.clone() };
        let wanted = |pin: &PinInfo| label.as_ref().is_none_or(|label| pin.label == *label);
        future::ready(Ok(pins.into_iter().filter(wanted).collect())).boxed()
    }

    fn unpin(&self, label: String, root: Cid) -> Reply<'_, ()> {
        let mut state = self.state.lock().unwrap();
        let before = state.pins.len();
        state.pins.retain(|pin| (pin.label.as_str(), pin.root) != (label.as_str(), root));
        let gone = ApiError::new(Code::NotFound, format!("{root} is not pinned"));
        future::ready(if state.pins.len() < before { Ok(()) } else { Err(gone) }).boxed()
    }

    fn stock(&self) -> Reply<'_, Stock> {
        let state = self.state.lock().unwrap();
        let stock = Stock { blobs: state.blobs.len() as u64, ..Stock::default() };
        future::ready(Ok(stock)).boxed()
    }

    fn whereabouts(&self, object: Cid) -> Reply<'_, Vec<Whereabouts>> {
        let known = self.state.lock().unwrap().spread.get(&object).cloned();
        let gone = ApiError::new(Code::NotFound, format!("nobody knows of shards of {object}"));
        future::ready(known.map(|one| vec![one]).ok_or(gone)).boxed()
    }

    fn chore(&self, chore: Chore) -> Reply<'_, Chores> {
        let report = self.state.lock().unwrap().chore(chore);
        let going = Progress::Going { blocks: 1, bytes: 1, of_bytes: None };
        let told = vec![Ok(going), report.map(Progress::Done)];
        future::ready(Ok(stream::iter(told).boxed())).boxed()
    }
}
