//! What a store of wasmtime carries for its guest.

use super::World;
use crate::bounds::Bounds;
use wasmtime::Memory;

/// One guest, from the host's side.
pub(crate) struct Host {
    /// Absent while a call of a component has it.
    world: Option<Box<World>>,
    pub(crate) bounds: Bounds,
    /// A module's memory, once a call has asked for it.
    pub(crate) memory: Option<Memory>,
}

impl Host {
    pub(crate) fn new(world: World, bounds: Bounds) -> Self {
        Self { world: Some(Box::new(world)), bounds, memory: None }
    }

    pub(crate) fn world_mut(&mut self) -> &mut World {
        self.world.as_mut().expect("no call begins within a call")
    }

    /// Takes the world out, so that it can be changed while the guest's memory is read.
    pub(crate) fn take_world(&mut self) -> Box<World> {
        self.world.take().expect("no call begins within a call")
    }

    pub(crate) fn put_world(&mut self, world: Box<World>) {
        self.world = Some(world);
    }

    pub(crate) fn into_world(self) -> World {
        *self.world.expect("no call outlives the run")
    }
}
