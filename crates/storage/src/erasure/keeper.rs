//! The handle: what one node does for the durability of objects.

use super::{
    Config, Error, Keep,
    book::{self, Book, Record},
    code::Code,
    pages::slot_bytes,
    scratch::Scratch,
    wire,
};
use crate::{
    exchange::{self, Fetcher},
    lock::lock,
};
use identity::{NetworkId, PublicKey, SecretKey, Signed};
use objects::Cid;
use protocol::{
    Manifest,
    durability::{KeepReply, KeepRequest, KeptObject, Placement},
    limits,
    port::{Blobs, Clock, Streams},
};
use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
};
use tokio::sync::watch;

/// What a keeper works with.
pub struct Parts {
    /// The node's store.
    pub blobs: Arc<dyn Blobs>,
    /// The network.
    pub streams: Arc<dyn Streams>,
    /// The clock.
    pub clock: Arc<dyn Clock>,
    /// Where blocks are kept from being collected.
    pub keep: Arc<dyn Keep>,
    /// Fetches into the node's store.
    pub fetcher: Fetcher,
    /// How shards are fetched that are only decoded with. Streams to one peer count apart from
    /// those of `fetcher`: both together must be within what its server takes.
    pub exchange: exchange::Config,
    /// The network's name.
    pub network: NetworkId,
    /// The node's key, which signs manifests and placements.
    pub key: SecretKey,
    /// The settings.
    pub config: Config,
}

/// What a node does for the durability of objects. A handle: clones share one book. Its futures
/// have to be awaited on a tokio runtime, for coding is done by its blocking threads.
#[derive(Clone)]
pub struct Keeper {
    pub(super) inner: Arc<Inner>,
}

pub(super) struct Inner {
    pub(super) parts: Parts,
    pub(super) book: Arc<Book>,
    pub(super) scratch: Scratch,
    /// Fetches into `scratch`.
    pub(super) passing: Fetcher,
    codes: Mutex<BTreeMap<(usize, usize), Arc<Code>>>,
}

impl Keeper {
    /// Opens the book: everything that was kept before is known again.
    ///
    /// # Errors
    /// [`Error::Store`].
    pub async fn open(parts: Parts) -> Result<Self, Error> {
        let Parts { blobs, keep, network, streams, clock, exchange, .. } = &parts;
        let records = book::read(&**blobs, &**keep, *network).await?;
        let scratch = Scratch::default();
        let passing = Fetcher::new(
            Arc::new(scratch.clone()),
            streams.clone(),
            clock.clone(),
            exchange.clone(),
        );
        let book = Arc::new(Book::new());
        let me = streams.me();
        for (manifest, mut record) in records {
            record.held_bytes = match held_bytes(&**blobs, &record, &me).await {
                Ok(bytes) => bytes,
                Err(error) => {
                    tracing::warn!(%manifest, %error, "what is kept of an object is not known");
                    record.manifest.payload.bytes
                }
            };
            book.put(manifest, record);
        }
        let codes = Mutex::default();
        Ok(Self { inner: Arc::new(Inner { parts, book, scratch, passing, codes }) })
    }

    /// What is known of an object, or of a manifest, as far as it is placed.
    pub fn known(&self, object: &Cid) -> Vec<KeptObject> {
        self.inner.book.find(object, usize::MAX)
    }

    /// Every manifest that is known, with its object; placed or not.
    pub fn manifests(&self) -> Vec<(Cid, Arc<Signed<Manifest>>)> {
        let all = self.inner.book.all().into_iter();
        all.map(|(cid, record)| (cid, record.manifest)).collect()
    }

    /// Changes whenever what is known changes.
    pub fn changes(&self) -> watch::Receiver<u64> {
        self.inner.book.changes()
    }

    /// Bytes that this node keeps for others.
    pub fn lent_bytes(&self) -> u64 {
        self.inner.book.lent_bytes()
    }

    /// Asks nodes what they know of an object, and takes note of it: of every manifest the latest
    /// placement. Manifests and pages are fetched into the store.
    ///
    /// # Errors
    /// [`Error::Store`]. Nodes that do not answer, or answer wrongly, are passed over.
    pub async fn find(&self, object: Cid, nodes: &[PublicKey]) -> Result<Vec<KeptObject>, Error> {
        for node in nodes.iter().filter(|node| **node != self.inner.me()) {
            match self.inner.ask_about(object, *node).await {
                Ok(()) => {}
                Err(Error::Store(error)) => return Err(error.into()),
                Err(error) => tracing::debug!(node = %node.short(), %error, "passed over"),
            }
        }
        Ok(self.known(&object))
    }

    /// Forgets an object and gives everything free that was kept for it on this node.
    ///
    /// # Errors
    /// [`Error::Store`].
    pub async fn forget(&self, manifest: Cid) -> Result<(), Error> {
        if let Some(record) = self.inner.book.get(&manifest) {
            self.inner.release_parity(&record.manifest.payload).await?;
            for page in 0..record.manifest.payload.pages.len() {
                self.inner.parts.keep.release(book::shards_label(&manifest, page)).await?;
            }
            self.inner.parts.keep.release(book::object_label(&manifest)).await?;
            self.inner.book.remove(&manifest);
        }
        Ok(())
    }
}

impl Inner {
    pub(super) fn me(&self) -> PublicKey {
        self.parts.streams.me()
    }

    pub(super) fn record(&self, manifest: &Cid) -> Result<Record, Error> {
        self.book.get(manifest).ok_or(Error::Unknown(*manifest))
    }

    /// Record and placement of an object that is placed.
    pub(super) fn placed(&self, manifest: &Cid) -> Result<(Record, Arc<Signed<Placement>>), Error> {
        let record = self.record(manifest)?;
        let placement = record.placement.clone().ok_or(Error::Unknown(*manifest))?;
        Ok((record, placement))
    }

    pub(super) async fn ask(
        &self,
        node: PublicKey,
        request: &KeepRequest,
    ) -> Result<KeepReply, Error> {
        let Parts { clock, streams, config, .. } = &self.parts;
        let limits_ms = (config.request_ms, config.progress_ms);
        wire::ask(&**clock, &**streams, node, request, limits_ms).await
    }

    /// The code of groups with so many shards. There are no more codes than group sizes.
    pub(super) fn code(&self, data: usize, total: usize) -> Result<Arc<Code>, Error> {
        if let Some(code) = lock(&self.codes).get(&(data, total)) {
            return Ok(code.clone());
        }
        let code = Arc::new(Code::new(data, total)?);
        Ok(lock(&self.codes).entry((data, total)).or_insert(code).clone())
    }

    /// Manifest and pages, from this store or these nodes; checked.
    pub(super) async fn manifest(
        &self,
        cid: Cid,
        from: &[PublicKey],
    ) -> Result<Signed<Manifest>, Error> {
        let bytes = self.parts.fetcher.fetch(cid, from).await?;
        Ok(Manifest::decode(&bytes, self.parts.network)?)
    }

    /// Asks a node what it knows of an object, and takes note of it.
    pub(super) async fn ask_about(&self, object: Cid, node: PublicKey) -> Result<(), Error> {
        let KeepReply::Found { objects } = self.ask(node, &KeepRequest::Find { object }).await?
        else {
            return Err(wire::beside_the_point(&*self.parts.streams, node));
        };
        for one in objects.into_iter().take(limits::FOUND) {
            self.learn(one, node).await?;
        }
        Ok(())
    }

    /// Takes note of what another node knows.
    async fn learn(&self, said: KeptObject, node: PublicKey) -> Result<(), Error> {
        let manifest = self.manifest(said.manifest, &[node]).await?;
        Placement::check(&said.placement, &manifest, self.parts.network)?;
        self.parts.fetcher.fetch_all(&manifest.payload.pages, &[node]).await?;
        let known = self.book.get(&said.manifest);
        let record = known.unwrap_or(Record {
            manifest: Arc::new(manifest),
            placement: None,
            held_bytes: 0,
        });
        self.replace(said.manifest, record, said.placement).await?;
        Ok(())
    }

    /// Takes a checked placement if it replaces the one that is known; answers whether it did.
    /// What is not ours any more is released.
    pub(super) async fn replace(
        &self,
        manifest: Cid,
        record: Record,
        placement: Signed<Placement>,
    ) -> Result<bool, Error> {
        let maker = record.manifest.by;
        if !Placement::replaces(&placement, record.placement.as_deref(), maker) {
            return Ok(false);
        }
        let before = book::slots_of(&record, &self.me());
        let now = placement.payload.slots_of(&self.me());
        let record = Record { placement: Some(Arc::new(placement)), ..record };
        self.write(manifest, record.clone()).await?;
        if before.iter().any(|slot| !now.contains(slot)) {
            self.give_up(manifest, record, &now).await?;
        }
        Ok(true)
    }

    /// Writes a record down, durably and then in the book.
    pub(super) async fn write(&self, manifest: Cid, record: Record) -> Result<(), Error> {
        book::write(&*self.parts.blobs, &*self.parts.keep, manifest, &record).await?;
        self.book.put(manifest, record);
        Ok(())
    }

    /// Gives the parity free that waited to be placed.
    pub(super) async fn release_parity(&self, manifest: &Manifest) -> Result<(), Error> {
        for page in 0..manifest.pages.len() {
            let durability = manifest.durability.to_string();
            let label = book::parity_label(&manifest.root, &durability, page);
            self.parts.keep.release(label).await?;
        }
        Ok(())
    }
}

async fn held_bytes(blobs: &dyn Blobs, record: &Record, me: &PublicKey) -> Result<u64, Error> {
    let own = book::slots_of(record, me);
    if own.is_empty() {
        return Ok(0);
    }
    let slots = slot_bytes(blobs, &record.manifest.payload).await?;
    Ok(own.iter().map(|slot| slots[*slot]).sum())
}
