//! One run of one program, from an order to its end.

use crate::{
    Done, Order, Ran,
    bounds::Bounds,
    pool::Cancel,
    programs::Program,
    stop::Stop,
    wasi::{Host, World, components},
};
use protocol::{End, NoResult};
use std::time::{Duration, Instant};
use wasmtime::{Engine, Error, OutOfMemory, Store, UpdateDeadline};

/// When a run has to stop without a result.
#[derive(Clone)]
pub(crate) struct Until {
    /// Nobody waits any more.
    cancel: Cancel,
    /// The order's wall time is over; `None` if that is never.
    deadline: Option<Instant>,
}

impl Until {
    pub(crate) fn new(cancel: Cancel, wall_ms: u64) -> Self {
        let deadline = Instant::now().checked_add(Duration::from_millis(wall_ms));
        Self { cancel, deadline }
    }

    /// The reason to stop, if there is one now.
    pub(crate) fn reached(&self) -> Option<NoResult> {
        if self.cancel.is_cancelled() {
            return Some(NoResult::Cancelled);
        }
        self.deadline.filter(|deadline| Instant::now() >= *deadline).map(|_| NoResult::WallTime)
    }
}

/// Runs a program to its end. The epoch must be ticking.
pub(crate) fn run(engine: &Engine, program: &Program, order: Order, until: &Until) -> Ran {
    let limits = order.limits;
    let Some(world) = World::new(order) else {
        return Ran::NoResult(NoResult::Refused);
    };
    let mut store = Store::new(engine, Host::new(world, Bounds::new(limits.memory_bytes)));
    store.limiter(|host| &mut host.bounds);
    store.set_max_component_handles(components::HANDLES);
    store.set_hostcall_fuel(components::PASSED_BYTES);
    watch(&mut store, until);
    let result = store.set_fuel(limits.fuel).and_then(|()| start(&mut store, program));
    let end = match end_of(result) {
        Ok(end) => end,
        Err(reason) => return Ran::NoResult(reason),
    };
    let left = match end {
        End::OutOfFuel => 0,
        _ => store.get_fuel().expect("every engine of ours counts fuel"),
    };
    let done: Done = store.into_data().into_world().into_done(end, limits.fuel - left);
    Ran::Done(done)
}

fn start(store: &mut Store<Host>, program: &Program) -> wasmtime::Result<()> {
    match program {
        Program::Module(program) => {
            let instance = program.instantiate(&mut *store)?;
            instance.get_typed_func::<(), ()>(&mut *store, "_start")?.call(store, ())
        }
        Program::Component(program, run) => {
            let instance = program.instantiate(&mut *store)?;
            let run = instance.get_typed_func::<(), (Result<(), ()>,)>(&mut *store, run)?;
            match run.call(store, ()) {
                Ok((Ok(()),)) => Ok(()),
                Ok((Err(()),)) => Err(Error::new(Stop::Exit(1))),
                Err(error) => Err(breach(error)),
            }
        }
    }
}

/// While a component runs, wasmtime refuses what breaks the rules of the component model: a handle
/// that is none, a string that is no Unicode. Those errors have no type of their own.
fn breach(error: Error) -> Error {
    let other = error.is::<Stop>() || error.is::<wasmtime::Trap>() || error.is::<OutOfMemory>();
    if other {
        return error;
    }
    tracing::debug!(error = format!("{error:#}"), "a component broke a rule");
    Error::new(Stop::Breach("a rule of the component model"))
}

/// Lets the guest look up at every tick of the epoch.
fn watch(store: &mut Store<Host>, until: &Until) {
    let until = until.clone();
    store.set_epoch_deadline(1);
    store.epoch_deadline_callback(move |_| match until.reached() {
        None => Ok(UpdateDeadline::Continue(1)),
        Some(reason) => Err(Error::new(Stop::NoResult(reason))),
    });
}

/// The comparable end of a call into the guest, or why there is none.
fn end_of(result: wasmtime::Result<()>) -> Result<End, NoResult> {
    let Err(error) = result else { return Ok(End::Exit(0)) };
    if let Some(stop) = error.downcast_ref::<Stop>() {
        return match *stop {
            Stop::Exit(code) => Ok(End::Exit(code)),
            Stop::OutOfFuel => Ok(End::OutOfFuel),
            Stop::OutOfMemory => Ok(End::OutOfMemory),
            Stop::OutputLimit => Ok(End::OutputLimit),
            Stop::Breach(_) => Ok(End::Trap(protocol::Trap::Other)),
            Stop::NoResult(reason) => Err(reason),
        };
    }
    if let Some(trap) = error.downcast_ref::<wasmtime::Trap>() {
        return end_of_trap(*trap);
    }
    if error.is::<OutOfMemory>() {
        return Err(NoResult::HostOutOfMemory);
    }
    tracing::warn!(error = format!("{error:#}"), "a program could not be started here");
    Err(NoResult::HostFailure)
}

fn end_of_trap(trap: wasmtime::Trap) -> Result<End, NoResult> {
    use protocol::Trap as Ours;
    use wasmtime::Trap as Theirs;
    Ok(End::Trap(match trap {
        Theirs::OutOfFuel => return Ok(End::OutOfFuel),
        Theirs::StackOverflow => return Err(NoResult::StackOverflow),
        Theirs::Interrupt => return Err(NoResult::WallTime),
        Theirs::UnreachableCodeReached => Ours::Unreachable,
        Theirs::MemoryOutOfBounds => Ours::MemoryOutOfBounds,
        Theirs::TableOutOfBounds => Ours::TableOutOfBounds,
        Theirs::IndirectCallToNull => Ours::IndirectCallToNull,
        Theirs::BadSignature => Ours::BadSignature,
        Theirs::IntegerOverflow => Ours::IntegerOverflow,
        Theirs::IntegerDivisionByZero => Ours::IntegerDivisionByZero,
        Theirs::BadConversionToInteger => Ours::BadConversionToInteger,
        Theirs::NullReference => Ours::NullReference,
        Theirs::HeapMisaligned => Ours::Misaligned,
        _ => Ours::Other,
    }))
}
