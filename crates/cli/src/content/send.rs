//! Blocks on their way to a node, which gets those that it lacks.

use crate::failure::Failure;
use api::{ApiError, Code, NodeApi, path};
use bytes::Bytes;
use futures::{Stream, StreamExt, stream};
use objects::{Block, Cid};
use std::{
    collections::HashSet,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};
use tokio::{sync::mpsc, task::JoinHandle};

/// Blocks that wait to be sent.
const WAITING: usize = 32;
/// Bytes about which the node is asked at once, and a block more.
const STEP_BYTES: usize = 8 << 20;
/// Questions that are under way at once.
const QUESTIONS: usize = 2;

/// What was sent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Sent {
    /// Different blocks.
    pub(crate) blocks: u64,
    /// Bytes of these.
    pub(crate) bytes: u64,
    /// Blocks that the node did not have.
    pub(crate) new_blocks: u64,
    /// Bytes of these.
    pub(crate) new_bytes: u64,
}

/// Has `produce` make blocks on a thread of its own, and sends those that the node lacks. Answers
/// what `produce` does.
pub(crate) async fn produced<T: Send + 'static>(
    node: Arc<impl NodeApi>,
    produce: impl FnOnce(&(dyn Fn(Block) -> Result<(), Failure> + Sync)) -> Result<T, Failure>
    + Send
    + 'static,
) -> Result<(T, Sent), Failure> {
    let (sender, blocks) = mpsc::channel(WAITING);
    let producing = tokio::task::spawn_blocking(move || {
        produce(&|block| {
            // Nobody takes any more when the node refused: that is told then.
            sender.blocking_send(block).map_err(|_| Failure::internal("the node takes no more"))
        })
    });
    let counts = Arc::new(Counts::default());
    let made: Made<T> = Arc::default();
    let (asked, counted) = (node.clone(), counts.clone());
    let missing = steps(blocks, producing, made.clone())
        .map(move |step| lacking(asked.clone(), counted.clone(), step))
        .buffered(QUESTIONS)
        .flat_map(|lacking| match lacking {
            Ok(blocks) => stream::iter(blocks.into_iter().map(Ok).collect::<Vec<_>>()),
            Err(error) => stream::iter(vec![Err(error)]),
        });
    let received = node.put(missing.boxed()).await;
    let made = made.lock().unwrap_or_else(PoisonError::into_inner).take();
    match (received, made) {
        (Ok(_), Some(Ok(made))) => Ok((made, counts.sent())),
        (Ok(_), None) => Err(Failure::internal("the node answered before it had everything")),
        (_, Some(Err(failure))) => Err(failure),
        (Err(error), _) => Err(error.into()),
    }
}

/// What the producer says at its end.
type Made<T> = Arc<Mutex<Option<Result<T, Failure>>>>;

#[derive(Default)]
struct Counts {
    blocks: AtomicU64,
    bytes: AtomicU64,
    new_blocks: AtomicU64,
    new_bytes: AtomicU64,
}

impl Counts {
    fn sent(&self) -> Sent {
        let get = |count: &AtomicU64| count.load(Ordering::Relaxed);
        Sent {
            blocks: get(&self.blocks),
            bytes: get(&self.bytes),
            new_blocks: get(&self.new_blocks),
            new_bytes: get(&self.new_bytes),
        }
    }
}

/// Blocks about which the node is asked together. If the producer fails, so does the last step: the
/// stream must not look whole.
fn steps<T: Send + 'static>(
    blocks: mpsc::Receiver<Block>,
    producing: JoinHandle<Result<T, Failure>>,
    made: Made<T>,
) -> impl Stream<Item = Result<Vec<Block>, ApiError>> + Send {
    stream::unfold(Some((blocks, producing)), move |state| {
        let made = made.clone();
        async move {
            let (mut blocks, producing) = state?;
            let (mut step, mut bytes) = (Vec::new(), 0);
            while bytes < STEP_BYTES && step.len() < path::CIDS {
                if let Some(block) = blocks.recv().await {
                    bytes += block.bytes.len();
                    step.push(block);
                    continue;
                }
                let end = producing.await.unwrap_or_else(|error| Err(Failure::internal(error)));
                let failed = end.is_err();
                *made.lock().unwrap_or_else(PoisonError::into_inner) = Some(end);
                let cut = || ApiError::new(Code::Cut, "reading failed");
                return Some((if failed { Err(cut()) } else { Ok(step) }, None));
            }
            Some((Ok(step), Some((blocks, producing))))
        }
    })
}

/// Those of a step that the node does not have, each once.
async fn lacking(
    node: Arc<impl NodeApi>,
    counts: Arc<Counts>,
    step: Result<Vec<Block>, ApiError>,
) -> Result<Vec<(Cid, Bytes)>, ApiError> {
    let mut seen = HashSet::new();
    let step: Vec<_> = step?.into_iter().filter(|block| seen.insert(block.cid)).collect();
    let there = node.has(step.iter().map(|block| block.cid).collect()).await?;
    let new = step.iter().zip(there).filter(|(_, there)| !there).map(|(block, _)| block);
    let lacking: Vec<_> = new.map(|block| (block.cid, block.bytes.clone())).collect();
    let add = |count: &AtomicU64, more: usize| {
        count.fetch_add(more as u64, Ordering::Relaxed);
    };
    add(&counts.blocks, step.len());
    add(&counts.bytes, step.iter().map(|block| block.bytes.len()).sum());
    add(&counts.new_blocks, lacking.len());
    add(&counts.new_bytes, lacking.iter().map(|(_, bytes)| bytes.len()).sum());
    Ok(lacking)
}
