//! From a host call of a component to a method over the guest's memory and world.

use super::{
    super::{
        Host, World, cost,
        errno::{Answer, Errno, Fault},
        meter::Meter,
    },
    types::{ErrorCode, StreamError},
};
use crate::stop::Stop;
use wasmtime::{
    AsContextMut, Error, Result, StoreContextMut,
    component::{Resource, WasmStr},
};

/// One host call: its work is paid for with `meter`.
pub(crate) struct Call<'a> {
    pub(crate) world: &'a mut World,
    pub(crate) meter: Meter,
    /// Where the guest's memory is seen.
    pub(crate) store: StoreContextMut<'a, Host>,
}

/// What a handle of a component names.
pub(crate) trait Thing: Send + Sized + 'static {
    /// The guest dropped its handle.
    fn close(self, _world: &mut World) {}
}

/// `wasi:io/error.error`: why an operation on a stream failed.
pub(crate) struct IoError(pub(crate) Errno);

impl Thing for IoError {}

/// Why an operation on a stream does not succeed.
pub(crate) enum Broken {
    Closed,
    Failed(Errno),
    Stop(Stop),
}

impl From<Fault> for Broken {
    fn from(fault: Fault) -> Self {
        match fault {
            Fault::Errno(errno) => Self::Failed(errno),
            Fault::Stop(stop) => Self::Stop(stop),
        }
    }
}

impl From<Stop> for Broken {
    fn from(stop: Stop) -> Self {
        Self::Stop(stop)
    }
}

impl Call<'_> {
    /// Pays for `count` times `price`.
    pub(crate) fn pay(&mut self, count: usize, price: u64) -> Result<(), Stop> {
        self.meter.pay((count as u64).saturating_mul(price))
    }

    /// Gives the guest a handle.
    pub(crate) fn push<T: Thing>(&mut self, thing: T) -> Result<Resource<T>, Stop> {
        self.world.things.push(thing).map_err(|_| Stop::OutOfMemory)
    }

    /// What a handle names. Wasmtime lets no handle through that is not live and of this type.
    pub(crate) fn get<T: Thing>(&self, handle: &Resource<T>) -> &T {
        self.world.things.get(handle).expect("a live handle names a thing")
    }

    pub(crate) fn get_mut<T: Thing>(&mut self, handle: &Resource<T>) -> &mut T {
        self.world.things.get_mut(handle).expect("a live handle names a thing")
    }

    /// A text of the guest. That it is one is found out by reading it, so it is paid for afterwards.
    pub(crate) fn text(&mut self, text: &WasmStr) -> Result<String, Stop> {
        let text = text.to_str(&self.store).map_err(|_| Stop::Breach("a string is no Unicode"))?;
        self.meter.pay((text.len() as u64).saturating_mul(cost::PATH_BYTE))?;
        Ok(text.into_owned())
    }
}

/// A call that has nothing to say.
pub(super) fn silent(
    store: StoreContextMut<'_, Host>,
    method: impl FnOnce(&mut Call<'_>) -> Result<(), Stop>,
) -> Result<()> {
    enter(store, method)
}

/// A call that cannot fail.
pub(super) fn plain<T>(
    store: StoreContextMut<'_, Host>,
    method: impl FnOnce(&mut Call<'_>) -> Result<T, Stop>,
) -> Result<(T,)> {
    Ok((enter(store, method)?,))
}

/// A call that fails with the error code of a filesystem.
pub(super) fn file<T>(
    store: StoreContextMut<'_, Host>,
    method: impl FnOnce(&mut Call<'_>) -> Answer<T>,
) -> Result<(Result<T, ErrorCode>,)> {
    plain(store, |call| match method(call) {
        Ok(value) => Ok(Ok(value)),
        Err(Fault::Errno(errno)) => Ok(Err(errno.into())),
        Err(Fault::Stop(stop)) => Err(stop),
    })
}

/// A call that fails with the error of a stream.
pub(super) fn stream<T>(
    store: StoreContextMut<'_, Host>,
    method: impl FnOnce(&mut Call<'_>) -> Result<T, Broken>,
) -> Result<(Result<T, StreamError>,)> {
    plain(store, |call| match method(call) {
        Ok(value) => Ok(Ok(value)),
        Err(Broken::Closed) => Ok(Err(StreamError::Closed)),
        Err(Broken::Failed(errno)) => {
            Ok(Err(StreamError::LastOperationFailed(call.push(IoError(errno))?)))
        }
        Err(Broken::Stop(stop)) => Err(stop),
    })
}

/// The guest dropped its last handle of a thing.
pub(super) fn close<T: Thing>(store: StoreContextMut<'_, Host>, handle: u32) -> Result<()> {
    enter(store, |call| {
        let handle = Resource::<T>::new_own(handle);
        let thing = call.world.things.delete(handle).expect("a live handle names a thing");
        thing.close(call.world);
        Ok(())
    })
}

/// Runs one host call. The world is out of the store meanwhile, so that methods can change it while
/// they read the guest's memory.
fn enter<T>(
    mut store: StoreContextMut<'_, Host>,
    method: impl FnOnce(&mut Call<'_>) -> Result<T, Stop>,
) -> Result<T> {
    let left = store.get_fuel()?;
    let mut world = store.data_mut().take_world();
    let mut call =
        Call { world: &mut world, meter: Meter::new(left), store: store.as_context_mut() };
    let answer = call.pay(1, cost::CALL).and_then(|()| method(&mut call));
    let left = call.meter.left();
    store.data_mut().put_world(world);
    store.set_fuel(left)?;
    answer.map_err(Error::new)
}
