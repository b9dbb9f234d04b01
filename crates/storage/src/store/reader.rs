//! Reading blobs.

use super::{index::Index, pack::Packs};
use bytes::Bytes;
use objects::Cid;
use protocol::port::BlobError;
use std::sync::Arc;
use tokio::sync::oneshot;

/// What is asked of a reading thread. Whoever asked may have gone away meanwhile.
#[derive(Debug)]
pub(super) enum Read {
    Get(Cid, oneshot::Sender<Result<Option<Bytes>, BlobError>>),
    GetSome(Vec<Cid>, usize, oneshot::Sender<Result<Vec<Option<Bytes>>, BlobError>>),
    Has(Vec<Cid>, oneshot::Sender<Result<Vec<bool>, BlobError>>),
}

pub(super) struct Reader {
    pub(super) packs: Arc<Packs>,
    pub(super) index: Arc<Index>,
}

impl Reader {
    pub(super) fn answer(&self, read: Read) {
        match read {
            Read::Get(cid, reply) => drop(reply.send(self.get(cid))),
            Read::GetSome(cids, limit_bytes, reply) => {
                drop(reply.send(self.get_some(&cids, limit_bytes)));
            }
            Read::Has(cids, reply) => drop(reply.send(self.has(&cids))),
        }
    }

    fn get(&self, cid: Cid) -> Result<Option<Bytes>, BlobError> {
        let found = self.index.find(&[cid]).map_err(super::index::Failure::into_blob_error)?;
        let Some(at) = found.into_iter().next().flatten() else { return Ok(None) };
        self.read(cid, at)
    }

    fn get_some(&self, cids: &[Cid], limit_bytes: usize) -> Result<Vec<Option<Bytes>>, BlobError> {
        let places = self.index.find(cids).map_err(super::index::Failure::into_blob_error)?;
        let (mut found, mut size_bytes) = (Vec::with_capacity(cids.len()), 0);
        for (cid, at) in cids.iter().zip(places) {
            let blob = match at.map(|at| self.read(*cid, at)) {
                None | Some(Err(BlobError::Corrupt(_))) => None,
                Some(read) => read?,
            };
            size_bytes += blob.as_ref().map_or(0, Bytes::len);
            if size_bytes > limit_bytes && !found.is_empty() {
                break;
            }
            found.push(blob);
        }
        Ok(found)
    }

    fn read(&self, cid: Cid, at: super::pack::Location) -> Result<Option<Bytes>, BlobError> {
        match self.packs.blob(&cid, at) {
            Ok(Some(bytes)) => Ok(Some(bytes)),
            Ok(None) => {
                tracing::warn!(%cid, pack = at.pack, offset = at.offset, "a blob is damaged");
                self.index.set_aside(&cid, at).map_err(super::index::Failure::into_blob_error)?;
                Err(BlobError::Corrupt(cid))
            }
            Err(error) => Err(BlobError::Io(format!("reading {cid} failed: {error}"))),
        }
    }

    fn has(&self, cids: &[Cid]) -> Result<Vec<bool>, BlobError> {
        let found = self.index.find(cids).map_err(super::index::Failure::into_blob_error)?;
        Ok(found.iter().map(Option::is_some).collect())
    }
}
