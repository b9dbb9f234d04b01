//! What a store does beyond keeping blobs: pins, collection, compaction, scrub, status.

use super::{
    Asked, CompactOptions, CompactReport, GcOptions, GcReport, Pin, PinKey, Progress, ScrubOptions,
    ScrubReport, Shared, Store, StoreStatus, died, index::Failure, reader::Read, scrub::Pass,
    writer::Job,
};
use crate::Error;
use objects::Cid;
use protocol::port::BlobError;
use tokio::sync::oneshot;

/// Rows of one page, at most.
const PAGE: usize = 10_000;

impl Store {
    /// Pins something. When the answer is `Ok` the pin survives kill -9, power loss and the loss of
    /// the index. The root must be here; what is below it is the caller's care. A pin with the same
    /// label and root is replaced.
    ///
    /// # Errors
    /// [`Error::Missing`] if the root is not here, [`Error::Note`], or [`Error::Blob`].
    pub async fn pin(&self, pin: Pin) -> Result<(), Error> {
        pin.check()?;
        let answer = self.0.writer.ask(|reply| Job::Pin(pin, reply)).await;
        answer.unwrap_or_else(|| Ok(died()?))
    }

    /// Takes a pin away, durably. Whether it was there.
    ///
    /// # Errors
    /// [`Error::Blob`].
    pub async fn unpin(&self, label: super::Label, root: Cid) -> Result<bool, Error> {
        let key = (label, root);
        let answer = self.0.writer.ask(|reply| Job::Unpin(key, reply)).await;
        Ok(answer.unwrap_or_else(died)?)
    }

    /// Pins whose label begins with `prefix` (all for ""), in the order of label and root: those
    /// after `after`, at most `limit` and never more than 10,000.
    ///
    /// # Errors
    /// [`Error::Blob`].
    pub async fn pins(
        &self,
        prefix: &str,
        after: Option<PinKey>,
        limit: usize,
    ) -> Result<Vec<Pin>, Error> {
        let prefix = prefix.to_string();
        self.look(move |shared| {
            let rows = shared.index.pins(&prefix, after.as_ref(), limit.min(PAGE));
            Ok(rows.map_err(Failure::into_blob_error)?.into_iter().map(|row| row.pin).collect())
        })
        .await
    }

    /// Which of `cids` are here. Those that are count as put now: no collection takes them within
    /// its grace time. For whoever wants to skip what need not be sent.
    ///
    /// # Errors
    /// [`Error::Blob`].
    pub async fn touch(&self, cids: Vec<Cid>) -> Result<Vec<bool>, Error> {
        let answer = self.0.writer.ask(|reply| Job::Touch(cids, reply)).await;
        Ok(answer.unwrap_or_else(died)?)
    }

    /// Collects garbage: what neither a pin nor one of `roots` reaches, and nobody put lately.
    /// Others can put and get meanwhile. One collection or compaction runs at a time; dropping the
    /// future ends it.
    ///
    /// # Errors
    /// [`Error::Marking`] if there are more nodes than memory, [`Error::Busy`] if too much was put
    /// meanwhile, or [`Error::Blob`]; what was freed by then is freed.
    pub async fn gc(&self, roots: Vec<Cid>, options: GcOptions) -> Result<GcReport, Error> {
        let ask = |reply| Asked::Gc(roots, options, reply);
        self.0.care.ask(ask).await.unwrap_or_else(|| Ok(died()?))
    }

    /// Rewrites packs with little in them that is live, so that the disk gets the space back.
    ///
    /// # Errors
    /// [`Error::Io`] or [`Error::Blob`]; what was done by then stays done.
    pub async fn compact(&self, options: CompactOptions) -> Result<CompactReport, Error> {
        let ask = |reply| Asked::Compact(options, reply);
        self.0.care.ask(ask).await.unwrap_or_else(|| Ok(died()?))
    }

    /// Reads everything at a steady pace, from where the last scrub stopped to the end, and sets
    /// aside what is damaged. Dropping the future ends it; the position is kept.
    ///
    /// # Errors
    /// [`Error::Io`] or [`Error::Blob`].
    pub async fn scrub(&self, options: ScrubOptions) -> Result<ScrubReport, Error> {
        let ask = |reply| Asked::Scrub(Pass::Paced(options), reply);
        self.0.scrub.ask(ask).await.unwrap_or_else(|| Ok(died()?))
    }

    /// Reads everything as fast as it goes, and sets aside what is damaged. `progress` is called on
    /// a thread of the store, after every few MiB.
    ///
    /// # Errors
    /// [`Error::Io`] or [`Error::Blob`].
    pub async fn verify(
        &self,
        progress: impl FnMut(Progress) + Send + 'static,
    ) -> Result<ScrubReport, Error> {
        let ask = |reply| Asked::Scrub(Pass::Whole(Box::new(progress)), reply);
        self.0.scrub.ask(ask).await.unwrap_or_else(|| Ok(died()?))
    }

    /// Blobs that were found damaged and are not here: those after `after`, at most `limit` and
    /// never more than 10,000. Putting one again heals it and takes it off the list.
    ///
    /// # Errors
    /// [`Error::Blob`].
    pub async fn damaged(&self, after: Option<Cid>, limit: usize) -> Result<Vec<Cid>, Error> {
        self.look(move |shared| {
            let found = shared.index.damaged(after, limit.min(PAGE));
            Ok(found.map_err(Failure::into_blob_error)?)
        })
        .await
    }

    /// Blobs and their bytes, in the order of the bytes of their CIDs: those after `after`, at most
    /// `limit` and never more than 10,000.
    ///
    /// # Errors
    /// [`Error::Blob`].
    pub async fn list(&self, after: Option<Cid>, limit: usize) -> Result<Vec<(Cid, u64)>, Error> {
        self.look(move |shared| {
            let rows = shared.index.list(after, limit.min(PAGE));
            let rows = rows.map_err(Failure::into_blob_error)?;
            Ok(rows.into_iter().map(|(cid, at)| (cid, u64::from(at.length))).collect())
        })
        .await
    }

    /// The bytes of blobs that are here, in the same order.
    ///
    /// # Errors
    /// [`Error::Blob`].
    pub async fn sizes(&self, cids: Vec<Cid>) -> Result<Vec<Option<u64>>, Error> {
        self.look(move |shared| {
            let found = shared.index.find(&cids).map_err(Failure::into_blob_error)?;
            Ok(found.into_iter().map(|at| at.map(|at| u64::from(at.length))).collect())
        })
        .await
    }

    /// What the store holds and how it is.
    ///
    /// # Errors
    /// [`Error::Io`] or [`Error::Blob`].
    pub async fn status(&self) -> Result<StoreStatus, Error> {
        self.0.readers.ask(Read::Status).await.unwrap_or_else(|| Ok(died()?))
    }

    /// Runs something on a reading thread.
    async fn look<T: Send + 'static>(
        &self,
        run: impl FnOnce(&Shared) -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Error> {
        let ask = |reply: oneshot::Sender<Result<T, Error>>| {
            // Whoever asked may have gone away.
            Read::Other(Box::new(move |shared| drop(reply.send(run(shared)))))
        };
        let died = || Err(Error::Blob(BlobError::Io("a thread of the store died".into())));
        self.0.readers.ask(ask).await.unwrap_or_else(died)
    }
}
