//! Networks and disks that take time: while time is simulated nothing else does, and faults would
//! only ever come when everybody is at rest.

use crate::tests::probe::Probe;
use bytes::{Buf, Bytes};
use futures::{
    FutureExt,
    io::{AsyncRead, AsyncWrite},
};
use protocol::port::{Answer, Log, LogError, Stream};
use sim::Random;
use std::{
    io,
    ops::Range,
    pin::Pin,
    sync::{Arc, Mutex},
    task::{Context, Poll, ready},
    time::Duration,
};
use tokio::time::Sleep;

/// Bytes that arrive at once, at most.
const CHUNK_BYTES: usize = 16 << 10;

/// How long something small takes: now and then much longer than otherwise.
fn moment(random: &mut Random) -> Duration {
    match random.below(60) {
        0 => random.ms(5, 50),
        _ => random.ms(0, 3),
    }
}

async fn pass(time: Duration) {
    if !time.is_zero() {
        tokio::time::sleep(time).await;
    }
}

/// One end of a stream, which hears everything a moment after it was said.
pub(super) struct SlowStream {
    stream: Stream,
    random: Random,
    /// What has come, and is heard once its time has.
    arrived: Bytes,
    due: Option<Pin<Box<Sleep>>>,
}

impl SlowStream {
    pub(super) fn new(stream: Stream, random: Random) -> Self {
        Self { stream, random, arrived: Bytes::new(), due: None }
    }
}

impl AsyncRead for SlowStream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        out: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        let this = &mut *self;
        if this.arrived.is_empty() {
            let mut chunk = vec![0; CHUNK_BYTES];
            let count = ready!(Pin::new(&mut this.stream).poll_read(context, &mut chunk))?;
            if count == 0 {
                return Poll::Ready(Ok(0));
            }
            chunk.truncate(count);
            this.arrived = chunk.into();
            let time = moment(&mut this.random);
            this.due = (!time.is_zero()).then(|| Box::pin(tokio::time::sleep(time)));
        }
        if let Some(due) = &mut this.due {
            ready!(due.as_mut().poll(context));
            this.due = None;
        }
        let count = this.arrived.len().min(out.len());
        this.arrived.copy_to_slice(&mut out[..count]);
        Poll::Ready(Ok(count))
    }
}

impl AsyncWrite for SlowStream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_close(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_close(context)
    }
}

/// A disk on which a write is neither begun at once nor answered for once it is done.
pub(super) struct SlowLog {
    log: Arc<Probe>,
    random: Mutex<Random>,
}

impl SlowLog {
    pub(super) fn new(log: Arc<Probe>, random: Random) -> Self {
        Self { log, random: Mutex::new(random) }
    }

    fn slowly(
        &self,
        write: Answer<'static, Result<(), LogError>>,
    ) -> Answer<'static, Result<(), LogError>> {
        let (before, after) = {
            let mut random = self.random.lock().unwrap();
            (moment(&mut random), moment(&mut random))
        };
        async move {
            pass(before).await;
            write.await?;
            pass(after).await;
            Ok(())
        }
        .boxed()
    }
}

impl Log for SlowLog {
    fn append(&self, first: u64, entries: Vec<Bytes>) -> Answer<'static, Result<(), LogError>> {
        self.slowly(self.log.append(first, entries))
    }

    fn read(&self, range: Range<u64>) -> Answer<'static, Result<Vec<Bytes>, LogError>> {
        self.log.read(range)
    }

    fn range(&self) -> Range<u64> {
        self.log.range()
    }

    fn truncate(&self, index: u64) -> Answer<'static, Result<(), LogError>> {
        self.slowly(self.log.truncate(index))
    }

    fn purge(&self, index: u64) -> Answer<'static, Result<(), LogError>> {
        self.slowly(self.log.purge(index))
    }

    fn set(&self, name: &'static str, value: Bytes) -> Answer<'static, Result<(), LogError>> {
        self.slowly(self.log.set(name, value))
    }

    fn value(&self, name: &'static str) -> Answer<'static, Result<Option<Bytes>, LogError>> {
        self.log.value(name)
    }
}
