//! From a queue to a peer's inbox, over a stream or in memory.

use super::{Inboxes, Item, ON_THE_WAY, Queued, WORK, Waiting, gather, tell_lost};
use crate::places::{IsAdmitted, Place, Places, Room};
use futures::{
    AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, StreamExt,
    io::{BufReader, ReadHalf, WriteHalf},
    stream::FuturesOrdered,
};
use identity::{PublicKey, canonical};
use protocol::{
    limits,
    port::{Incoming, Offence, Stream, StreamError, Streams, read_frame},
};
use std::{collections::VecDeque, io, sync::Arc, time::Duration};
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot},
    task::JoinSet,
};

/// Streams that are read at once. An honest peer has one, and what it gave up a moment ago.
const ROOM: Room = Room { streams: 256, strangers: 64, per_peer: 8 };
/// How long the sender keeps a stream open without a message.
pub(super) const QUIET: Duration = Duration::from_secs(60);
/// How long the reader does: longer, so that few senders meet a stream that was closed.
pub(super) const IDLE: Duration = Duration::from_secs(180);
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

/// Sends messages to a peer, in order, until the peer is gone and there was nothing to send for as long
/// as `quiet`.
pub(super) async fn write_to(
    to: PublicKey,
    streams: Arc<dyn Streams>,
    lost: mpsc::Sender<PublicKey>,
    mut queue: mpsc::Receiver<Queued>,
    quiet: Duration,
) {
    let mut open: Option<Stream> = None;
    loop {
        let items = match tokio::time::timeout(quiet, next(&mut queue)).await {
            Ok(Some(items)) => items,
            Ok(None) => return,
            Err(_) => {
                open = None;
                if !streams.peers().contains(&to) {
                    // What came in this moment is still sent.
                    queue.close();
                }
                continue;
            }
        };
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
    let mut tries = 0;
    while tries < TRIES {
        let (was_open, messages) = (open.is_some(), left.len());
        let delivering = deliver(to, streams, open, &mut left);
        match tokio::time::timeout(PATIENCE, delivering).await {
            Ok(Ok(())) => return,
            // The peer closed it while nobody spoke: that is no failure.
            Ok(Err(_)) if was_open && left.len() == messages => {
                *open = None;
                continue;
            }
            Ok(Err(error)) => tracing::debug!(peer = %to.short(), %error, "not delivered"),
            Err(_) => {
                tracing::debug!(peer = %to.short(), "not acknowledged in time");
                *open = None;
                break;
            }
        }
        *open = None;
        tries += 1;
        if !streams.peers().contains(&to) {
            break;
        }
        tokio::time::sleep(PAUSE).await;
    }
    tracing::warn!(peer = %to.short(), messages = left.len(), "messages could not be delivered");
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

/// Reads what peers send until the network closes; a stream without a message for as long as `idle`
/// makes room for others.
pub(super) async fn read_all(
    streams: Arc<dyn Streams>,
    inboxes: Inboxes,
    is_admitted: IsAdmitted,
    idle: Duration,
) -> Result<(), StreamError> {
    let mut incoming = streams.accept(WORK)?;
    let places = Places::new(streams.clone(), is_admitted, ROOM);
    let mut readers = JoinSet::new();
    loop {
        tokio::select! {
            next = incoming.next() => {
                let Some(next) = next else { return Ok(()) };
                let Some(place) = places.take(next.peer) else { continue };
                let (streams, inboxes) = (streams.clone(), inboxes.clone());
                readers.spawn(async move {
                    read_one(next, place, streams.as_ref(), &inboxes, idle).await;
                });
            }
            Some(_) = readers.join_next() => {}
        }
    }
}

/// Reads one stream to its end. The place is free again when nothing more is read: what waits for
/// its acknowledgement then has a place in an inbox.
async fn read_one(
    Incoming { peer, stream }: Incoming,
    place: Place,
    streams: &dyn Streams,
    inboxes: &Inboxes,
    idle: Duration,
) {
    let (reading, writing) = stream.split();
    let (pending, handled) = mpsc::channel(ON_THE_WAY);
    let reading = async {
        if let Err(offence) = read_from(peer, reading, inboxes, pending, idle).await {
            streams.penalise(peer, offence);
        }
        drop(place);
        // What was read is still acknowledged; then the stream closes.
        std::future::pending::<()>().await;
    };
    tokio::select! {
        () = reading => {}
        () = acknowledge(writing, handled) => {}
    }
}

/// What was read: handled or not, with its place among what is not acknowledged yet.
type Handled = (oneshot::Receiver<()>, OwnedSemaphorePermit);

/// Reads messages of a peer ahead of their acknowledgement, so many at most, until there is none for
/// as long as `idle` and all were acknowledged.
///
/// # Errors
/// What the peer did wrong.
async fn read_from(
    peer: PublicKey,
    stream: ReadHalf<Stream>,
    inboxes: &Inboxes,
    pending: mpsc::Sender<Handled>,
    idle: Duration,
) -> Result<(), Offence> {
    let mut stream = BufReader::new(stream);
    let owed = Arc::new(Semaphore::new(ON_THE_WAY));
    loop {
        match tokio::time::timeout(idle, stream.fill_buf()).await {
            Ok(Ok(begun)) if !begun.is_empty() => {}
            Err(_) if owed.available_permits() < ON_THE_WAY => continue,
            _ => return Ok(()),
        }
        // Nobody sends or waits for longer than that.
        let reading = read_frame(&mut stream, limits::MESSAGE_BYTES);
        let bytes = match tokio::time::timeout(PATIENCE, reading).await {
            Ok(Ok(Some(bytes))) => bytes,
            Ok(Err(error)) if error.kind() == io::ErrorKind::InvalidData => {
                return Err(Offence::Oversized);
            }
            _ => return Ok(()),
        };
        let mail = canonical::decode(&bytes, limits::MESSAGE_BYTES);
        let mail = mail.map_err(|_| Offence::Malformed)?;
        let put = async {
            let place = owed.clone().acquire_owned().await.ok()?;
            Some((inboxes.put(peer, mail).await?, place))
        };
        let Ok(Some(handled)) = tokio::time::timeout(PATIENCE, put).await else { return Ok(()) };
        if pending.send(handled).await.is_err() {
            return Ok(());
        }
    }
}

/// Acknowledges messages in their order; ends with one that was not handled.
async fn acknowledge(mut stream: WriteHalf<Stream>, mut pending: mpsc::Receiver<Handled>) {
    while let Some((handled, _place)) = pending.recv().await {
        if handled.await.is_err() || stream.write_all(&[1]).await.is_err() {
            return;
        }
        if stream.flush().await.is_err() {
            return;
        }
    }
}
