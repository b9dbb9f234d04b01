//! `wasi:io/poll` and `wasi:io/error`. Nothing here ever waits: the virtual clock is moved instead.

use super::{
    call::{Call, IoError, Thing},
    interface::interface,
};
use crate::{stop::Stop, wasi::cost};
use wasmtime::component::{Resource, WasmList};

/// Pollables of one call.
const POLLABLES: usize = 4096;

interface! { ERROR = "wasi:io/error" {
    resource "error": IoError;
    call plain "[method]error.to-debug-string" => error_text(error: Resource<IoError>);
}}

interface! { POLL = "wasi:io/poll" {
    resource "pollable": Pollable;
    call plain "[method]pollable.ready" => is_ready(pollable: Resource<Pollable>);
    call silent "[method]pollable.block" => block(pollable: Resource<Pollable>);
    call plain "poll" => poll(pollables: WasmList<Resource<Pollable>>);
}}

/// Something to wait for.
#[derive(Clone, Copy)]
pub(crate) enum Pollable {
    /// A file or a stream.
    Ready,
    /// An instant of the virtual clock, in nanoseconds.
    At(u64),
}

impl Thing for Pollable {}

impl Pollable {
    fn at_ns(self) -> u64 {
        match self {
            Self::Ready => 0,
            Self::At(at_ns) => at_ns,
        }
    }
}

impl Call<'_> {
    fn error_text(&mut self, error: Resource<IoError>) -> Result<String, Stop> {
        Ok(format!("{:?}", self.get(&error).0).to_lowercase())
    }

    fn is_ready(&mut self, pollable: Resource<Pollable>) -> Result<bool, Stop> {
        Ok(self.get(&pollable).at_ns() <= self.world.now_ns(&self.meter))
    }

    fn block(&mut self, pollable: Resource<Pollable>) -> Result<(), Stop> {
        let at_ns = self.get(&pollable).at_ns();
        self.world.sleep_until(at_ns, &self.meter);
        Ok(())
    }

    /// Files and streams are always ready. If there are only clocks, the time goes on to the
    /// earliest of them.
    fn poll(&mut self, pollables: WasmList<Resource<Pollable>>) -> Result<Vec<u32>, Stop> {
        let count = pollables.len();
        if count == 0 || count > POLLABLES {
            return Err(Stop::Breach("a poll of nothing, or of too much"));
        }
        self.pay(count, cost::ENTRY)?;
        let mut waits_ns = Vec::with_capacity(count);
        for handle in pollables.iter(&mut self.store).map_err(|_| UNREADABLE)? {
            let handle = handle.map_err(|_| UNREADABLE)?;
            let pollable = self.world.things.get(&handle).expect("a live handle names a thing");
            waits_ns.push(pollable.at_ns());
        }
        let earliest_ns = waits_ns.iter().copied().min().unwrap_or(0);
        self.world.sleep_until(earliest_ns, &self.meter);
        let now_ns = self.world.now_ns(&self.meter);
        let ready = (0..).zip(&waits_ns).filter(|(_, at_ns)| **at_ns <= now_ns);
        Ok(ready.map(|(index, _)| index).collect())
    }
}

const UNREADABLE: Stop = Stop::Breach("a poll of something that is no pollable");
