//! From a queue to a peer's inbox, over a stream or in memory.

use super::{Inboxes, Item, ON_THE_WAY, Queued, WORK, Waiting, gather, tell_lost};
use futures::{
    AsyncReadExt, AsyncWriteExt, StreamExt,
    io::{ReadHalf, WriteHalf},
    stream::FuturesOrdered,
};
use identity::{PublicKey, canonical};
use protocol::{
    limits,
    port::{Incoming, Offence, Stream, StreamError, Streams, read_frame},
};
use std::{collections::VecDeque, io, sync::Arc, time::Duration};
use tokio::{
    sync::{Semaphore, mpsc, oneshot},
    task::JoinSet,
};

/// Streams that are read at once, from all peers.
const STREAMS: usize = 256;
/// How long messages may take to be acknowledged.
const PATIENCE: Duration = Duration::from_secs(30);
/// Pause before messages are sent again.
const PAUSE: Duration = Duration::from_millis(100);
/// Times messages are sent to a peer that is connected and does not take them.
const TRIES: usize = 10;
/// Bytes that are sent before acknowledgements are waited for, unless one message is larger.
const SENT_BYTES: usize = 4 << 20;

/// The messages that wait now, at least one; `None` if the queue has ended.
async fn next(queue: &mut mpsc::Receiver<Queued>) -> Option<Vec<Item>> {
    let mut queued = Vec::new();
    if queue.recv_many(&mut queued, ON_THE_WAY).await == 0 {
        return None;
    }
    Some(gather(queued))
}

/// Hands messages to a node of this process, in order.
pub(super) async fn hand_to(from: PublicKey, inboxes: Inboxes, mut queue: mpsc::Receiver<Queued>) {
    let mut handling = FuturesOrdered::new();
    loop {
        tokio::select! {
            items = next(&mut queue), if handling.len() < ON_THE_WAY => {
                let Some(items) = items else { return };
                for (mail, waiting) in items.into_iter().map(Item::split) {
                    let handled = inboxes.put(from, mail).await;
                    handling.push_back(async move {
                        let handled = match handled {
                            Some(handled) => handled.await.is_ok(),
                            None => false,
                        };
                        (waiting, handled)
                    });
                }
            }
            Some((waiting, handled)) = handling.next() => waiting.tell(handled),
        }
    }
}

/// Sends messages to a peer, in order.
pub(super) async fn write_to(
    to: PublicKey,
    streams: Arc<dyn Streams>,
    lost: mpsc::Sender<PublicKey>,
    mut queue: mpsc::Receiver<Queued>,
) {
    let mut open: Option<Stream> = None;
    while let Some(items) = next(&mut queue).await {
        let mut left = items.into_iter().map(framed).peekable();
        while left.peek().is_some() {
            let (mut group, mut size_bytes) = (Vec::new(), 0);
            while let Some((_, frame)) = left.peek()
                && (group.is_empty() || size_bytes + frame.len() <= SENT_BYTES)
            {
                size_bytes += frame.len();
                group.extend(left.next());
            }
            write_group(to, &streams, &lost, &mut open, group).await;
        }
    }
}

/// A message and its frame: `u32` length, canonical bytes.
fn framed(item: Item) -> (Waiting, Vec<u8>) {
    let (mail, waiting) = item.split();
    let bytes = canonical::encode(&mail);
    let length = u32::try_from(bytes.len()).expect("messages are bounded");
    let mut frame = length.to_be_bytes().to_vec();
    frame.extend(bytes);
    (waiting, frame)
}

/// Sends messages until all are acknowledged, or the peer does not take them.
async fn write_group(
    to: PublicKey,
    streams: &Arc<dyn Streams>,
    lost: &mpsc::Sender<PublicKey>,
    open: &mut Option<Stream>,
    group: Vec<(Waiting, Vec<u8>)>,
) {
    let mut left = VecDeque::from(group);
    for _ in 0..TRIES {
        let delivering = deliver(to, streams, open, &mut left);
        match tokio::time::timeout(PATIENCE, delivering).await {
            Ok(Ok(())) => return,
            Ok(Err(error)) => tracing::debug!(peer = %to.short(), %error, "not delivered"),
            Err(_) => {
                tracing::debug!(peer = %to.short(), "not acknowledged in time");
                *open = None;
                break;
            }
        }
        *open = None;
        if !streams.peers().contains(&to) {
            break;
        }
        tokio::time::sleep(PAUSE).await;
    }
    tracing::warn!(peer = %to.short(), messages = left.len(), "could not be delivered");
    if streams.peers().contains(&to) {
        tell_lost(lost, to);
    }
    left.into_iter().for_each(|(waiting, _)| waiting.tell(false));
}

/// Sends frames together and takes away those that are acknowledged.
async fn deliver(
    to: PublicKey,
    streams: &Arc<dyn Streams>,
    open: &mut Option<Stream>,
    left: &mut VecDeque<(Waiting, Vec<u8>)>,
) -> io::Result<()> {
    let stream = match open {
        Some(stream) => stream,
        None => {
            let fresh = streams.open(to, WORK).await.map_err(io::Error::other)?;
            open.insert(fresh)
        }
    };
    let together: Vec<u8> = left.iter().flat_map(|(_, frame)| frame).copied().collect();
    stream.write_all(&together).await?;
    stream.flush().await?;
    while !left.is_empty() {
        stream.read_exact(&mut [0]).await?;
        if let Some((waiting, _)) = left.pop_front() {
            waiting.tell(true);
        }
    }
    Ok(())
}

/// Reads what peers send until the network closes.
pub(super) async fn read_all(
    streams: Arc<dyn Streams>,
    inboxes: Inboxes,
) -> Result<(), StreamError> {
    let mut incoming = streams.accept(WORK)?;
    let places = Arc::new(Semaphore::new(STREAMS));
    let mut readers = JoinSet::new();
    loop {
        tokio::select! {
            next = incoming.next() => {
                let Some(next) = next else { return Ok(()) };
                let Ok(place) = places.clone().try_acquire_owned() else {
                    streams.penalise(next.peer, Offence::Flooding);
                    continue;
                };
                let (streams, inboxes) = (streams.clone(), inboxes.clone());
                readers.spawn(async move {
                    let Incoming { peer, stream } = next;
                    let (reading, writing) = stream.split();
                    let (pending, handled) = mpsc::channel(ON_THE_WAY);
                    let reading = async {
                        read_from(peer, reading, streams.as_ref(), &inboxes, pending).await;
                        // What was read is still acknowledged; then the stream closes.
                        std::future::pending::<()>().await;
                    };
                    tokio::select! {
                        () = reading => {}
                        () = acknowledge(writing, handled) => {}
                    }
                    drop(place);
                });
            }
            Some(_) = readers.join_next() => {}
        }
    }
}

type Handled = oneshot::Receiver<()>;

/// Reads messages of a peer ahead of their acknowledgement, so many at most.
async fn read_from(
    peer: PublicKey,
    mut stream: ReadHalf<Stream>,
    streams: &dyn Streams,
    inboxes: &Inboxes,
    pending: mpsc::Sender<Handled>,
) {
    loop {
        let bytes = match read_frame(&mut stream, limits::MESSAGE_BYTES).await {
            Ok(Some(bytes)) => bytes,
            Err(error) if error.kind() == io::ErrorKind::InvalidData => {
                return streams.penalise(peer, Offence::Oversized);
            }
            _ => return,
        };
        let Ok(mail) = canonical::decode(&bytes, limits::MESSAGE_BYTES) else {
            return streams.penalise(peer, Offence::Malformed);
        };
        let Some(handled) = inboxes.put(peer, mail).await else { return };
        if pending.send(handled).await.is_err() {
            return;
        }
    }
}

/// Acknowledges messages in their order; ends with one that was not handled.
async fn acknowledge(mut stream: WriteHalf<Stream>, mut handled: mpsc::Receiver<Handled>) {
    while let Some(next) = handled.recv().await {
        if next.await.is_err() || stream.write_all(&[1]).await.is_err() {
            return;
        }
        if stream.flush().await.is_err() {
            return;
        }
    }
}
