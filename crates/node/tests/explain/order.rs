//! Orders that the command line would not give: made by hand, handed in at the door.

use super::society::{Node, door::Door, now};
use cli::data::DataDir;
use identity::{Digest, Signed};
use objects::{Cid, file};
use protocol::{Job, JobId, Limits, Placement, TaskSpec, TaskTable, Terms, Verification};
use std::sync::atomic::{AtomicU64, Ordering};

/// Ends at once, with 0.
pub(crate) const NOTHING: &str =
    r#"(module (memory (export "memory") 1) (func (export "_start")))"#;

/// Counts, so many times ten million.
pub(crate) fn counting(tens_of_millions: u64) -> String {
    format!(
        r#"(module (memory (export "memory") 1) (func (export "_start") (local $i i64)
          (loop $again
            (local.set $i (i64.add (local.get $i) (i64.const 1)))
            (br_if $again (i64.lt_u (local.get $i) (i64.const {tens_of_millions}0000000))))))"#
    )
}

/// Prints eight bytes that are others for every seed.
pub(crate) const RANDOM: &str = r#"(module
  (import "wasi_snapshot_preview1" "random_get" (func $random (param i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
  (memory (export "memory") 1)
  (func (export "_start")
    (drop (call $random (i32.const 64) (i32.const 8)))
    (i32.store (i32.const 0) (i32.const 64))
    (i32.store (i32.const 4) (i32.const 8))
    (drop (call $write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 16)))))"#;

/// What is ordered.
pub(crate) struct Order<'a> {
    pub(crate) program: Vec<u8>,
    pub(crate) tasks: u32,
    pub(crate) verify: &'a str,
    pub(crate) lifetime_ms: u64,
    pub(crate) placement: Placement,
    pub(crate) engine: Digest,
    pub(crate) after: Vec<JobId>,
    pub(crate) terms: Terms,
}

impl<'a> Order<'a> {
    /// One task of a program in text form.
    pub(crate) fn of(program: &str, verify: &'a str) -> Self {
        Self {
            program: wat::parse_str(program).unwrap(),
            tasks: 1,
            verify,
            lifetime_ms: 600_000,
            placement: Placement::Fast,
            engine: execution::Engine::fingerprint(),
            after: Vec::new(),
            terms: Terms::default(),
        }
    }

    /// Hands it in at the node of its submitter.
    pub(crate) fn submit(self, home: &Node) -> JobId {
        static ORDERS: AtomicU64 = AtomicU64::new(1);
        let data = DataDir::at(&home.data);
        let (owner, node) = (data.owner_key().unwrap().unwrap(), data.node_key().unwrap().unwrap());
        let network = data.genesis().unwrap().unwrap().network();
        let task = |n: u32| TaskSpec {
            name: format!("task-{n}"),
            inputs: Vec::new(),
            stdin: None,
            params: Vec::new(),
        };
        let table = TaskTable::of(Vec::new(), (0..self.tasks).map(task).collect());
        let (program, blocks) = file(&self.program.into());
        let mut blobs: Vec<_> = blocks.into_iter().map(|block| (block.cid, block.bytes)).collect();
        blobs.push((table.cid(), identity::canonical::encode(&table).into()));
        let verification: Verification = self.verify.parse().unwrap();
        let nonce = Digest::plain(&ORDERS.fetch_add(1, Ordering::Relaxed).to_be_bytes());
        let job = Job {
            network,
            home: node.public(),
            program: program.cid,
            table: Cid::of_value(&table),
            tasks: self.tasks,
            seed: nonce,
            limits: Limits::default(),
            placement: self.placement,
            verification,
            issued: now(),
            expires: now().after_ms(self.lifetime_ms),
            engine: self.engine,
            nonce,
            terms: self.terms,
        };
        let id = job.id();
        Door::of(&home.data).hand_in(Signed::new(job, network, &owner), self.after, blobs);
        id
    }
}
