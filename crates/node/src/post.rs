//! Messages between homes and workers: one at a time to each peer, acknowledged, sent again until
//! they arrive or the peer is gone.

use futures::{AsyncReadExt, AsyncWriteExt, StreamExt};
use identity::{PublicKey, canonical};
use protocol::{
    ToHome, ToWorker, limits,
    port::{Incoming, Offence, Protocol, Stream, StreamError, Streams, read_frame, write_frame},
};
use serde::{Deserialize, Serialize};
use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
    time::Duration,
};
use tokio::{
    sync::{Semaphore, mpsc, oneshot},
    task::JoinSet,
};

/// Messages about work.
const WORK: Protocol = Protocol("/polity/work/1");
/// Messages that wait for one peer.
const QUEUE: usize = 256;
/// Messages that wait to be handled here.
const INBOX: usize = 256;
/// Streams that are read at once, from all peers.
const STREAMS: usize = 256;
/// How long a message may take to be acknowledged.
const PATIENCE: Duration = Duration::from_secs(30);
/// Pause before a message is sent again.
const PAUSE: Duration = Duration::from_millis(100);
/// Times a message is sent to a peer that is connected and does not take it.
const TRIES: usize = 10;
/// Peers that do not listen and of which nobody was told yet.
const LOST: usize = 256;

/// A message of either kind.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Mail {
    Worker(Box<ToWorker>),
    Home(Box<ToHome>),
}

/// A message that arrived. It is acknowledged when `done` is sent; dropped, it will come again.
pub(crate) struct Letter<M> {
    pub(crate) from: PublicKey,
    pub(crate) message: M,
    pub(crate) done: oneshot::Sender<()>,
}

/// The sending side. A cheap handle.
#[derive(Clone)]
pub(crate) struct Post(Arc<Inner>);

struct Inner {
    streams: Arc<dyn Streams>,
    inboxes: Inboxes,
    queues: Mutex<HashMap<PublicKey, mpsc::Sender<Queued>>>,
    lost: mpsc::Sender<PublicKey>,
    writers: Mutex<JoinSet<()>>,
}

/// One inbox for each role, so that a home that waits for its log never keeps a worker waiting:
/// the two would otherwise be able to wait for each other.
#[derive(Clone)]
struct Inboxes {
    worker: mpsc::Sender<Letter<ToWorker>>,
    home: mpsc::Sender<Letter<ToHome>>,
}

/// The letters that arrive.
pub(crate) struct Letters {
    pub(crate) for_worker: mpsc::Receiver<Letter<ToWorker>>,
    pub(crate) for_home: mpsc::Receiver<Letter<ToHome>>,
    /// Peers that are connected and did not take a message: what they were told is lost.
    pub(crate) lost: mpsc::Receiver<PublicKey>,
}

/// A message that waits, and who wants to know that it arrived.
struct Queued {
    mail: Mail,
    delivered: oneshot::Sender<bool>,
}

impl Post {
    /// Starts sending, and gives the letters that arrive.
    pub(crate) fn new(streams: Arc<dyn Streams>) -> (Self, Letters) {
        let (worker, for_worker) = mpsc::channel(INBOX);
        let (home, for_home) = mpsc::channel(INBOX);
        let (lost_of, lost) = mpsc::channel(LOST);
        let inboxes = Inboxes { worker, home };
        let queues = Mutex::new(HashMap::new());
        let writers = Mutex::new(JoinSet::new());
        let inner = Inner { streams, inboxes, queues, lost: lost_of, writers };
        (Self(Arc::new(inner)), Letters { for_worker, for_home, lost })
    }

    /// Sends a message and tells whether it was acknowledged. It is dropped if the peer goes away
    /// first: whoever waits for an answer learns of that from the network.
    pub(crate) async fn deliver(&self, to: PublicKey, mail: Mail) -> bool {
        let (delivered, told) = oneshot::channel();
        let queue = self.queue(to);
        queue.send(Queued { mail, delivered }).await.is_ok() && told.await.unwrap_or(false)
    }

    /// Queues a message without waiting for its delivery, nor for room: no peer keeps others
    /// waiting by not listening. A message to itself waits for room.
    pub(crate) async fn send(&self, to: PublicKey, mail: Mail) {
        // Whether it arrives is seen from the answer, or from the peer going away.
        let (delivered, _) = oneshot::channel();
        let (queue, queued) = (self.queue(to), Queued { mail, delivered });
        if to == self.0.streams.me() {
            // A queue ends with the node.
            let _ended = queue.send(queued).await;
        } else if queue.try_send(queued).is_err() {
            tell_lost(&self.0.lost, to);
        }
    }

    fn queue(&self, to: PublicKey) -> mpsc::Sender<Queued> {
        let mut queues = self.0.queues.lock().expect("nobody panics while holding the queues");
        let queue = queues.entry(to).or_insert_with(|| {
            let (sender, receiver) = mpsc::channel(QUEUE);
            let mut writers = self.0.writers.lock().expect("nobody panics while spawning");
            if to == self.0.streams.me() {
                writers.spawn(write_to_self(to, self.0.inboxes.clone(), receiver));
            } else {
                let (streams, lost) = (self.0.streams.clone(), self.0.lost.clone());
                writers.spawn(write_to(to, streams, lost, receiver));
            }
            sender
        });
        queue.clone()
    }

    /// Reads what peers send until the network closes.
    pub(crate) async fn receive(self) -> Result<(), StreamError> {
        let mut incoming = self.0.streams.accept(WORK)?;
        let places = Arc::new(Semaphore::new(STREAMS));
        let mut readers = JoinSet::new();
        loop {
            tokio::select! {
                next = incoming.next() => {
                    let Some(next) = next else { return Ok(()) };
                    let Ok(place) = places.clone().try_acquire_owned() else {
                        self.0.streams.penalise(next.peer, Offence::Flooding);
                        continue;
                    };
                    let (streams, inboxes) = (self.0.streams.clone(), self.0.inboxes.clone());
                    readers.spawn(async move {
                        read_from(next, streams.as_ref(), &inboxes).await;
                        drop(place);
                    });
                }
                Some(_) = readers.join_next() => {}
            }
        }
    }
}

impl Inboxes {
    /// Hands a message over and waits until it was handled; false if it was not.
    async fn hand_over(&self, from: PublicKey, mail: Mail) -> bool {
        let (done, handled) = oneshot::channel();
        let taken = match mail {
            Mail::Worker(message) => {
                self.worker.send(Letter { from, message: *message, done }).await.is_ok()
            }
            Mail::Home(message) => {
                self.home.send(Letter { from, message: *message, done }).await.is_ok()
            }
        };
        taken && handled.await.is_ok()
    }
}

async fn read_from(incoming: Incoming, streams: &dyn Streams, inboxes: &Inboxes) {
    let Incoming { peer, mut stream } = incoming;
    loop {
        let bytes = match read_frame(&mut stream, limits::MESSAGE_BYTES).await {
            Ok(Some(bytes)) => bytes,
            Err(error) if error.kind() == std::io::ErrorKind::InvalidData => {
                return streams.penalise(peer, Offence::Oversized);
            }
            _ => return,
        };
        let Ok(mail) = canonical::decode(&bytes, limits::MESSAGE_BYTES) else {
            return streams.penalise(peer, Offence::Malformed);
        };
        if !inboxes.hand_over(peer, mail).await || stream.write_all(&[1]).await.is_err() {
            return;
        }
        if stream.flush().await.is_err() {
            return;
        }
    }
}

async fn write_to_self(me: PublicKey, inboxes: Inboxes, mut queue: mpsc::Receiver<Queued>) {
    while let Some(Queued { mail, delivered }) = queue.recv().await {
        // Nobody waits for most messages.
        let _unheard = delivered.send(inboxes.hand_over(me, mail).await);
    }
}

fn tell_lost(lost: &mpsc::Sender<PublicKey>, peer: PublicKey) {
    // Where so many wait to be told of, this one will be met again.
    if lost.try_send(peer).is_err() {
        tracing::debug!(peer = %peer.short(), "too many peers do not listen");
    }
}

async fn write_to(
    to: PublicKey,
    streams: Arc<dyn Streams>,
    lost: mpsc::Sender<PublicKey>,
    mut queue: mpsc::Receiver<Queued>,
) {
    let mut open: Option<Stream> = None;
    while let Some(Queued { mail, delivered: tell }) = queue.recv().await {
        let bytes = canonical::encode(&mail);
        let mut delivered = false;
        for _ in 0..TRIES {
            match tokio::time::timeout(PATIENCE, deliver(to, &streams, &mut open, &bytes)).await {
                Ok(Ok(())) => {
                    delivered = true;
                    break;
                }
                Ok(Err(error)) => tracing::debug!(peer = %to.short(), %error, "not delivered"),
                Err(_) => {
                    tracing::debug!(peer = %to.short(), "not acknowledged in time");
                    open = None;
                    break;
                }
            }
            open = None;
            if !streams.peers().contains(&to) {
                break;
            }
            tokio::time::sleep(PAUSE).await;
        }
        if !delivered {
            tracing::warn!(peer = %to.short(), "a message could not be delivered");
            if streams.peers().contains(&to) {
                tell_lost(&lost, to);
            }
        }
        // Nobody waits for most messages.
        let _unheard = tell.send(delivered);
    }
}

async fn deliver(
    to: PublicKey,
    streams: &Arc<dyn Streams>,
    open: &mut Option<Stream>,
    bytes: &[u8],
) -> std::io::Result<()> {
    let stream = match open {
        Some(stream) => stream,
        None => {
            let fresh = streams.open(to, WORK).await.map_err(std::io::Error::other)?;
            open.insert(fresh)
        }
    };
    write_frame(stream, bytes).await?;
    let mut acknowledged = [0];
    stream.read_exact(&mut acknowledged).await
}

#[cfg(test)]
mod tests {
    use super::*;
    use identity::SecretKey;
    use objects::{Cid, Codec};
    use protocol::JobId;
    use sim::streams::Mesh;

    fn key(n: u8) -> PublicKey {
        SecretKey::from_seed([n; 32]).public()
    }

    fn close() -> ToWorker {
        ToWorker::Close { job: JobId(Cid::of(Codec::Raw, b"job")), tasks: Vec::new() }
    }

    fn mail() -> Mail {
        Mail::Worker(Box::new(close()))
    }

    #[tokio::test]
    async fn a_message_counts_as_delivered_once_it_was_handled() {
        let mesh = Mesh::new();
        let (sender, _) = Post::new(mesh.node(key(1)));
        let (receiver, mut letters) = Post::new(mesh.node(key(2)));
        let receiving = tokio::spawn(receiver.receive());
        let delivery = tokio::spawn(async move { sender.deliver(key(2), mail()).await });
        let letter = letters.for_worker.recv().await.unwrap();
        assert_eq!((letter.from, letter.message), (key(1), close()));
        assert!(!delivery.is_finished());
        letter.done.send(()).unwrap();
        assert!(delivery.await.unwrap());
        receiving.abort();
    }

    #[tokio::test]
    async fn a_message_to_itself_takes_no_stream() {
        let mesh = Mesh::new();
        let (post, mut letters) = Post::new(mesh.node(key(1)));
        let delivery = tokio::spawn(async move { post.deliver(key(1), mail()).await });
        letters.for_worker.recv().await.unwrap().done.send(()).unwrap();
        assert!(delivery.await.unwrap());
        assert_eq!(mesh.opened(key(1)), 0);
    }

    #[tokio::test]
    async fn a_message_to_a_peer_that_is_gone_is_dropped() {
        let mesh = Mesh::new();
        let (sender, _) = Post::new(mesh.node(key(1)));
        mesh.node(key(2));
        mesh.cut(key(1), key(2));
        assert!(!sender.deliver(key(2), mail()).await);
    }

    #[tokio::test]
    async fn nonsense_is_an_offence() {
        let mesh = Mesh::new();
        let (receiver, _letters) = Post::new(mesh.node(key(2)));
        let receiving = tokio::spawn(receiver.receive());
        let client = mesh.node(key(1));
        // The receiver accepts once its task has run.
        let mut stream = loop {
            match client.open(key(2), WORK).await {
                Ok(stream) => break stream,
                Err(_) => tokio::task::yield_now().await,
            }
        };
        write_frame(&mut stream, b"nonsense").await.unwrap();
        mesh.offended(1).await;
        assert_eq!(mesh.offences()[0].2, Offence::Malformed);
        receiving.abort();
    }
}
