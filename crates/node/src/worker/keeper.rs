//! Keeps what programs wrote: outputs of many tasks with one write to disk, held back from peers
//! until they are revealed.

use super::Withheld;
use bytes::Bytes;
use objects::{Block, Cid};
use protocol::port::{BlobError, Blobs};
use std::sync::Arc;
use storage::Store;
use tokio::{
    sync::{mpsc, oneshot},
    task::JoinSet,
};

/// Outputs of tasks that wait to be written.
const WAITING: usize = 256;
/// Outputs of tasks that are written together, at most.
const TOGETHER: usize = 64;

type Kept = Result<Vec<Cid>, BlobError>;

/// What one task wrote, and who waits for it to be durable.
struct Asked {
    blocks: Vec<Block>,
    kept: oneshot::Sender<Kept>,
}

/// The way to the writer. It ends with this.
pub(super) struct Keeper {
    asked: mpsc::Sender<Asked>,
    _writer: JoinSet<()>,
}

impl Keeper {
    pub(super) fn start(store: Store, withheld: Arc<Withheld>) -> Self {
        let (asked, mut waiting) = mpsc::channel(WAITING);
        let mut writer = JoinSet::new();
        writer.spawn(async move {
            let mut together = Vec::new();
            while waiting.recv_many(&mut together, TOGETHER).await > 0 {
                write(&store, &withheld, std::mem::take(&mut together)).await;
            }
        });
        Self { asked, _writer: writer }
    }

    /// Stores blocks, durably, and gives those that were not here before: nobody may have them yet.
    ///
    /// # Errors
    /// If the store fails; then nothing is held back.
    pub(super) async fn keep(&self, blocks: Vec<Block>) -> Kept {
        let stopping = || BlobError::Io("the node is stopping".into());
        let (kept, answer) = oneshot::channel();
        let asked = self.asked.send(Asked { blocks, kept }).await;
        asked.map_err(|_| stopping())?;
        answer.await.map_err(|_| stopping())?
    }
}

async fn write(store: &Store, withheld: &Withheld, together: Vec<Asked>) {
    let cids: Vec<Cid> = together.iter().flat_map(|a| a.blocks.iter().map(|b| b.cid)).collect();
    let known = match store.has(cids).await {
        Ok(known) => known,
        Err(error) => return answer(withheld, together, Err(error)),
    };
    let mut known = known.as_slice();
    let mut hidden: Vec<Vec<Cid>> = Vec::with_capacity(together.len());
    // Held back before they exist: no peer can ask in between.
    for asked in &together {
        let cids: Vec<Cid> = asked.blocks.iter().map(|block| block.cid).collect();
        let (theirs, others) = known.split_at(cids.len().min(known.len()));
        hidden.push(withheld.hold_new(&cids, theirs));
        known = others;
    }
    let blocks = together.iter().flat_map(|asked| &asked.blocks);
    let blobs: Vec<(Cid, Bytes)> = blocks.map(|block| (block.cid, block.bytes.clone())).collect();
    match store.put(blobs).await {
        Ok(()) => answer(withheld, together, Ok(hidden)),
        Err(error) => {
            hidden.iter().for_each(|blocks| withheld.withdraw(blocks));
            answer(withheld, together, Err(error));
        }
    }
}

fn answer(withheld: &Withheld, together: Vec<Asked>, outcome: Result<Vec<Vec<Cid>>, BlobError>) {
    match outcome {
        Ok(hidden) => {
            for (asked, hidden) in together.into_iter().zip(hidden) {
                // Whoever was cancelled does not wait any more.
                if let Err(Ok(hidden)) = asked.kept.send(Ok(hidden)) {
                    withheld.withdraw(&hidden);
                }
            }
        }
        Err(error) => {
            for asked in together {
                let _gone = asked.kept.send(Err(error.clone()));
            }
        }
    }
}
