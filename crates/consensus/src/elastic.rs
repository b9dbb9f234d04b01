//! A runtime whose clock is the engine's own time; everything else is the runtime underneath.

use crate::pace::Pace;
use commonware_macros::select;
use commonware_runtime::{
    BlobVersion, Clock, Error, Handle, Metrics, Name, Spawner, Storage, Supervisor, signal,
    telemetry::metrics::{Metric, Registered},
};
use rand_core::{CryptoRng, TryCryptoRng, TryRng};
use std::{
    convert::Infallible,
    fmt::Display,
    future::Future,
    ops::RangeInclusive,
    sync::Arc,
    time::{Duration, SystemTime},
};

/// What the engine needs of a runtime; both of commonware's have it.
pub(crate) trait Runtime: Clock + CryptoRng + Metrics + Spawner + Storage {}
impl<E: Clock + CryptoRng + Metrics + Spawner + Storage> Runtime for E {}

/// A runtime at another pace.
pub(crate) struct Elastic<E> {
    inner: E,
    /// The runtime's own clock, for futures that outlive this handle.
    wall: Arc<E>,
    pace: Arc<Pace>,
}

impl<E: Runtime> Elastic<E> {
    pub(crate) fn new(inner: E, pace: Arc<Pace>) -> Self {
        let wall = Arc::new(inner.child("wall"));
        Self { inner, wall, pace }
    }

    fn with(&self, inner: E) -> Self {
        Self { inner, wall: self.wall.clone(), pace: self.pace.clone() }
    }
}

impl<E: Runtime> Clock for Elastic<E> {
    fn current(&self) -> SystemTime {
        self.pace.engine_time(self.wall.current())
    }

    fn sleep(&self, duration: Duration) -> impl Future<Output = ()> + Send + 'static + use<E> {
        self.sleep_until(self.current() + duration)
    }

    fn sleep_until(
        &self,
        deadline: SystemTime,
    ) -> impl Future<Output = ()> + Send + 'static + use<E> {
        let (wall, pace) = (self.wall.clone(), self.pace.clone());
        async move {
            loop {
                let seen = pace.changes().count();
                let Some(wait) = pace.wall_until(wall.current(), deadline) else { return };
                select! {
                    _ = pace.changes().after(seen) => {},
                    _ = wall.sleep(wait) => {},
                }
            }
        }
    }
}

impl<E: Runtime> governor::clock::Clock for Elastic<E> {
    type Instant = SystemTime;

    fn now(&self) -> SystemTime {
        self.current()
    }
}

impl<E: Runtime> governor::clock::ReasonablyRealtime for Elastic<E> {}

impl<E: Runtime> Supervisor for Elastic<E> {
    fn name(&self) -> Name {
        self.inner.name()
    }

    fn child(&self, label: &'static str) -> Self {
        self.with(self.inner.child(label))
    }

    fn with_attribute(self, key: &'static str, value: impl Display) -> Self {
        let Self { inner, wall, pace } = self;
        Self { inner: inner.with_attribute(key, value), wall, pace }
    }
}

impl<E: Runtime> Spawner for Elastic<E> {
    fn shared(self, blocking: bool) -> Self {
        let Self { inner, wall, pace } = self;
        Self { inner: inner.shared(blocking), wall, pace }
    }

    fn dedicated(self) -> Self {
        let Self { inner, wall, pace } = self;
        Self { inner: inner.dedicated(), wall, pace }
    }

    fn spawn<F, Fut, T>(self, f: F) -> Handle<T>
    where
        F: FnOnce(Self) -> Fut + Send + 'static,
        Fut: Future<Output = T> + Send + 'static,
        T: Send + 'static,
    {
        let Self { inner, wall, pace } = self;
        inner.spawn(move |inner| f(Self { inner, wall, pace }))
    }

    fn stop(
        self,
        value: i32,
        timeout: Option<Duration>,
    ) -> impl Future<Output = Result<(), Error>> + Send {
        self.inner.stop(value, timeout)
    }

    fn stopped(&self) -> signal::Signal {
        self.inner.stopped()
    }
}

impl<E: Runtime> Metrics for Elastic<E> {
    fn register<N: Into<String>, H: Into<String>, M: Metric>(
        &self,
        name: N,
        help: H,
        metric: M,
    ) -> Registered<M> {
        self.inner.register(name, help, metric)
    }

    fn encode(&self) -> String {
        self.inner.encode()
    }
}

impl<E: Runtime> TryRng for Elastic<E> {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        Ok(self.inner.next_u32())
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        Ok(self.inner.next_u64())
    }

    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), Infallible> {
        self.inner.fill_bytes(bytes);
        Ok(())
    }
}

impl<E: Runtime> TryCryptoRng for Elastic<E> {}

impl<E: Runtime> Storage for Elastic<E> {
    type Blob = E::Blob;

    fn open_versioned(
        &self,
        partition: &str,
        name: &[u8],
        versions: RangeInclusive<BlobVersion>,
    ) -> impl Future<Output = Result<(Self::Blob, u64, BlobVersion), Error>> + Send {
        self.inner.open_versioned(partition, name, versions)
    }

    fn remove(
        &self,
        partition: &str,
        name: Option<&[u8]>,
    ) -> impl Future<Output = Result<(), Error>> + Send {
        self.inner.remove(partition, name)
    }

    fn scan(&self, partition: &str) -> impl Future<Output = Result<Vec<Vec<u8>>, Error>> + Send {
        self.inner.scan(partition)
    }
}
