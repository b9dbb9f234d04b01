//! Memory and tables of one guest, bounded.

use crate::stop::Stop;
use protocol::NoResult;
use wasmtime::{Error, ResourceLimiter, Result};

/// Tables that a program may declare.
pub(crate) const TABLES: u32 = 64;
/// Elements that all tables of a program may have together.
pub(crate) const TABLE_ELEMENTS: u64 = 1 << 20;

/// Instances of modules that a component may consist of.
pub(crate) const INSTANCES: u64 = 128;
/// Bytes of these modules, counted for each instance: what wasmtime keeps for one grows with them.
pub(crate) const INSTANTIATED_BYTES: u64 = 2 * crate::PROGRAM_BYTES as u64;

/// Answers wasmtime whether memory and tables may grow. All memories of a program share one limit,
/// and so do its tables.
pub(crate) struct Bounds {
    memory_bytes: u64,
    table_elements: u64,
}

impl Bounds {
    pub(crate) fn new(memory_bytes: u64) -> Self {
        Self { memory_bytes, table_elements: TABLE_ELEMENTS }
    }
}

impl ResourceLimiter for Bounds {
    /// Past the program's own maximum, `memory.grow` answers -1 as in every engine; past the
    /// order's limit, the program ends.
    fn memory_growing(
        &mut self,
        current: usize,
        desired: usize,
        maximum: Option<usize>,
    ) -> Result<bool> {
        if maximum.is_some_and(|maximum| desired > maximum) {
            return Ok(false);
        }
        let more = desired.saturating_sub(current) as u64;
        self.memory_bytes =
            self.memory_bytes.checked_sub(more).ok_or(Error::new(Stop::OutOfMemory))?;
        Ok(true)
    }

    /// Growth that was allowed failed: it is the host that has no memory. Answering -1 would let
    /// the guest see that.
    fn memory_grow_failed(&mut self, error: Error) -> Result<()> {
        tracing::warn!(%error, "no memory for a guest");
        Err(Error::new(Stop::NoResult(NoResult::HostOutOfMemory)))
    }

    fn table_growing(
        &mut self,
        current: usize,
        desired: usize,
        maximum: Option<usize>,
    ) -> Result<bool> {
        if maximum.is_some_and(|maximum| desired > maximum) {
            return Ok(false);
        }
        let more = desired.saturating_sub(current) as u64;
        self.table_elements =
            self.table_elements.checked_sub(more).ok_or(Error::new(Stop::OutOfMemory))?;
        Ok(true)
    }

    fn table_grow_failed(&mut self, error: Error) -> Result<()> {
        tracing::warn!(%error, "no memory for a guest's table");
        Err(Error::new(Stop::NoResult(NoResult::HostOutOfMemory)))
    }

    // Inspection has counted before: a module is one instance with one memory and at most `TABLES`
    // tables; a component is at most `INSTANCES` such modules, and what wasmtime puts between them.
    fn instances(&self) -> usize {
        COUNT
    }

    fn tables(&self) -> usize {
        COUNT
    }

    fn memories(&self) -> usize {
        COUNT
    }
}

/// More than any program that passes inspection needs: a module has at most 100 tables.
const COUNT: usize = 128 * 100 + 1000;
