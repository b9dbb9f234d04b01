//! Jobs that wait because their submitters want it.

use crate::{worker::Manner::Honest, world::World};
use protocol::JobEvent;
use work::{Config, Input};

#[test]
fn a_paused_job_ends_what_runs_and_begins_nothing_until_it_is_resumed() {
    for verification in ["single", "2of3"] {
        let config = Config { node_tasks: 2, ..Config::default() };
        let mut world = World::scored(&[Honest; 3], &[0, 1, 2], config);
        world.connect_all();
        let job = world.submit(30, verification);
        let begun = world.started().len();
        world.step(Input::Pause { job });
        world.settle();
        assert_eq!(world.started().len(), begun, "{verification}");
        assert!(world.work.job(&job).unwrap().is_paused());
        assert!(world.work.position(&job).unwrap().paused);
        assert_eq!(world.work.totals().paused, 1);
        let settled = world.work.job(&job).unwrap().progress().settled;
        assert!(settled > 0 && settled < 30, "{verification}: {settled}");
        let other = world.submit(5, verification);
        world.finish(other);
        world.restart();
        world.connect_all();
        world.step(Input::Resume { job });
        world.finish(job);
        assert!((0..30).all(|task| world.is_final(job, task)));
        let told: Vec<_> = world.events.iter().map(|(_, event)| event).collect();
        assert!(told.contains(&&JobEvent::Paused) && told.contains(&&JobEvent::Resumed));
    }
}

#[test]
fn a_replica_that_is_lost_while_its_job_is_paused_is_replaced_when_it_goes_on() {
    let mut world = World::scored(&[Honest; 4], &[0, 1, 2, 3], Config::default());
    world.connect_all();
    let job = world.submit(1, "2of3");
    let (_, _, lost) = world.started()[1];
    let lost = if lost == world.me() { world.started()[0].2 } else { lost };
    world.letters.clear();
    world.step(Input::Pause { job });
    world.disconnect(lost);
    world.tick();
    assert_eq!(world.started().len(), 2, "nobody new was asked");
    world.step(Input::Resume { job });
    assert_eq!(world.started().len(), 3);
    world.connect(lost);
    world.restart();
    world.connect_all();
    world.finish(job);
    assert!(world.is_final(job, 0));
}

#[test]
fn a_paused_job_can_be_taken_back_and_expires_like_any_other() {
    let mut world = World::scored(&[Honest; 2], &[0, 1], Config::default());
    let (first, second) = (world.submit(100, "2of2"), world.submit(100, "2of2"));
    for job in [first, second] {
        world.step(Input::Pause { job });
        world.step(Input::Pause { job });
    }
    world.step(Input::Cancel { job: first });
    world.finish(first);
    world.finish(second);
    assert_eq!(world.work.job(&second).unwrap().progress().unsettled, 100);
}
