//! Reading blobs.

use super::{
    Shared,
    index::Failure,
    pack::{Location, Proof},
    status::{StoreStatus, status},
};
use crate::Error;
use bytes::Bytes;
use objects::Cid;
use protocol::port::BlobError;
use std::sync::Arc;
use tokio::sync::oneshot;

/// How often a blob is looked for again that moved while it was read.
const TRIES: usize = 8;

type Reply<T> = oneshot::Sender<Result<T, BlobError>>;

/// What is asked of a reading thread. Whoever asked may have gone away meanwhile.
pub(super) enum Read {
    Get(Cid, Reply<Option<Bytes>>),
    GetSome(Several, Reply<Vec<Option<Bytes>>>),
    Has(Vec<Cid>, Reply<Vec<bool>>),
    Status(oneshot::Sender<Result<StoreStatus, Error>>),
    /// Anything else, which answers by itself.
    Other(Box<dyn FnOnce(&Shared) + Send>),
}

/// The first of some blobs, as many as have so many bytes together.
pub(super) struct Several {
    pub(super) cids: Vec<Cid>,
    pub(super) limit_bytes: usize,
    pub(super) proof: Proof,
}

pub(super) struct Reader {
    pub(super) shared: Arc<Shared>,
}

impl Reader {
    pub(super) fn answer(&self, read: Read) {
        match read {
            Read::Get(cid, reply) => drop(reply.send(get(&self.shared, cid))),
            Read::GetSome(some, reply) => drop(reply.send(self.get_some(&some))),
            Read::Has(cids, reply) => drop(reply.send(self.has(&cids))),
            Read::Status(reply) => drop(reply.send(status(&self.shared))),
            Read::Other(run) => run(&self.shared),
        }
    }

    fn get_some(&self, some: &Several) -> Result<Vec<Option<Bytes>>, BlobError> {
        let Several { cids, limit_bytes, proof } = some;
        let places = self.shared.index.find(cids).map_err(Failure::into_blob_error)?;
        let (mut found, mut size_bytes) = (Vec::with_capacity(cids.len()), 0);
        for (cid, at) in cids.iter().zip(places) {
            let blob = match at.map(|at| read(&self.shared, *cid, at, *proof)) {
                None | Some(Err(BlobError::Corrupt(_))) => None,
                Some(read) => read?,
            };
            size_bytes += blob.as_ref().map_or(0, Bytes::len);
            if size_bytes > *limit_bytes && !found.is_empty() {
                break;
            }
            found.push(blob);
        }
        Ok(found)
    }

    fn has(&self, cids: &[Cid]) -> Result<Vec<bool>, BlobError> {
        let found = self.shared.index.find(cids).map_err(Failure::into_blob_error)?;
        Ok(found.iter().map(Option::is_some).collect())
    }
}

/// Reads a blob.
pub(super) fn get(shared: &Shared, cid: Cid) -> Result<Option<Bytes>, BlobError> {
    match find(shared, cid)? {
        Some(at) => read(shared, cid, at, Proof::Name),
        None => Ok(None),
    }
}

fn find(shared: &Shared, cid: Cid) -> Result<Option<Location>, BlobError> {
    Ok(shared.index.find(&[cid]).map_err(Failure::into_blob_error)?[0])
}

/// Reads a blob that was at a place a moment ago.
fn read(
    shared: &Shared,
    cid: Cid,
    mut at: Location,
    proof: Proof,
) -> Result<Option<Bytes>, BlobError> {
    for _ in 0..TRIES {
        let found = shared.packs.blob(&cid, at, proof);
        let found =
            found.map_err(|error| BlobError::Io(format!("reading {cid} failed: {error}")))?;
        if let Some(bytes) = found {
            return Ok(Some(bytes));
        }
        // Compaction may have moved it before the file was opened.
        match find(shared, cid)? {
            Some(now) if now == at => break,
            Some(now) => at = now,
            None => return Ok(None),
        }
    }
    set_aside(shared, cid, at)?;
    Err(BlobError::Corrupt(cid))
}

/// Puts a blob on the list of the damaged, unless it is at another place by now. Whether it did.
pub(super) fn set_aside(shared: &Shared, cid: Cid, at: Location) -> Result<bool, BlobError> {
    let is_out = shared.index.set_aside(&cid, at).map_err(Failure::into_blob_error)?;
    if is_out {
        tracing::warn!(%cid, pack = at.pack, offset = at.offset, "a blob is damaged");
        shared.recent.forget([cid].iter());
    }
    Ok(is_out)
}
