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
            Read::Has(cids, reply) => drop(reply.send(self.has(&cids))),
        }
    }

    fn get(&self, cid: Cid) -> Result<Option<Bytes>, BlobError> {
        let found = self.index.find(&[cid]).map_err(super::index::Failure::into_blob_error)?;
        let Some(at) = found.into_iter().next().flatten() else { return Ok(None) };
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
