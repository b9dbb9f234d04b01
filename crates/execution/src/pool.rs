//! The threads that programs run on: few, of their own, behind a bounded queue.

use crate::{Error, Order, Ran};
use protocol::NoResult;
use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
        mpsc::{Receiver, SyncSender, TrySendError, sync_channel},
    },
    thread::JoinHandle,
};
use tokio::sync::oneshot;

/// Stack of a thread: the guest's, and as much again for the host's frames.
const STACK_BYTES: usize = 2 * crate::settings::STACK_BYTES;

/// Tells a run that nobody waits for it any more.
#[derive(Clone, Default)]
pub(crate) struct Cancel(Arc<AtomicBool>);

impl Cancel {
    pub(crate) fn cancel(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    pub(crate) fn is_cancelled(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// Cancels when it is dropped, as an unfinished future is.
struct CancelOnDrop(Cancel);

impl Drop for CancelOnDrop {
    fn drop(&mut self) {
        self.0.cancel();
    }
}

struct Work {
    order: Order,
    cancel: Cancel,
    answer: oneshot::Sender<Ran>,
}

/// Runs orders with one function, on its own threads.
pub(crate) struct Pool {
    queue: Option<SyncSender<Work>>,
    threads: Vec<JoinHandle<()>>,
}

impl Pool {
    /// Starts `threads` threads that call `run` with an order and what tells that it is cancelled.
    pub(crate) fn start(
        threads: usize,
        queue: usize,
        run: impl Fn(Order, Cancel) -> Ran + Send + Sync + 'static,
    ) -> Result<Self, Error> {
        let (sender, receiver) = sync_channel(queue);
        let (receiver, run) = (Arc::new(Mutex::new(receiver)), Arc::new(run));
        let mut pool = Self { queue: Some(sender), threads: Vec::new() };
        for number in 0..threads {
            let (receiver, run) = (receiver.clone(), run.clone());
            let thread = std::thread::Builder::new()
                .name(format!("guest-{number}"))
                .stack_size(STACK_BYTES)
                .spawn(move || serve(&receiver, &*run))
                .map_err(Error::Thread)?;
            pool.threads.push(thread);
        }
        Ok(pool)
    }

    /// Runs an order. Dropping the future cancels it.
    pub(crate) async fn run(&self, order: Order) -> Ran {
        let (answer, answered) = oneshot::channel();
        let cancel = CancelOnDrop(Cancel::default());
        let work = Work { order, cancel: cancel.0.clone(), answer };
        let Some(queue) = &self.queue else { return Ran::NoResult(NoResult::Cancelled) };
        match queue.try_send(work) {
            Ok(()) => {}
            Err(TrySendError::Full(_)) => return Ran::NoResult(NoResult::Busy),
            Err(TrySendError::Disconnected(_)) => return Ran::NoResult(NoResult::Cancelled),
        }
        answered.await.unwrap_or(Ran::NoResult(NoResult::Cancelled))
    }
}

impl Drop for Pool {
    /// Waits for the threads. Nobody waits for them, so what they run is cancelled, and stops
    /// within a tick.
    fn drop(&mut self) {
        self.queue = None;
        for thread in self.threads.drain(..) {
            if thread.join().is_err() {
                tracing::error!("a thread that runs programs panicked");
            }
        }
    }
}

fn serve(queue: &Mutex<Receiver<Work>>, run: &(impl Fn(Order, Cancel) -> Ran + Send + Sync)) {
    loop {
        // The lock is held while waiting: the other threads wait for it instead of for the queue.
        let next = queue.lock().unwrap_or_else(PoisonError::into_inner).recv();
        let Ok(Work { order, cancel, answer }) = next else { return };
        let program = order.program;
        let ran = if cancel.is_cancelled() {
            Ran::NoResult(NoResult::Cancelled)
        } else {
            catch_unwind(AssertUnwindSafe(|| run(order, cancel))).unwrap_or_else(|_| {
                tracing::error!(%program, "running a program panicked");
                Ran::NoResult(NoResult::HostFailure)
            })
        };
        if answer.send(ran).is_err() {
            tracing::debug!(%program, "nobody waits for this result");
        }
    }
}
