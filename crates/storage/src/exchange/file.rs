//! Fetching whole files.

use super::{FetchError, Fetcher, session::Session};
use bytes::{Bytes, BytesMut};
use identity::PublicKey;
use objects::{Cid, FileWalker};
use std::collections::HashMap;

impl Fetcher {
    /// Makes sure that all blocks of a file of at most `limit_bytes` are in the store, and answers
    /// its size in bytes. Holds as many blocks as one request asks for.
    ///
    /// # Errors
    /// As [`Self::fetch`], and [`FetchError::Content`] if it is no file, or too large.
    pub async fn fetch_file(
        &self,
        root: Cid,
        from: &[PublicKey],
        limit_bytes: u64,
    ) -> Result<u64, FetchError> {
        let mut size_bytes = 0;
        self.walk(root, from, limit_bytes, |part| size_bytes += part.len() as u64).await?;
        Ok(size_bytes)
    }

    /// As [`Self::fetch_file`], and answers the content.
    ///
    /// # Errors
    /// As [`Self::fetch_file`].
    pub async fn read_file(
        &self,
        root: Cid,
        from: &[PublicKey],
        limit_bytes: u64,
    ) -> Result<Bytes, FetchError> {
        let mut content = BytesMut::new();
        self.walk(root, from, limit_bytes, |part| content.extend_from_slice(part)).await?;
        Ok(content.freeze())
    }

    async fn walk(
        &self,
        root: Cid,
        from: &[PublicKey],
        limit_bytes: u64,
        mut take: impl FnMut(&Bytes),
    ) -> Result<(), FetchError> {
        let mut session = Session::new(self.inner.clone(), from);
        let mut walker = FileWalker::new(root, limit_bytes);
        let mut ready: HashMap<Cid, Bytes> = HashMap::new();
        while let Some(cid) = walker.wanted() {
            if !ready.contains_key(&cid) {
                let mut wants: Vec<Cid> = Vec::new();
                for next in walker.upcoming().take(self.inner.config.fetch_window) {
                    if !wants.contains(&next) {
                        wants.push(next);
                    }
                }
                ready = session.load(&wants).await?;
            }
            take(&walker.give(cid, ready[&cid].clone())?);
        }
        Ok(())
    }
}
