//! A file of the polity into a file of this machine, block by block.

use crate::{exit::Exit, failure::Failure};
use api::{Code, NodeApi, path};
use bytes::Bytes;
use objects::{Cid, FileWalker};
use protocol::TaskTable;
use std::{collections::HashMap, path::Path};
use tokio::io::AsyncWriteExt;

/// Writes the content of `cid` to a new file.
pub(crate) async fn to_file(
    node: &impl NodeApi,
    cid: Cid,
    limit_bytes: u64,
    path: &Path,
) -> Result<(), Failure> {
    let failed = |error: std::io::Error| Failure::file(path, &error);
    let mut file = tokio::fs::File::create_new(path).await.map_err(failed)?;
    let mut walker = FileWalker::new(cid, limit_bytes);
    while let Some(wanted) = walker.wanted() {
        let block = node.blob(wanted).await?;
        let content = walker.give(wanted, block).map_err(damaged)?;
        file.write_all(&content).await.map_err(failed)?;
    }
    file.flush().await.map_err(failed)
}

/// Blocks of content that many small files are, asked for together: those that can be had.
pub(crate) async fn together(node: &impl NodeApi, cids: Vec<Cid>) -> HashMap<Cid, Bytes> {
    let mut found = HashMap::with_capacity(cids.len());
    let mut left = &cids[..];
    while !left.is_empty() {
        let asked = &left[..left.len().min(path::CIDS)];
        let answered = match node.blobs(asked.to_vec()).await {
            Ok(blocks) => {
                found.extend(asked.iter().copied().zip(blocks.iter().cloned()));
                blocks.len()
            }
            Err(error) if error.code == Code::ObjectUnavailable => 1,
            // Whoever asks for one of the rest by itself is told.
            Err(_) => break,
        };
        left = &left[answered.clamp(1, left.len())..];
    }
    found
}

/// The content of `cid` in memory.
pub(crate) async fn to_memory(
    node: &impl NodeApi,
    cid: Cid,
    limit_bytes: u64,
) -> Result<Vec<u8>, Failure> {
    let mut bytes = Vec::new();
    let mut walker = FileWalker::new(cid, limit_bytes);
    while let Some(wanted) = walker.wanted() {
        let block = node.blob(wanted).await?;
        bytes.extend_from_slice(&walker.give(wanted, block).map_err(damaged)?);
    }
    Ok(bytes)
}

/// A task table: one block of DAG-CBOR.
pub(crate) async fn table(node: &impl NodeApi, cid: Cid) -> Result<TaskTable, Failure> {
    let block = node.blob(cid).await?;
    TaskTable::decode(&block).map_err(|error| Failure::new(Exit::Unverified, error.to_string()))
}

fn damaged(error: objects::Error) -> Failure {
    Failure::new(Exit::Unverified, format!("the node sent something else: {error}"))
}
