//! What was written before tasks were ranges is read, and goes on.

use crate::{worker::Manner::Honest, world::World};
use identity::canonical;
use protocol::{TaskIndex, Unsettled};
use work::{Config, Input, Progress, TaskStatus, Work};

/// Work of four nodes of four owners, one slot each: a final job of 2 tasks, a cancelled one of 9,
/// one of 12 of which four are agreed on and four at work, and a sealed one of 5 that waits for its
/// draw.
const BEFORE: &[u8] = include_bytes!("before.cbor");

fn world() -> World {
    let config = Config { node_tasks: 1, open_tasks: 4, ..Config::default() };
    World::with(&[Honest; 4], &[0, 1, 2, 3], config)
}

#[test]
fn a_snapshot_of_before_is_read_and_its_jobs_go_on_to_their_end() {
    let mut world = world();
    world.work = canonical::parse(BEFORE, BEFORE.len()).expect("the old form is read");
    let count = |tasks: u32| {
        let found = world.work.jobs().find(|(_, r)| r.order().payload.tasks == tasks);
        found.map(|(job, record)| (*job, record.progress())).unwrap()
    };
    let (done, progress) = count(2);
    assert_eq!(progress, Progress { settled: 2, ..Progress::default() });
    let (cancelled, progress) = count(9);
    assert_eq!(progress, Progress { unsettled: 9, ..Progress::default() });
    let (running, progress) = count(12);
    let expected = Progress { waiting: 4, running: 4, agreed: 4, ..Progress::default() };
    assert_eq!(progress, expected);
    let (sealed, _) = count(5);
    assert!((0..2).all(|task| world.is_final(done, task)));
    assert!((0..9).all(|task| world.why(cancelled, task) == Some(Unsettled::Cancelled)));
    assert_eq!(world.work.job(&cancelled).unwrap().unsettled().len(), 9);
    assert!(matches!(world.status(running, 11), TaskStatus::Waiting));
    assert_eq!(world.work.job(&running).unwrap().status(TaskIndex(12)), None);
    for (job, record) in world.work.jobs() {
        if let Some(height) = record.drawn() {
            let drawn = (height, world.beacon, world.ledger.roster.clone());
            world.ledger.draws.insert(*job, drawn);
        }
    }
    world.restart();
    world.connect_all();
    for job in [running, sealed] {
        world.finish(job);
        world.store(job);
    }
}

#[test]
fn what_is_read_in_the_old_form_is_written_in_the_new_one_and_is_the_same() {
    let work: Work = canonical::parse(BEFORE, BEFORE.len()).unwrap();
    let bytes = canonical::encode(&work);
    assert_ne!(bytes, BEFORE);
    assert_eq!(canonical::decode::<Work>(&bytes, bytes.len()).unwrap(), work);
}

#[test]
fn entries_of_a_log_of_before_are_read() {
    let read = |hex: &str| {
        let byte = |at: usize| u8::from_str_radix(&hex[at..at + 2], 16).unwrap();
        let bytes: Vec<u8> = (0..hex.len()).step_by(2).map(byte).collect();
        canonical::decode::<Input>(&bytes, bytes.len()).expect("an entry of a log")
    };
    assert_eq!(read("646c656164"), Input::Lead);
    assert_eq!(read("647469636b"), Input::Tick);
    let cancel = "a16663616e63656ca1636a6f62d82a58250001711220d2257996f943bfdd586643b84615b3a9a12a\
                  7b9070802efbe6df582a866c8b27";
    assert!(matches!(read(cancel), Input::Cancel { .. }));
    let connected = "a169636f6e6e656374656458200570dcb1eb368657e83f3928d57dfceff662ad642147b2711631\
                     d2c8b34e14f8";
    assert!(matches!(read(connected), Input::Connected(_)));
}

#[test]
fn a_million_tasks_cost_kilobytes_until_they_begin() {
    let mut world = world();
    let (event, size) = {
        let job = world.submit(1_000_000, "2of3");
        let size = canonical::encode(world.work.job(&job).unwrap()).len();
        assert!(size < 16 << 10, "{size} bytes");
        let empty = world.events.len();
        world.step(Input::Cancel { job });
        let ended: Vec<_> = world.events[empty..].iter().map(|(_, event)| event.clone()).collect();
        assert!(ended.len() <= 65, "one for each that began, and one: {}", ended.len());
        assert_eq!(world.work.job(&job).unwrap().progress().unsettled, 1_000_000);
        assert_eq!(world.why(job, 999_999), Some(Unsettled::Cancelled));
        (ended.last().unwrap().clone(), canonical::encode(world.work.job(&job).unwrap()).len())
    };
    let ranged = matches!(event, protocol::JobEvent::UnsettledRange { .. });
    assert!(ranged && size < 16 << 10, "{event:?}, {size} bytes");
}
