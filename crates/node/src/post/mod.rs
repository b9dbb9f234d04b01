//! Messages between homes and workers: in order to each peer, acknowledged, sent again until they
//! arrive or the peer is gone. Messages that wait for one peer travel together.

mod gather;
mod link;

use crate::places::IsAdmitted;
use gather::{Item, Waiting, gather};
use identity::PublicKey;
use protocol::{
    ToHome, ToWorker,
    port::{Protocol, StreamError, Streams},
};
use serde::{Deserialize, Serialize};
use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
    time::Duration,
};
use tokio::{
    sync::{mpsc, oneshot},
    task::JoinSet,
};

/// Messages about work.
const WORK: Protocol = Protocol("/polity/work/1");
/// Messages that wait for one peer.
const QUEUE: usize = 256;
/// Messages that wait to be handled here.
const INBOX: usize = 256;
/// Messages on their way to one peer: sent, and not acknowledged yet.
const ON_THE_WAY: usize = 32;
/// Peers that do not listen and of which nobody was told yet.
const LOST: usize = 256;

/// A message of either kind.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
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

/// The sending side of one node. A cheap handle.
#[derive(Clone)]
pub(crate) struct Post {
    me: PublicKey,
    inner: Arc<Inner>,
}

struct Inner {
    streams: Arc<dyn Streams>,
    /// Nodes of this process: what they say to each other takes no stream.
    locals: Mutex<HashMap<PublicKey, Inboxes>>,
    /// By sender and recipient.
    queues: Mutex<HashMap<(PublicKey, PublicKey), mpsc::Sender<Queued>>>,
    lost: mpsc::Sender<PublicKey>,
    writers: Mutex<JoinSet<()>>,
    /// How long a stream, or a writer to a peer that is gone, is kept without a message.
    quiet: Duration,
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
        Self::with(streams, link::QUIET)
    }

    fn with(streams: Arc<dyn Streams>, quiet: Duration) -> (Self, Letters) {
        let me = streams.me();
        let (lost_of, lost) = mpsc::channel(LOST);
        let inner = Arc::new(Inner {
            streams,
            locals: Mutex::default(),
            queues: Mutex::default(),
            lost: lost_of,
            writers: Mutex::default(),
            quiet,
        });
        let post = Self { me, inner };
        let (for_worker, for_home) = post.open(me);
        (post, Letters { for_worker, for_home, lost })
    }

    /// A worker of this process that counts as a node of its own, and what it is told.
    pub(crate) fn beside(&self, node: PublicKey) -> (Self, mpsc::Receiver<Letter<ToWorker>>) {
        // Nobody is told anything as a home there.
        let (for_worker, _) = self.open(node);
        (Self { me: node, inner: self.inner.clone() }, for_worker)
    }

    fn open(
        &self,
        node: PublicKey,
    ) -> (mpsc::Receiver<Letter<ToWorker>>, mpsc::Receiver<Letter<ToHome>>) {
        let (worker, for_worker) = mpsc::channel(INBOX);
        let (home, for_home) = mpsc::channel(INBOX);
        let mut locals = self.inner.locals.lock().expect("nobody panics while holding the locals");
        locals.insert(node, Inboxes { worker, home });
        (for_worker, for_home)
    }

    /// Sends a message and tells whether it was acknowledged. It is dropped if the peer goes away
    /// first: whoever waits for an answer learns of that from the network.
    pub(crate) async fn deliver(&self, to: PublicKey, mail: Mail) -> bool {
        let (delivered, told) = oneshot::channel();
        let mut queued = Queued { mail, delivered };
        // A writer that ends meanwhile leaves its place to another one.
        while let Err(mpsc::error::SendError(back)) = self.queue(to).0.send(queued).await {
            if self.is_local(&to) {
                return false;
            }
            queued = back;
        }
        told.await.unwrap_or(false)
    }

    /// Queues a message without waiting for its delivery, nor for room: no peer keeps others
    /// waiting by not listening. A message to a node of this process waits for room.
    pub(crate) async fn send(&self, to: PublicKey, mail: Mail) {
        // Whether it arrives is seen from the answer, or from the peer going away.
        let (delivered, _) = oneshot::channel();
        let mut queued = Queued { mail, delivered };
        loop {
            let (queue, is_local) = self.queue(to);
            if is_local {
                // A queue ends with the node.
                let _ended = queue.send(queued).await;
                return;
            }
            match queue.try_send(queued) {
                Ok(()) => return,
                // Its writer has just ended: there is another one.
                Err(mpsc::error::TrySendError::Closed(back)) => queued = back,
                Err(mpsc::error::TrySendError::Full(_)) => return self.inner.tell_lost(to),
            }
        }
    }

    /// Whether a node is of this process.
    pub(crate) fn is_local(&self, node: &PublicKey) -> bool {
        self.inner.local(node).is_some()
    }

    /// The queue to a node, and whether it is of this process.
    fn queue(&self, to: PublicKey) -> (mpsc::Sender<Queued>, bool) {
        let local = self.inner.local(&to);
        let is_local = local.is_some();
        let mut queues = self.inner.queues.lock().expect("nobody panics while holding the queues");
        let known = queues.get(&(self.me, to)).filter(|queue| is_local || !queue.is_closed());
        if let Some(known) = known {
            return (known.clone(), is_local);
        }
        let (sender, receiver) = mpsc::channel(QUEUE);
        let mut writers = self.inner.writers.lock().expect("nobody panics while spawning");
        match local {
            Some(inboxes) => writers.spawn(link::hand_to(self.me, inboxes, receiver)),
            None => {
                let (streams, lost) = (self.inner.streams.clone(), self.inner.lost.clone());
                writers.spawn(link::write_to(to, streams, lost, receiver, self.inner.quiet))
            }
        };
        // Those that ended are forgotten here: so there are never more than was once busy at a time.
        while writers.try_join_next().is_some() {}
        queues.retain(|_, queue| !queue.is_closed());
        queues.insert((self.me, to), sender.clone());
        (sender, is_local)
    }

    /// Reads what peers send until the network closes.
    pub(crate) async fn receive(self, is_admitted: IsAdmitted) -> Result<(), StreamError> {
        let inboxes = self.inner.local(&self.me).expect("it was opened when this was made");
        link::read_all(self.inner.streams.clone(), inboxes, is_admitted, link::IDLE).await
    }
}

impl Inner {
    fn local(&self, node: &PublicKey) -> Option<Inboxes> {
        let locals = self.locals.lock().expect("nobody panics while holding the locals");
        locals.get(node).cloned()
    }

    fn tell_lost(&self, peer: PublicKey) {
        tell_lost(&self.lost, peer);
    }
}

fn tell_lost(lost: &mpsc::Sender<PublicKey>, peer: PublicKey) {
    // Where so many wait to be told of, this one will be met again.
    if lost.try_send(peer).is_err() {
        tracing::debug!(peer = %peer.short(), "too many peers do not listen");
    }
}

impl Inboxes {
    /// Puts a message into its inbox; `None` if nobody reads it any more. The answer comes when it
    /// was handled.
    async fn put(&self, from: PublicKey, mail: Mail) -> Option<oneshot::Receiver<()>> {
        let (done, handled) = oneshot::channel();
        let taken = match mail {
            Mail::Worker(message) => {
                self.worker.send(Letter { from, message: *message, done }).await.is_ok()
            }
            Mail::Home(message) => {
                self.home.send(Letter { from, message: *message, done }).await.is_ok()
            }
        };
        taken.then_some(handled)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures::AsyncReadExt;
    use identity::SecretKey;
    use objects::{Cid, Codec};
    use protocol::{
        JobId,
        port::{Offence, Stream, write_frame},
    };
    use sim::streams::{Mesh, MeshNode};

    fn key(n: u8) -> PublicKey {
        SecretKey::from_seed([n; 32]).public()
    }

    fn close() -> ToWorker {
        ToWorker::Close { job: JobId(Cid::of(Codec::Raw, b"job")), tasks: Vec::new() }
    }

    fn everybody() -> IsAdmitted {
        Arc::new(|_| true)
    }

    fn mail() -> Mail {
        Mail::Worker(Box::new(close()))
    }

    #[tokio::test]
    async fn a_message_counts_as_delivered_once_it_was_handled() {
        let mesh = Mesh::new();
        let (sender, _) = Post::new(mesh.node(key(1)));
        let (receiver, mut letters) = Post::new(mesh.node(key(2)));
        let receiving = tokio::spawn(receiver.receive(everybody()));
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
    async fn executors_of_one_process_speak_with_their_own_names_and_take_no_stream() {
        let mesh = Mesh::new();
        let (home, mut letters) = Post::new(mesh.node(key(1)));
        let (executor, mut for_executor) = home.beside(key(2));
        let told = tokio::spawn(async move { home.deliver(key(2), mail()).await });
        let letter = for_executor.recv().await.unwrap();
        assert_eq!((letter.from, letter.message), (key(1), close()));
        letter.done.send(()).unwrap();
        assert!(told.await.unwrap());

        let job = JobId(Cid::of(Codec::Raw, b"job"));
        let answer = ToHome::NoResult { job, replicas: Vec::new() };
        executor.send(key(1), Mail::Home(Box::new(answer.clone()))).await;
        let letter = letters.for_home.recv().await.unwrap();
        assert_eq!((letter.from, letter.message), (key(2), answer));
        assert_eq!(mesh.opened(key(1)) + mesh.opened(key(2)), 0);
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
        let receiving = tokio::spawn(receiver.receive(everybody()));
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

    /// Opens a stream once the other side accepts.
    async fn open(client: &MeshNode, to: PublicKey) -> Stream {
        loop {
            match client.open(to, WORK).await {
                Ok(stream) => return stream,
                Err(_) => tokio::task::yield_now().await,
            }
        }
    }

    #[tokio::test]
    async fn silent_strangers_keep_no_node_of_the_roster_out() {
        let mesh = Mesh::new();
        let (receiver, mut letters) = Post::new(mesh.node(key(2)));
        let admitted: IsAdmitted = Arc::new(|peer| *peer == key(1));
        let receiving = tokio::spawn(receiver.receive(admitted));
        let (sender, _) = Post::new(mesh.node(key(1)));
        let mut held = Vec::new();
        for n in 0..300_u32 {
            let mut seed = [0xee; 32];
            seed[..4].copy_from_slice(&n.to_be_bytes());
            let stranger = mesh.node(SecretKey::from_seed(seed).public());
            held.push(open(&stranger, key(2)).await);
            // So that the other side takes every one of them in.
            tokio::task::yield_now().await;
        }
        let delivery = tokio::spawn(async move { sender.deliver(key(2), mail()).await });
        letters.for_worker.recv().await.unwrap().done.send(()).unwrap();
        assert!(delivery.await.unwrap());
        assert_eq!(mesh.offences(), []);
        drop(held);
        receiving.abort();
    }

    #[tokio::test]
    async fn an_idle_stream_is_closed_and_the_next_message_arrives_all_the_same() {
        let mesh = Mesh::new();
        let (receiver, mut letters) = Post::new(mesh.node(key(2)));
        let (inboxes, streams) = (receiver.inner.local(&key(2)).unwrap(), mesh.node(key(2)));
        let idle = Duration::from_millis(1);
        let receiving = tokio::spawn(link::read_all(streams, inboxes, everybody(), idle));
        let mut silent = open(&mesh.node(key(3)), key(2)).await;
        // It ends, and nobody is blamed.
        assert_eq!(silent.read(&mut [0]).await.unwrap(), 0);
        let (sender, _) = Post::new(mesh.node(key(1)));
        for _ in 0..3 {
            let sender = sender.clone();
            let delivery = tokio::spawn(async move { sender.deliver(key(2), mail()).await });
            let letter = letters.for_worker.recv().await.unwrap();
            // As long as it is not handled, its stream stays: the other one is closed before.
            let mut other = open(&mesh.node(key(3)), key(2)).await;
            assert_eq!(other.read(&mut [0]).await.unwrap(), 0);
            letter.done.send(()).unwrap();
            assert!(delivery.await.unwrap());
            assert!(letters.for_worker.try_recv().is_err(), "it came once");
        }
        assert_eq!(mesh.offences(), []);
        receiving.abort();
    }

    #[tokio::test]
    async fn nothing_is_left_of_peers_that_are_gone_and_they_are_heard_when_they_are_back() {
        let mesh = Mesh::new();
        let (sender, _) = Post::with(mesh.node(key(1)), Duration::from_millis(1));
        let gone = || (10..20).map(key);
        for peer in gone() {
            mesh.node(peer);
            mesh.cut(key(1), peer);
            assert!(!sender.deliver(peer, mail()).await);
        }
        let ended = |peer: PublicKey| {
            let queues = sender.inner.queues.lock().unwrap();
            queues.get(&(key(1), peer)).is_none_or(mpsc::Sender::is_closed)
        };
        while !gone().all(ended) {
            tokio::task::yield_now().await;
        }
        let (receiver, mut letters) = Post::new(mesh.node(key(10)));
        let receiving = tokio::spawn(receiver.receive(everybody()));
        mesh.heal(key(1), key(10));
        let (again, to) = (sender.clone(), key(10));
        let delivery = tokio::spawn(async move { again.deliver(to, mail()).await });
        letters.for_worker.recv().await.unwrap().done.send(()).unwrap();
        assert!(delivery.await.unwrap());
        assert_eq!(sender.inner.queues.lock().unwrap().len(), 1);
        let writers = || {
            let mut writers = sender.inner.writers.lock().unwrap();
            while writers.try_join_next().is_some() {}
            writers.len()
        };
        while writers() > 1 {
            tokio::task::yield_now().await;
        }
        receiving.abort();
    }
}
