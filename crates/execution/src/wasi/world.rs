//! Everything that a guest can see and change, besides its own memory.

use super::{
    components,
    descriptors::Descriptors,
    errno::Errno,
    files::Object,
    meter::Meter,
    output::{Budget, reserve},
    tree::{IN, OUT, Tree},
};
use crate::{Done, Order, stop::Stop};
use bytes::Bytes;
use identity::Digest;
use protocol::{End, limits};
use wasmtime::component::ResourceTable;

/// When every guest starts, and when every file was made: 2000-01-01T00:00:00Z, in nanoseconds
/// since 1970.
pub(crate) const START_NS: u64 = 946_684_800 * 1_000_000_000;

/// The program's name as the guest sees it.
const PROGRAM: &str = "program";

/// One guest's world.
pub(crate) struct World {
    pub(crate) args: Vec<String>,
    /// Each as `name=value`.
    pub(crate) env: Vec<String>,
    pub(crate) tree: Tree,
    /// What a module has open.
    pub(crate) descriptors: Descriptors,
    /// What a component has handles of.
    pub(crate) things: ResourceTable,
    pub(crate) budget: Budget,
    /// What was not read yet.
    pub(crate) stdin: Bytes,
    pub(crate) stdout: Vec<u8>,
    pub(crate) stderr: Vec<u8>,
    fuel: u64,
    slept_ns: u64,
    random: Random,
}

impl World {
    /// The world of an order; `None` if its inputs cannot be files of one directory.
    pub(crate) fn new(order: Order) -> Option<Self> {
        let env: Vec<_> = order.env.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let zero = order.args.iter().chain(&env).any(|text| text.contains('\0'));
        if order.inputs.len() > limits::INPUTS || zero {
            return None;
        }
        let mut args = vec![PROGRAM.to_owned()];
        args.extend(order.args);
        let key = Digest::of("polity guest randomness", &[order.seed.as_bytes()]);
        let mut tree = Tree::new(order.inputs)?;
        tree.hold(IN);
        tree.hold(OUT);
        Some(Self {
            args,
            env,
            tree,
            descriptors: Descriptors::new(),
            things: components::things(),
            budget: Budget::new(order.limits.output_bytes),
            stdin: order.stdin.unwrap_or_default(),
            stdout: Vec::new(),
            stderr: Vec::new(),
            fuel: order.limits.fuel,
            slept_ns: 0,
            random: Random::new(key),
        })
    }

    /// Fuel used so far: nanoseconds of the virtual processor.
    pub(crate) fn used_ns(&self, meter: &Meter) -> u64 {
        self.fuel.saturating_sub(meter.left())
    }

    /// The virtual time: one nanosecond for each unit of fuel, and the sleeps.
    pub(crate) fn now_ns(&self, meter: &Meter) -> u64 {
        START_NS.saturating_add(self.used_ns(meter)).saturating_add(self.slept_ns)
    }

    /// Lets the virtual time go on until `at_ns`, if that is later.
    pub(crate) fn sleep_until(&mut self, at_ns: u64, meter: &Meter) {
        let wait_ns = at_ns.saturating_sub(self.now_ns(meter));
        self.slept_ns = self.slept_ns.saturating_add(wait_ns);
    }

    /// Fills `bytes` from the order's stream of randomness.
    pub(crate) fn fill_random(&mut self, bytes: &mut [u8]) {
        self.random.fill(bytes);
    }

    /// Keeps what the guest writes to stdout or stderr.
    pub(crate) fn print(&mut self, error: bool, bytes: &[u8]) -> Result<(), Stop> {
        self.budget.take(bytes.len() as u64)?;
        let stream = if error { &mut self.stderr } else { &mut self.stdout };
        reserve(stream, bytes.len())?;
        stream.extend_from_slice(bytes);
        Ok(())
    }

    /// Closes a descriptor.
    pub(crate) fn close(&mut self, fd: u32) -> Result<Object, Errno> {
        let object = self.descriptors.take(fd)?;
        if let Some(node) = object.node() {
            self.tree.release(node, &mut self.budget);
        }
        Ok(object)
    }

    /// What the guest leaves behind.
    pub(crate) fn into_done(self, end: End, fuel_used: u64) -> Done {
        Done {
            end,
            fuel_used,
            stdout: self.stdout.into(),
            stderr: self.stderr.into(),
            outputs: self.tree.into_outputs(),
        }
    }
}

/// SHA-256 over a key and a counter, block after block.
struct Random {
    key: Digest,
    /// The number of the next block.
    next: u64,
    block: [u8; 32],
    /// Bytes of the block that were given.
    given: usize,
}

impl Random {
    fn new(key: Digest) -> Self {
        Self { key, next: 0, block: [0; 32], given: 32 }
    }

    fn fill(&mut self, mut bytes: &mut [u8]) {
        while !bytes.is_empty() {
            if self.given == self.block.len() {
                let mut input = [0; 40];
                input[..32].copy_from_slice(self.key.as_bytes());
                input[32..].copy_from_slice(&self.next.to_be_bytes());
                *self =
                    Self { block: Digest::plain(&input).0, given: 0, next: self.next + 1, ..*self };
            }
            let rest = &self.block[self.given..];
            let (now, later) = bytes.split_at_mut(rest.len().min(bytes.len()));
            now.copy_from_slice(&rest[..now.len()]);
            self.given += now.len();
            bytes = later;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Digest, Random};

    #[test]
    fn randomness_does_not_depend_on_how_it_is_asked_for() {
        let random = || Random::new(Digest::plain(b"seed"));
        let mut whole = [0; 100];
        random().fill(&mut whole);
        let mut parts = [0; 100];
        let mut stream = random();
        for part in parts.chunks_mut(7) {
            stream.fill(part);
        }
        assert_eq!(whole, parts);
        let mut first = [0; 40];
        first[..32].copy_from_slice(Digest::plain(b"seed").as_bytes());
        assert_eq!(whole[..32], *Digest::plain(&first).as_bytes());
    }
}
