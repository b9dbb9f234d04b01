//! The network's thread: how it starts and how it ends.

mod bindings;
mod dial;
mod driver;
mod events;
mod guests;
mod providers;

use crate::{
    Config, Error, Network, Refused,
    address::keypair,
    book::Book,
    exchange,
    gossip::{Listeners, Topics},
    guests::Guests,
    handle::{Listening, Shared},
    names::Names,
    offences::Offences,
    peers::Sessions,
    streams::Acceptors,
};
use driver::{Driver, Ends};
use identity::{NetworkId, SecretKey};
use libp2p::identity::Keypair;
use std::{
    sync::{Arc, Mutex, mpsc as sync_mpsc},
    thread::{self, JoinHandle},
};
use tokio::sync::{Notify, mpsc, oneshot, watch};

/// Streams that wait for the network's thread to look at them; openers beyond it wait themselves.
const OPENS: usize = 256;

/// Questions about providers that wait; askers beyond it wait themselves.
const ASKS: usize = 64;

/// Ends the network when it is shut down or dropped.
#[derive(Debug)]
pub struct Service {
    /// Dropped to stop the thread.
    stop: Option<oneshot::Sender<()>>,
    /// Closed when the thread has ended.
    ended: oneshot::Receiver<()>,
    thread: Option<JoinHandle<()>>,
}

/// Starts a node's network: binds every listen address, then returns.
///
/// # Errors
/// [`Error::Config`] or [`Error::Address`] for a setting that cannot work, [`Error::PortTaken`] or
/// [`Error::Listen`] if an address cannot be bound, [`Error::Start`] if the machine gives no
/// thread or no sockets.
pub fn start(
    config: Config,
    key: &SecretKey,
    network: NetworkId,
) -> Result<(Network, Service), Error> {
    config.check()?;
    let (network, ends) = connect(config, key, network);
    let keypair = keypair(key);
    let (stop, stopped) = oneshot::channel();
    let (end, ended) = oneshot::channel();
    let (report, started) = sync_mpsc::sync_channel(1);
    let inside = network.clone();
    let body = move || {
        // Dropped last, also in a panic: whoever waits for the network learns that it is gone.
        let _closing = Closing { shared: inside.shared.clone(), _end: end };
        let me = inside.shared.me.short();
        let _span = tracing::info_span!("network", me).entered();
        run(inside, ends, &keypair, stopped, &report);
    };
    let thread = thread::Builder::new().name("network".into()).spawn(body);
    let thread = thread.map_err(|e| Error::Start(e.to_string()))?;
    let mut service = Service { stop: Some(stop), ended, thread: Some(thread) };
    match started.recv() {
        Ok(Ok(())) => Ok((network, service)),
        Ok(Err(error)) => service.join().and(Err(error)),
        Err(_) => service.join().and(Err(Error::Died)),
    }
}

/// The handle and the ends of its channels.
fn connect(config: Config, key: &SecretKey, network: NetworkId) -> (Network, Ends) {
    let me = key.public();
    let (opens, open) = mpsc::channel(OPENS);
    let (outbox, publications) = mpsc::channel(config.gossip_queue);
    let (asks, asked) = mpsc::channel(ASKS);
    let (tell_sessions, sessions) = watch::channel(Sessions::new());
    let waiting = config.listen.len();
    let (tell_listening, listening) = watch::channel(Listening { waiting, ..Listening::default() });
    let (tell_listeners, listeners) = watch::channel(Listeners::new());
    let (tell_version, versions) = watch::channel(0);
    let (tell_connections, connections) = watch::channel(0);
    let shared = Arc::new(Shared {
        me,
        names: Names::new(network),
        acceptors: Arc::new(Acceptors::new(config.accept_queue)),
        topics: Topics::new(config.gossip_listener_queue),
        book: Mutex::new(Book::new(me, &config)),
        offences: Mutex::new(Offences::new(&config)),
        refused: Mutex::new(Refused::default()),
        guests: Mutex::new(Guests::new(&config.guests)),
        changed: Notify::new(),
        config,
    });
    let ends = Ends {
        opens: open,
        outbox: publications,
        asks: asked,
        sessions: tell_sessions,
        listening: tell_listening,
        listeners: tell_listeners,
        version: tell_version,
        connections: tell_connections,
    };
    let network = Network {
        shared,
        opens,
        outbox,
        asks,
        sessions,
        listening,
        listeners,
        versions,
        connections,
    };
    (network, ends)
}

/// The thread's body.
fn run(
    network: Network,
    ends: Ends,
    keypair: &Keypair,
    stopped: oneshot::Receiver<()>,
    report: &sync_mpsc::SyncSender<Result<(), Error>>,
) {
    let tell = |outcome| {
        report.send(outcome).expect("the caller of `start` waits for one report");
    };
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return tell(Err(Error::Start(error.to_string()))),
    };
    runtime.block_on(async {
        match Driver::new(network.shared.clone(), ends, keypair) {
            Ok(driver) => {
                tell(Ok(()));
                let exchange = tokio::spawn(exchange::run(network));
                driver.run(stopped).await;
                exchange.abort();
            }
            Err(error) => tell(Err(error)),
        }
    });
}

/// Ends everything that waits on the network, however its thread ends.
struct Closing {
    shared: Arc<Shared>,
    _end: oneshot::Sender<()>,
}

impl Drop for Closing {
    fn drop(&mut self) {
        self.shared.acceptors.close();
        self.shared.topics.close();
    }
}

impl Service {
    /// Closes all connections, so that peers see it at once, and waits for the thread to end.
    /// Every call on a [`Network`] then answers that it is closed.
    ///
    /// # Errors
    /// [`Error::Died`] if the thread had panicked.
    pub async fn shutdown(mut self) -> Result<(), Error> {
        self.stop = None;
        self.ended().await;
        self.join()
    }

    /// Resolves when the network has ended. Without [`Service::shutdown`] that is a fault, and the
    /// node must stop.
    pub async fn ended(&mut self) {
        // Nothing is ever sent: the other end is dropped.
        if !self.ended.is_terminated() {
            let _closed = (&mut self.ended).await;
        }
    }

    fn join(&mut self) -> Result<(), Error> {
        self.stop = None;
        match self.thread.take() {
            Some(thread) => thread.join().map_err(|_| Error::Died),
            None => Ok(()),
        }
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        if let Err(error) = self.join() {
            tracing::error!(%error, "the network had ended before");
        }
    }
}
