//! A home that is killed in the middle of a sweep goes on with it, forgets nothing of it, and knows
//! its results afterwards.

use super::society::{Node, brisk, door::Door, found, now, program, until, up_all};
use api::{Code, TaskState};
use bytes::Bytes;
use cli::data::DataDir;
use identity::{Digest, Signed};
use objects::Cid;
use protocol::{
    Height, Job, JobEvent, JobId, Limits, Placement, TaskIndex, TaskKey, TaskSpec, TaskTable,
    Unsettled, Verification,
};
use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

/// Tasks of the sweep.
const TASKS: u32 = 2_000;
/// So many are final when the home is killed.
const MIDDLE: usize = 300;
/// Writes its arguments to stdout.
const ECHO: &str = r#"(module
  (import "wasi_snapshot_preview1" "args_sizes_get" (func $sizes (param i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "args_get" (func $args (param i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_write"
    (func $write (param i32 i32 i32 i32) (result i32)))
  (memory (export "memory") 1)
  (func (export "_start")
    (drop (call $sizes (i32.const 0) (i32.const 4)))
    (drop (call $args (i32.const 16) (i32.const 1024)))
    (i32.store (i32.const 8) (i32.const 1024))
    (i32.store (i32.const 12) (i32.load (i32.const 4)))
    (drop (call $write (i32.const 1) (i32.const 8) (i32.const 1) (i32.const 32)))))"#;

/// A program, and its tasks.
struct Sweep {
    order: Job,
    table: TaskTable,
    blobs: Vec<(Cid, Bytes)>,
}

impl Sweep {
    /// Tasks that differ in their names, which are their argument.
    fn new(home: &Path, program: &[u8], tasks: u32, nonce: u8) -> Self {
        let data = DataDir::at(home);
        let status = Door::of(home).status();
        let spec = |n: u32| TaskSpec {
            name: format!("case-{n}"),
            inputs: Vec::new(),
            stdin: None,
            params: Vec::new(),
        };
        let table = TaskTable::of(vec!["{}".into()], (0..tasks).map(spec).collect());
        let (program, blocks) = objects::file(&Bytes::copy_from_slice(program));
        let mut blobs: Vec<_> = blocks.into_iter().map(|block| (block.cid, block.bytes)).collect();
        blobs.push((table.cid(), identity::canonical::encode(&table).into()));
        let issued = now();
        let order = Job {
            network: data.genesis().unwrap().expect("it belongs to one").network(),
            home: status.node,
            program: program.cid,
            table: table.cid(),
            tasks,
            engine: status.fingerprint,
            seed: Digest([0; 32]),
            limits: Limits::default(),
            placement: Placement::Fast,
            verification: Verification { k: 2, n: 2 },
            issued,
            expires: issued.after_ms(600_000),
            nonce: Digest([nonce; 32]),
            terms: protocol::Terms::default(),
        };
        Self { order, table, blobs }
    }

    fn id(&self) -> JobId {
        self.order.id()
    }

    fn hold(&self, home: &Path, after: &[JobId]) -> Result<(), Code> {
        let owner = DataDir::at(home).owner_key().unwrap().expect("a founder has it");
        let order = Signed::new(self.order.clone(), self.order.network, &owner);
        let held = Door::of(home).hold(order, after.to_vec(), self.blobs.clone());
        held.map_err(|error| error.code)
    }

    fn keys(&self) -> Vec<TaskKey> {
        self.table.tasks().map(|task| self.order.key_of(&self.table, &task)).collect()
    }
}

/// Two owners, of whom the first one's node votes: it is killed and comes back.
struct Home {
    data: PathBuf,
    node: Option<Node>,
    _other: Node,
}

impl Home {
    fn up(dir: &Path) -> Self {
        let homes = found(dir, 2, 1, brisk());
        let mut nodes = up_all(dir, &homes);
        nodes.iter_mut().for_each(|node| node.ready(2));
        let other = nodes.pop().unwrap();
        Self { data: homes[0].clone(), node: nodes.pop(), _other: other }
    }

    fn die_and_return(&mut self) {
        let data = self.node.take().expect("it is up").kill();
        self.node.insert(Node::up(&data, &[], None)).ready(2);
    }

    fn door(&self) -> Door {
        Door::of(&self.data)
    }
}

/// Where each task is final, of a job that was told from its admission to its end, each thing once.
fn finals(events: &[JobEvent], job: JobId) -> BTreeMap<TaskIndex, Height> {
    assert!(
        matches!(events[0], JobEvent::Admitted { job: of, .. } if of == job),
        "{:?}",
        events[0]
    );
    let (mut agreed, mut finals) = (BTreeSet::new(), BTreeMap::new());
    for event in &events[1..] {
        match event {
            JobEvent::Admitted { .. } => panic!("it is admitted once"),
            JobEvent::Agreed { outcome, .. } => {
                assert!(agreed.insert(outcome.task), "{} is agreed on twice", outcome.task);
            }
            JobEvent::Final { tasks, height } => {
                for task in tasks {
                    assert!(agreed.contains(task), "{task} is final before it is agreed on");
                    assert_eq!(finals.insert(*task, *height), None, "{task} is final twice");
                }
            }
            JobEvent::Unsettled { task, why } => panic!("{task}: {why:?}"),
            _ => {}
        }
    }
    assert!(matches!(events.last(), Some(JobEvent::Finished { unsettled: 0, .. })));
    finals
}

#[test]
fn a_sweep_survives_the_death_of_its_home_and_is_known_afterwards() {
    let dir = tempfile::tempdir().unwrap();
    let mut home = Home::up(dir.path());
    let echo = wat::parse_str(ECHO).unwrap();
    let sweep = Sweep::new(&home.data, &echo, TASKS, 1);
    sweep.hold(&home.data, &[]).unwrap();
    let next = Sweep::new(&home.data, &echo, 2, 2);
    next.hold(&home.data, &[sweep.id()]).unwrap();

    let mut count = 0;
    home.door().hear(sweep.id(), |event| {
        if let JobEvent::Final { tasks, .. } = event {
            count += tasks.len();
        }
        count >= MIDDLE
    });
    let detail = home.door().job(next.id());
    assert_eq!((detail.after, detail.drawn), (vec![sweep.id()], None));
    let held = format!("held until job {} has ended well", sweep.id());
    assert_eq!(detail.tasks[0].state, TaskState::Waiting { why: held });
    home.die_and_return();

    let finals_of_sweep = finals(&home.door().hear(sweep.id(), |_| false), sweep.id());
    assert_eq!(finals_of_sweep.len(), TASKS as usize);
    assert_eq!(finals(&home.door().hear(next.id(), |_| false), next.id()).len(), 2);
    // Told from the receipt, it is the same.
    home.die_and_return();
    let again = finals(&home.door().hear(sweep.id(), |_| false), sweep.id());
    assert_eq!(again, finals_of_sweep);

    let other = Sweep::new(&home.data, &echo, TASKS + 1, 3);
    let keys = other.keys();
    let known = until("all results to be here", || {
        let known = home.door().known(&keys);
        let (of_sweep, new) = known.split_at(TASKS as usize);
        assert_eq!(new, [None], "nobody ran that one");
        of_sweep.iter().all(Option::is_some).then_some(known)
    });
    let receipt = home.door().receipt(sweep.id());
    let report = receipt.verify(None).unwrap();
    for (task, known) in (0..).map(TaskIndex).zip(known.iter().flatten()) {
        assert_eq!((known.task, known.verification.k), (task, 2));
        // The held job ran the first two once more.
        let again = task.0 < 2 && known.job == next.id();
        assert!(again || known.job == sweep.id());
        assert!(again || known.height == report.settled[&task].height);
    }
}

#[test]
fn an_order_is_held_only_for_what_its_home_knows_and_ends_with_what_failed() {
    let dir = tempfile::tempdir().unwrap();
    let home = Home::up(dir.path());
    // It finds no input, and ends with an error.
    let copy = fs::read(program(dir.path())).unwrap();
    let failing = Sweep::new(&home.data, &copy, 1, 1);
    let held = Sweep::new(&home.data, &copy, 2, 2);
    assert_eq!(held.hold(&home.data, &[failing.id()]), Err(Code::NotFound));
    assert_eq!(held.hold(&home.data, &[held.id()]), Err(Code::NotFound));
    assert_eq!(held.hold(&home.data, &[failing.id(); 65]), Err(Code::TooLarge));
    failing.hold(&home.data, &[]).unwrap();
    held.hold(&home.data, &[failing.id()]).unwrap();
    let events = home.door().hear(held.id(), |_| false);
    let why = |event: &JobEvent| match event {
        JobEvent::Unsettled { why, .. } => Some(why.clone()),
        _ => None,
    };
    let told: Vec<_> = events.iter().filter_map(why).collect();
    assert_eq!(told, [Unsettled::After(failing.id()), Unsettled::After(failing.id())]);
    let report = home.door().receipt(held.id()).verify(None).unwrap();
    assert_eq!(report.unsettled.len(), 2);
    assert_eq!(home.door().known(&failing.keys()), [None], "a failure is never known");
}
