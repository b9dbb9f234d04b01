//! Threads that do blocking work for futures, behind a bounded queue.

use crate::lock::lock;
use std::{
    fmt, io,
    sync::{Arc, Mutex},
    thread,
};
use tokio::sync::{mpsc, oneshot};

/// A queue and the threads that serve it. Dropping the lane ends them, after they have done what
/// was queued.
pub(crate) struct Lane<J> {
    /// `None` only while dropping.
    queue: Option<mpsc::Sender<J>>,
    threads: Vec<thread::JoinHandle<()>>,
}

impl<J: Send + 'static> Lane<J> {
    /// One thread that takes from the queue itself.
    pub(crate) fn single(
        name: &str,
        capacity: usize,
        run: impl FnOnce(mpsc::Receiver<J>) + Send + 'static,
    ) -> io::Result<Self> {
        let (queue, jobs) = mpsc::channel(capacity);
        let thread = thread::Builder::new().name(name.into()).spawn(move || run(jobs))?;
        Ok(Self { queue: Some(queue), threads: vec![thread] })
    }

    /// Several threads that each take one job at a time.
    pub(crate) fn pool(
        name: &str,
        threads: usize,
        capacity: usize,
        work: impl Fn(J) + Send + Sync + 'static,
    ) -> io::Result<Self> {
        let (queue, jobs) = mpsc::channel(capacity);
        let jobs = Arc::new(Mutex::new(jobs));
        let work = Arc::new(work);
        let mut lane = Self { queue: Some(queue), threads: Vec::new() };
        for _ in 0..threads {
            let (jobs, work) = (jobs.clone(), work.clone());
            let run = move || {
                // The lock is given back before the work begins.
                while let Some(job) = { lock(&jobs).blocking_recv() } {
                    work(job);
                }
            };
            lane.threads.push(thread::Builder::new().name(name.into()).spawn(run)?);
        }
        Ok(lane)
    }

    /// A way into the queue for other threads of this crate. It must be gone before the lane is
    /// dropped, or that waits for ever.
    pub(crate) fn sender(&self) -> mpsc::Sender<J> {
        self.queue.clone().expect("it is there until the lane is dropped")
    }

    /// Queues a job and waits for its answer; `None` if the thread died.
    pub(crate) async fn ask<T>(&self, job: impl FnOnce(oneshot::Sender<T>) -> J) -> Option<T> {
        let (reply, answer) = oneshot::channel();
        self.queue.as_ref()?.send(job(reply)).await.ok()?;
        answer.await.ok()
    }
}

impl<J> fmt::Debug for Lane<J> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lane").field("threads", &self.threads.len()).finish()
    }
}

impl<J> Drop for Lane<J> {
    fn drop(&mut self) {
        self.queue = None;
        for thread in self.threads.drain(..) {
            if thread.join().is_err() {
                tracing::error!("a storage thread panicked; what it printed says where");
            }
        }
    }
}
