//! From a host call of wasmtime to a method over the guest's memory and world.

use super::{
    Host, World, cost,
    errno::{Answer, Fault},
    memory::GuestMemory,
    meter::Meter,
};
use crate::stop::Stop;
use protocol::NoResult;
use wasmtime::{Caller, Error, Memory, Result};

/// One host call: its arguments are checked against `memory`, its work is paid for with `meter`.
pub(crate) struct Call<'a> {
    pub(crate) memory: GuestMemory<'a>,
    pub(crate) world: &'a mut World,
    pub(crate) meter: Meter,
}

impl Call<'_> {
    /// Pays for `count` times `price`.
    pub(crate) fn pay(&mut self, count: usize, price: u64) -> Answer {
        Ok(self.meter.pay((count as u64).saturating_mul(price))?)
    }
}

/// Runs one host call and gives the guest its error number, 0 for success.
pub(crate) fn enter(
    caller: &mut Caller<'_, Host>,
    method: impl FnOnce(&mut Call<'_>) -> Answer,
) -> Result<u32> {
    let memory = memory_of(caller)?;
    let left = caller.get_fuel()?;
    let (bytes, host) = memory.data_and_store_mut(&mut *caller);
    let (memory, world) = (GuestMemory::new(bytes), host.world_mut());
    let mut call = Call { memory, world, meter: Meter::new(left) };
    let answer = call.pay(1, cost::CALL).and_then(|()| method(&mut call));
    let left = call.meter.left();
    caller.set_fuel(left)?;
    match answer {
        Ok(()) => Ok(0),
        Err(Fault::Errno(errno)) => Ok(errno as u32),
        Err(Fault::Stop(stop)) => Err(Error::new(stop)),
    }
}

/// The memory that every accepted program exports. It is looked up once for each guest, and not
/// before a call, as a start function may call before there is an instance to ask.
fn memory_of(caller: &mut Caller<'_, Host>) -> Result<Memory> {
    if let Some(memory) = caller.data().memory {
        return Ok(memory);
    }
    let export = caller.get_export("memory").and_then(|export| export.into_memory());
    let memory = export.ok_or(Error::new(Stop::NoResult(NoResult::BadProgram)))?;
    caller.data_mut().memory = Some(memory);
    Ok(memory)
}
