//! Doing what the mind of repair decides.

use super::{Action, Input, Policy, Repair};
use crate::erasure::{
    Error, Keeper,
    book::Record,
    keeper::Inner,
    pages::{Pages, shards, slot_bytes},
    whereabouts::Presence,
};
use futures::{
    FutureExt, StreamExt,
    future::{BoxFuture, pending},
    stream::FuturesUnordered,
};
use identity::{Digest, PublicKey, Signed};
use objects::Cid;
use protocol::{
    durability::{Candidate, KeepRequest, Placement},
    port::PeerEvent,
};
use std::{collections::BTreeMap, sync::Arc};
use tokio::{sync::mpsc, task::JoinHandle};

/// Things that the driver is told and has not taken up yet, at most.
const QUEUE: usize = 256;
/// Actions under way, at most; further ones wait for the next time.
const UNDER_WAY: usize = 64;

/// Bytes per second with which a batch still takes less time than anybody waits for a sign of life.
const LEAST_PACE: u64 = 1 << 20;

/// Who is there to hold shards. Asked before every decision, so it must be quick.
pub trait Neighbours: Send + Sync + 'static {
    /// The nodes that could hold shards, with their owners and what they lend; holders of today
    /// too, for their owners count.
    fn candidates(&self) -> Vec<Candidate>;
}

impl<F: Fn() -> Vec<Candidate> + Send + Sync + 'static> Neighbours for F {
    fn candidates(&self) -> Vec<Candidate> {
        self()
    }
}

/// A running repair. Dropping it ends it.
#[derive(Debug)]
pub struct Repairer {
    inputs: mpsc::Sender<Input>,
    task: JoinHandle<()>,
}

impl Repairer {
    /// Tells that a node is going to leave: its slots are given to others while it is there.
    pub async fn leaving(&self, node: PublicKey) {
        self.tell(Input::Leaving(node)).await;
    }

    /// Tells that a reader missed shards of a holder.
    pub async fn missed(&self, manifest: Cid, node: PublicKey) {
        self.tell(Input::Audited { manifest, node, is_whole: false }).await;
    }

    async fn tell(&self, input: Input) {
        if self.inputs.send(input).await.is_err() {
            tracing::warn!("repair has ended; nothing is repaired until the node starts again");
        }
    }

    /// Ends repair and waits until nothing of it runs any more.
    pub async fn stop(mut self) {
        self.task.abort();
        if let Err(error) = (&mut self.task).await
            && error.is_panic()
        {
            std::panic::resume_unwind(error.into_panic());
        }
    }
}

impl Drop for Repairer {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Keeper {
    /// Repairs the objects that this node holds shards of, when it is the first live holder.
    /// Has to be called on a tokio runtime.
    pub fn repair(&self, neighbours: Arc<dyn Neighbours>) -> Repairer {
        let (inputs, told) = mpsc::channel(QUEUE);
        let config = &self.inner.parts.config;
        let policy = Policy {
            grace_ms: config.grace_ms,
            pace_bytes: match config.pace_bytes {
                0 => 0,
                bytes => bytes.max(LEAST_PACE),
            },
            retry_ms: config.retry_ms,
            audit_ms: config.audit_ms,
        };
        let mind = Repair::new(self.inner.me(), policy);
        let driver = Driver {
            inner: self.inner.clone(),
            neighbours,
            mind,
            watched: BTreeMap::new(),
            under_way: FuturesUnordered::new(),
            audits: 0,
        };
        Repairer { inputs, task: tokio::spawn(driver.run(told)) }
    }
}

struct Driver {
    inner: Arc<Inner>,
    neighbours: Arc<dyn Neighbours>,
    mind: Repair,
    /// The placements that the mind knows.
    watched: BTreeMap<Cid, Arc<Signed<Placement>>>,
    under_way: FuturesUnordered<BoxFuture<'static, Option<Input>>>,
    /// Makes every challenge another one.
    audits: u64,
}

impl Driver {
    async fn run(mut self, mut told: mpsc::Receiver<Input>) {
        let mut peers = self.inner.parts.streams.events();
        let mut changes = self.inner.book.changes();
        changes.mark_changed();
        loop {
            let wake = match self.mind.wake() {
                Some(at) => self.inner.parts.clock.until(at),
                None => pending().boxed(),
            };
            tokio::select! {
                event = peers.next() => match event {
                    Some(PeerEvent::Up(node)) => self.step(Input::Up(node)),
                    Some(PeerEvent::Down(node)) => self.step(Input::Down(node)),
                    None => return,
                },
                Ok(()) = changes.changed() => self.look().await,
                Some(input) = told.recv() => self.step(input),
                Some(input) = self.under_way.next() => {
                    // A move changes the book, and the mind is to know that first.
                    self.look().await;
                    self.step(input.unwrap_or(Input::Tick));
                }
                () = wake => self.step(Input::Tick),
            }
        }
    }

    /// Tells the mind what changed in the book.
    async fn look(&mut self) {
        let me = self.inner.me();
        let mut gone: Vec<Cid> = self.watched.keys().copied().collect();
        for (manifest, record) in self.inner.book.all() {
            let Some(placement) = record.placement.clone() else { continue };
            if !placement.payload.slots.contains(&me) {
                continue;
            }
            gone.retain(|cid| *cid != manifest);
            if self.watched.get(&manifest) == Some(&placement) {
                continue;
            }
            match watch(&self.inner, &record, &placement).await {
                Ok(input) => {
                    self.watched.insert(manifest, placement);
                    self.step(input);
                }
                Err(error) => tracing::warn!(%manifest, %error, "an object is not repaired here"),
            }
        }
        for manifest in gone {
            self.watched.remove(&manifest);
            self.step(Input::Unwatch(manifest));
        }
    }

    fn step(&mut self, input: Input) {
        let now = self.inner.parts.clock.now();
        let candidates = self.neighbours.candidates();
        let mut actions = self.mind.step(now, Input::Candidates(candidates));
        actions.extend(self.mind.step(now, input));
        for action in actions {
            let is_move = matches!(action, Action::Move { .. });
            if is_move || self.under_way.len() < UNDER_WAY {
                self.audits += 1;
                let inner = self.inner.clone();
                self.under_way.push(act(inner, action, self.audits).boxed());
            }
        }
    }
}

/// What the mind is to know of an object.
async fn watch(
    inner: &Inner,
    record: &Record,
    placement: &Signed<Placement>,
) -> Result<Input, Error> {
    let manifest = &record.manifest.payload;
    Ok(Input::Watch {
        placement: placement.payload.clone(),
        maker: record.manifest.by,
        slot_bytes: slot_bytes(&*inner.parts.blobs, manifest).await?,
        data: manifest.durability.data(),
    })
}

/// Does one thing; answers what the mind is to know of it.
async fn act(inner: Arc<Inner>, action: Action, number: u64) -> Option<Input> {
    match action {
        Action::Move { placement, node, from, pace } => {
            let manifest = placement.manifest;
            let moved = inner.make_move(placement, node, from, pace).await;
            if let Err(error) = &moved {
                tracing::warn!(%manifest, %error, "a slot was not given to a new holder");
                inner.catch_up(manifest, node).await;
            }
            Some(Input::Moved { manifest, is_done: moved.is_ok() })
        }
        Action::Note { manifest, node } => {
            let placement = inner.book.get(&manifest)?.placement?;
            let request = KeepRequest::Note { placement: Signed::clone(&placement) };
            if let Err(error) = inner.ask(node, &request).await {
                tracing::debug!(node = %node.short(), %error, "a former holder was not told");
            }
            None
        }
        Action::Audit { manifest, node } => match inner.spot_check(&manifest, node, number).await {
            Ok(is_whole) => Some(Input::Audited { manifest, node, is_whole }),
            Err(error) => {
                tracing::debug!(node = %node.short(), %error, "a holder was not audited");
                None
            }
        },
    }
}

impl Inner {
    /// Gives a slot to a new holder, and tells everybody once it has everything.
    async fn make_move(
        &self,
        placement: Placement,
        node: PublicKey,
        from: Vec<PublicKey>,
        pace: Option<u64>,
    ) -> Result<(), Error> {
        let (record, known) = self.placed(&placement.manifest)?;
        let former: Vec<PublicKey> = known.payload.slots.clone();
        let is_refill = known.payload == placement;
        let placement = match is_refill {
            true => Signed::clone(&known),
            false => Signed::new(placement, self.parts.network, &self.parts.key),
        };
        self.place_at(node, placement.clone(), from, pace).await?;
        if !is_refill {
            let manifest = placement.payload.manifest;
            // Taking in a slot of our own has written it down already.
            let record = self.book.get(&manifest).unwrap_or(record);
            self.replace(manifest, record, placement.clone()).await?;
            let mut all = placement.payload.slots.clone();
            all.extend(former);
            let connected = self.parts.streams.peers();
            all.retain(|other| *other != node && connected.contains(other));
            self.tell(&placement, &all).await;
        }
        Ok(())
    }

    /// Learns of a later placement, if a node knows one.
    async fn catch_up(&self, manifest: Cid, node: PublicKey) {
        if node == self.me() {
            return;
        }
        if let Err(error) = self.ask_about(manifest, node).await {
            tracing::debug!(node = %node.short(), %error, "a node says nothing of an object");
        }
    }

    /// Has a holder show some shards, drawn anew each time; answers whether it had all of them.
    async fn spot_check(
        &self,
        manifest: &Cid,
        node: PublicKey,
        number: u64,
    ) -> Result<bool, Error> {
        self.catch_up(*manifest, node).await;
        let (record, placement) = self.placed(manifest)?;
        let own = placement.payload.slots_of(&node);
        // Nobody else can know what is asked for next.
        let seed = self.parts.key.seed();
        let now = self.parts.clock.now().0.to_be_bytes();
        let parts: [&[u8]; 4] = [seed, &now, &number.to_be_bytes(), &manifest.to_bytes()];
        let challenge = Digest::of("polity keep challenge", &parts);
        let manifest = &record.manifest.payload;
        let page = u64::from_be_bytes(challenge.0[..8].try_into().expect("8 bytes"));
        let page = usize::try_from(page % manifest.pages.len() as u64).expect("few pages");
        let (mut pages, mut cids) = (Pages::new(manifest), Vec::new());
        while let Some((at, groups)) = pages.next(&*self.parts.blobs).await? {
            if at == page {
                let all = shards(&groups, placement.payload.slots.len());
                let all = all.filter(|(.., slot)| own.contains(slot));
                cids = all.map(|(.., shard, _)| shard.cid).collect();
                break;
            }
        }
        cids.sort_by_cached_key(|cid| {
            Digest::of("polity keep draw", &[&challenge.0, &cid.to_bytes()])
        });
        cids.dedup();
        cids.truncate(self.parts.config.audit_shards.max(1));
        let seen = self.audit(node, &cids, challenge, cids.len()).await?;
        Ok(!seen.contains(&Presence::Absent))
    }
}
