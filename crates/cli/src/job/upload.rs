//! Sends the blocks that a node does not have, straight from the files, a few at a time.

use super::{
    content::{Blocks, Content},
    order::{Parcel, Plan},
};
use crate::failure::Failure;
use api::{ApiError, Code, NodeApi, path};
use bytes::Bytes;
use futures::{StreamExt, stream};
use objects::{Block, Cid};
use protocol::port::Events;
use std::collections::{BTreeSet, VecDeque};

/// Bytes that are read in one step, and a block more.
const STEP_BYTES: usize = 1 << 20;

/// The blocks of a plan that the node does not have.
pub(crate) async fn missing(plan: &Plan, node: &impl NodeApi) -> Result<BTreeSet<Cid>, Failure> {
    let mut all: BTreeSet<_> =
        plan.parcels.iter().flat_map(|parcel| parcel.named.blocks.iter().copied()).collect();
    all.insert(plan.table_block.cid);
    let all: Vec<_> = all.into_iter().collect();
    let mut missing = BTreeSet::new();
    for cids in all.chunks(path::CIDS) {
        let there = node.has(cids.to_vec()).await?;
        missing.extend(cids.iter().zip(there).filter(|(_, there)| !there).map(|(cid, _)| *cid));
    }
    Ok(missing)
}

/// The bytes of the missing blocks, each once.
pub(crate) fn blobs(plan: Plan, missing: BTreeSet<Cid>) -> Events<Result<(Cid, Bytes), ApiError>> {
    let feed = Feed {
        parcels: plan.parcels.into(),
        open: None,
        ready: VecDeque::from([plan.table_block]),
        missing,
    };
    let steps = stream::unfold(Some(feed), |feed| async move {
        let feed = feed?;
        // Reading and hashing would hold up everything else on this thread.
        let fed = tokio::task::spawn_blocking(move || feed.step()).await;
        match fed {
            Ok(Ok((blocks, feed))) => Some((blocks.into_iter().map(Ok).collect(), feed)),
            Ok(Err(error)) => Some((vec![Err(error)], None)),
            Err(error) => {
                let error = ApiError::new(Code::Cut, format!("reading failed: {error}"));
                Some((vec![Err(error)], None))
            }
        }
    });
    steps.flat_map(stream::iter).boxed()
}

/// What is still to be sent.
struct Feed {
    parcels: VecDeque<Parcel>,
    open: Option<(Parcel, Blocks)>,
    ready: VecDeque<Block>,
    missing: BTreeSet<Cid>,
}

impl Feed {
    /// The next blocks that are missing, few and small ones together; and what is left, if
    /// anything is.
    fn step(mut self) -> Result<(Vec<(Cid, Bytes)>, Option<Self>), ApiError> {
        let (mut blocks, mut bytes) = (Vec::new(), 0);
        while bytes < STEP_BYTES {
            match self.next()? {
                Some((block, feed)) => {
                    bytes += block.bytes.len();
                    blocks.push((block.cid, block.bytes));
                    self = feed;
                }
                None => return Ok((blocks, None)),
            }
        }
        Ok((blocks, Some(self)))
    }

    /// The next block that is missing.
    fn next(mut self) -> Result<Option<(Block, Self)>, ApiError> {
        loop {
            while let Some(block) = self.ready.pop_front() {
                if self.missing.remove(&block.cid) {
                    return Ok(Some((block, self)));
                }
            }
            if !self.advance()? {
                return Ok(None);
            }
        }
    }

    /// Reads one step further; false when everything is read.
    fn advance(&mut self) -> Result<bool, ApiError> {
        let Some((parcel, mut blocks)) = self.open.take() else { return self.open_next() };
        let mut made = Vec::new();
        if blocks.step(&mut made).map_err(|error| cut(&parcel, &error.to_string()))? {
            self.open = Some((parcel, blocks));
        } else if blocks.finish(&mut made) != parcel.named.root {
            return Err(cut(&parcel, "it changed while it was sent"));
        }
        self.ready.extend(made);
        Ok(true)
    }

    fn open_next(&mut self) -> Result<bool, ApiError> {
        while let Some(parcel) = self.parcels.pop_front() {
            // What is there already is not read again.
            if parcel.named.blocks.iter().any(|cid| self.missing.contains(cid)) {
                let blocks = parcel.content.open();
                let blocks = blocks.map_err(|error| cut(&parcel, &error.to_string()))?;
                self.open = Some((parcel, blocks));
                return Ok(true);
            }
        }
        Ok(false)
    }
}

fn cut(parcel: &Parcel, reason: &str) -> ApiError {
    let name = match &parcel.content {
        Content::File(path) => path.display().to_string(),
        Content::Bytes(_) => "the program".into(),
    };
    ApiError::new(Code::Refused, format!("{name}: {reason}; nothing was ordered"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::job::{files, inputs, order};
    use protocol::Limits;
    use std::{fs, path::Path};

    fn plan(dir: &Path) -> Plan {
        let patterns = [dir.join("*.csv").to_str().unwrap().into()];
        let inputs = inputs::sweep(&patterns, &files::From::default()).unwrap();
        let program = Bytes::from_static(b"\0asm");
        Plan::of(program, Vec::new(), inputs, Limits::default(), order::seed(None)).unwrap()
    }

    fn all(plan: &Plan) -> BTreeSet<Cid> {
        let blocks = plan.parcels.iter().flat_map(|parcel| parcel.named.blocks.iter().copied());
        blocks.chain([plan.table_block.cid]).collect()
    }

    fn dir() -> tempfile::TempDir {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("a.csv"), vec![1; (2 << 20) + 5]).unwrap();
        fs::write(dir.path().join("b.csv"), b"same").unwrap();
        fs::write(dir.path().join("c.csv"), b"same").unwrap();
        dir
    }

    #[tokio::test]
    async fn every_missing_block_is_sent_once_and_matches_its_name() {
        let dir = dir();
        let plan = plan(dir.path());
        let missing = all(&plan);
        let sent: Vec<_> = blobs(plan, missing.clone()).collect().await;
        let mut names = Vec::new();
        for blob in sent {
            let (cid, bytes) = blob.unwrap();
            cid.check(&bytes).unwrap();
            names.push(cid);
        }
        assert_eq!(names.len(), missing.len());
        assert_eq!(names.into_iter().collect::<BTreeSet<_>>(), missing);
    }

    #[tokio::test]
    async fn what_is_there_is_neither_read_nor_sent() {
        let dir = dir();
        let plan = plan(dir.path());
        let mut missing = all(&plan);
        let big: Vec<_> = plan.parcels[0].named.blocks.clone();
        missing.retain(|cid| !big.contains(cid));
        fs::remove_file(dir.path().join("a.csv")).unwrap();
        let sent: Vec<_> = blobs(plan, missing.clone()).collect().await;
        assert_eq!(sent.into_iter().filter(Result::is_ok).count(), missing.len());
    }

    #[tokio::test]
    async fn a_file_that_changes_meanwhile_ends_the_submission() {
        let dir = dir();
        let plan = plan(dir.path());
        let missing = all(&plan);
        fs::write(dir.path().join("b.csv"), b"other").unwrap();
        let last = blobs(plan, missing).collect::<Vec<_>>().await.pop().unwrap();
        assert!(last.unwrap_err().message.contains("b.csv"));
    }
}
