//! Starting and stopping consensus: one thread, one runtime, one engine.

use crate::{
    Application, Config, Error, Event, Progress, Settings, SubmitError,
    convert::{self, Finalized},
    desk::{Arrival, Origin},
    engine::{self, Setup},
    journal::{self, FirstVote},
    links,
    pool::Pool,
};
use commonware_macros::select;
use commonware_runtime::{Runner as _, Spawner, Supervisor, tokio as runtime};
use identity::{NetworkId, PublicKey, SecretKey};
use protocol::{Certificate, Height, NamedTx, port::Streams};
use std::{
    any::Any,
    panic::{AssertUnwindSafe, catch_unwind},
    path::PathBuf,
    sync::Arc,
    thread::JoinHandle,
    time::Duration,
};
use tokio::sync::{mpsc, oneshot, watch};

/// Events that wait for somebody to take them.
const EVENTS: usize = 256;
/// Transactions that wait to be checked.
const ARRIVALS: usize = 1_024;
/// Advances that wait.
const FLOORS: usize = 4;
/// How long the engine may take to sync its journals when it is told to stop.
const STOP: Duration = Duration::from_secs(10);

/// Where the engine's journals are.
#[derive(Clone, Debug)]
pub struct Journal {
    /// A directory of this validator's own.
    pub dir: PathBuf,
    /// Whether there must be a journal from an earlier start ([`crate::create_journal`]).
    pub required: bool,
}

/// Starts to vote.
///
/// Nothing is blocked on: the engine opens its journals, connects and catches up in its own thread.
///
/// # Errors
/// If the settings, the journal or the streams do not allow it.
pub fn start(
    config: Config,
    key: &SecretKey,
    settings: Settings,
    journal: &Journal,
    streams: Arc<dyn Streams>,
    app: Arc<dyn Application>,
) -> Result<(Handle, mpsc::Receiver<Event>), Error> {
    config.check()?;
    settings.check()?;
    let scheme = convert::scheme(&settings, key)?;
    journal::prepare(&journal.dir, journal.required)?;
    let ports = links::Ports::take(streams)?;

    let (events, event_receiver) = mpsc::channel(EVENTS);
    let (desk, arrivals) = mpsc::channel(ARRIVALS);
    let (floors, floor_receiver) = mpsc::channel(FLOORS);
    let (stop, stopped) = oneshot::channel();
    let progress = watch::Sender::new(Progress::default());
    let progress_receiver = progress.subscribe();
    let pool = Arc::new(Pool::new(&config));
    let first_vote = FirstVote::new(&journal.dir);
    let runner = runtime::Runner::new(
        runtime::Config::new()
            .with_worker_threads(config.threads)
            .with_storage_directory(journal::engine_dir(&journal.dir)),
    );
    let (network, validators) = (settings.network, settings.validators.clone());
    let setup = Setup {
        network,
        me: convert::key(&key.public())?,
        validators: convert::validators(&settings)?,
        scheme,
        timing: settings.timing(),
        config,
        app,
        pool: pool.clone(),
        desk: desk.clone(),
        arrivals,
        floors: floor_receiver,
        events,
        progress,
        prefix: String::new(),
    };
    let (done, outcome) = watch::channel(None);
    let closing = pool.clone();
    let work = move || runner.start(|context| root(context, setup, ports, first_vote, stopped));
    let thread = std::thread::Builder::new()
        .name("consensus".into())
        .spawn(move || {
            let result = survive(work);
            closing.close();
            done.send_replace(Some(result));
        })
        .map_err(|e| Error::Stopped(format!("no thread: {e}")))?;
    let handle = Handle {
        network,
        validators,
        pool,
        desk,
        floors,
        progress: progress_receiver,
        outcome,
        stop: Some(stop),
        thread: Some(thread),
    };
    Ok((handle, event_receiver))
}

async fn root(
    context: runtime::Context,
    setup: Setup,
    ports: links::Ports,
    first_vote: FirstVote,
    stopped: oneshot::Receiver<()>,
) -> Result<(), String> {
    let links = context.child("links");
    let (validators, events) = (setup.validators.clone(), setup.events.clone());
    let (channels, mut ended) = links::open(&links, ports, validators, first_vote, events);
    let engine = context.child("engine");
    select! {
        // A handle that is gone stops the engine, too.
        _ = stopped => {},
        reason = ended.recv() => return Err(reason.unwrap_or_else(|| "the links ended".into())),
        reason = engine::run::<_, links::Links>(engine, setup, channels) => return Err(reason),
    }
    // Journals are synced before every vote, so a stop that takes too long loses nothing.
    if let Err(error) = context.stop(0, Some(STOP)).await {
        tracing::warn!(%error, "the engine is stopped while it still works");
    }
    Ok(())
}

/// Runs the engine; a panic of any of its parts is how it says that it cannot go on.
fn survive(work: impl FnOnce() -> Result<(), String>) -> Result<(), String> {
    let result = catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|panic| Err(said(&*panic)));
    if let Err(reason) = &result {
        tracing::error!(reason, "consensus stopped");
    }
    result
}

/// What a panic said.
fn said(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    let text = text.or_else(|| panic.downcast_ref::<&str>().copied());
    text.unwrap_or("a panic without words").to_string()
}

/// A running validator. Dropping it stops the validator and waits until it has stopped.
pub struct Handle {
    network: NetworkId,
    validators: Vec<PublicKey>,
    pool: Arc<Pool>,
    desk: mpsc::Sender<Arrival>,
    floors: mpsc::Sender<(Height, Finalized)>,
    progress: watch::Receiver<Progress>,
    outcome: watch::Receiver<Option<Result<(), String>>>,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Handle {
    /// Takes a transaction into the pool and sends it to the other validators. One that waits
    /// already is taken again without effect. It stays until it is final or will never be.
    ///
    /// # Errors
    /// See [`SubmitError`].
    pub async fn submit(&self, tx: NamedTx) -> Result<(), SubmitError> {
        if self.pool.contains(&tx.digest()) {
            return Ok(());
        }
        let (answer, answered) = oneshot::channel();
        let arrival = Arrival { tx: Arc::new(tx), from: Origin::Here(answer) };
        self.desk.send(arrival).await.map_err(|_| SubmitError::Closed)?;
        answered.await.map_err(|_| SubmitError::Closed)?
    }

    /// Tells the engine that the application has every block below `height`, from elsewhere, and
    /// that `certificate` is the one of block `height`. The engine goes on from there: it does not
    /// fetch what is before, which its peers may have let go ([`Config::retain_blocks`]), and
    /// delivers block `height` next. One that is behind what it has changes nothing.
    ///
    /// # Errors
    /// [`Error::Certificate`] if the certificate does not hold, [`Error::Stopped`] if consensus has
    /// stopped.
    pub async fn advance(&self, height: Height, certificate: &Certificate) -> Result<(), Error> {
        certificate.verify(self.network, &self.validators)?;
        let finalization = convert::finalization(certificate, self.validators.len());
        let sent = self.floors.send((height, finalization)).await;
        sent.map_err(|_| Error::Stopped("it cannot advance any more".into()))
    }

    /// How far this validator is; changes are told.
    pub fn progress(&self) -> watch::Receiver<Progress> {
        self.progress.clone()
    }

    /// Resolves with the reason when consensus stops by itself, which leaves this node unable to
    /// vote; never after [`Handle::shutdown`].
    pub fn failed(&self) -> impl Future<Output = String> + Send + 'static {
        let mut outcome = self.outcome.clone();
        async move {
            loop {
                if let Some(Err(reason)) = outcome.borrow_and_update().clone() {
                    return reason;
                }
                if outcome.changed().await.is_err() {
                    break;
                }
            }
            futures::future::pending().await
        }
    }

    /// Stops and waits until the journals are closed.
    ///
    /// # Errors
    /// [`Error::Stopped`] if it had stopped by itself.
    pub async fn shutdown(mut self) -> Result<(), Error> {
        self.stop.take();
        let mut outcome = self.outcome.clone();
        let result = match outcome.wait_for(Option::is_some).await {
            Ok(result) => result.clone().expect("waited for"),
            Err(_) => Err("its thread is gone".to_string()),
        };
        result.map_err(Error::Stopped)
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        self.stop.take();
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the thread of consensus panicked");
        }
    }
}
