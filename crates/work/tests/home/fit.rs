//! Which nodes may run a job, and when.

use crate::{worker::Manner::Honest, world::World};
use identity::PublicKey;
use protocol::{Class, JobId, Needs, Profile, Speed, TaskIndex, Terms, Time, draw::SkipReason};
use std::collections::{BTreeMap, BTreeSet};
use work::{Config, Input, Passed, Reservation, Unfit, Window};

fn profile(cores: u16) -> Profile {
    let speed = Speed { mflops: 1, memory_mib_s: 1, disk_mib_s: 1, fuel_ms: 1_000 };
    Profile {
        labels: BTreeMap::from([("zone".into(), "north".into())]),
        arch: "x86_64".into(),
        cores,
        memory_bytes: 2 << 30,
        disk_bytes: 10 << 30,
        speed: Some(speed),
        ..Profile::default()
    }
}

fn tell(world: &mut World, node: PublicKey, profile: Profile, rtt_ms: u32) {
    let profile = Box::new(profile);
    world.step(Input::Profile { node, profile, rtt_ms: Some(rtt_ms) });
}

fn begin() -> (World, Vec<PublicKey>) {
    let mut world = World::scored(&[Honest; 4], &[0, 1, 2, 3], Config::default());
    world.connect_all();
    let others = world.workers.keys().copied().filter(|node| *node != world.me()).collect();
    (world, others)
}

fn submit(world: &mut World, needs: Needs) -> JobId {
    world.submit_as(0, (1, "single"), Terms { needs, ..Terms::default() })
}

fn why(world: &World, job: JobId, node: &PublicKey) -> Option<Passed> {
    let view = world.work.placement(&job, TaskIndex(0)).unwrap();
    view.passed.into_iter().find(|(other, _)| other == node).map(|(_, why)| why)
}

#[test]
fn a_job_waits_for_a_node_that_is_what_it_needs_and_says_what_the_others_lack() {
    let (mut world, others) = begin();
    tell(&mut world, others[0], profile(4), 5);
    let all = [
        (Needs { arch: Some("riscv64".into()), ..Needs::default() }, Unfit::Arch),
        (Needs { cpus: 5, ..Needs::default() }, Unfit::Cpus),
        (Needs { gpus: 1, ..Needs::default() }, Unfit::Gpus),
        (Needs { disk_bytes: 11 << 30, ..Needs::default() }, Unfit::Disk),
        (
            Needs { near_ms: Some(4), nodes: BTreeSet::from([others[0]]), ..Needs::default() },
            Unfit::Far,
        ),
        (
            Needs { labels: BTreeMap::from([("zone".into(), "south".into())]), ..Needs::default() },
            Unfit::Label("zone".into()),
        ),
        (Needs { class: Class::Internal, ..Needs::default() }, Unfit::Class),
    ];
    for (needs, lacks) in all {
        let job = submit(&mut world, needs.clone());
        assert_eq!(why(&world, job, &others[0]), Some(Passed::Unfit(lacks)), "{needs:?}");
        if needs.class == Class::Public && needs.near_ms.is_none() {
            let unknown = Some(Passed::Unfit(Unfit::Unknown));
            assert_eq!(why(&world, job, &others[1]), unknown, "{needs:?}");
        }
    }
    let labels = BTreeMap::from([("zone".into(), "east".into())]);
    let job = submit(&mut world, Needs { labels: labels.clone(), ..Needs::default() });
    world.settle();
    assert_eq!(world.work.job(&job).unwrap().progress().waiting, 1);
    tell(&mut world, others[2], Profile { labels, ..profile(1) }, 5);
    assert_eq!(world.started().last().unwrap().2, others[2], "it is given out at once");
    world.finish(job);
    assert!(world.is_final(job, 0));
}

#[test]
fn named_owners_and_nodes_are_the_only_ones() {
    let (mut world, others) = begin();
    let owner = world.ledger.roster.node(&others[1]).unwrap().owner;
    let needs = Needs { owners: BTreeSet::from([owner]), ..Needs::default() };
    let job = submit(&mut world, needs);
    assert_eq!(world.started().last().unwrap(), &(job, TaskIndex(0), others[1]));
    assert_eq!(why(&world, job, &others[0]), Some(Passed::Unfit(Unfit::Owner)));
    let job = submit(&mut world, Needs { nodes: BTreeSet::from([others[2]]), ..Needs::default() });
    assert_eq!(world.started().last().unwrap(), &(job, TaskIndex(0), others[2]));
    // What may be shown to the own nodes, and to those of a named owner.
    let class = Class::Internal;
    let needs = Needs { owners: BTreeSet::from([owner]), class, ..Needs::default() };
    let job = submit(&mut world, needs);
    let view = world.work.placement(&job, TaskIndex(0)).unwrap();
    let fit: BTreeSet<_> = view.nodes.iter().map(|scored| scored.node).collect();
    assert_eq!(fit, BTreeSet::from([world.me(), others[1]]));
    let job = submit(&mut world, Needs { class: Class::Restricted, ..Needs::default() });
    assert_eq!(world.work.job(&job).unwrap().progress().waiting, 1, "no label yet");
    let labels = BTreeMap::from([("restricted".into(), "yes".into())]);
    let me = world.me();
    tell(&mut world, me, Profile { labels, ..profile(1) }, 0);
    assert_eq!(world.started().last().unwrap(), &(job, TaskIndex(0), me));
}

#[test]
fn a_cordoned_node_ends_what_it_has_and_is_given_nothing_until_that_is_lifted() {
    let (mut world, others) = begin();
    let only = |node| Needs { nodes: BTreeSet::from([node]), ..Needs::default() };
    let running = submit(&mut world, only(others[0]));
    world.step(Input::Cordon { node: others[0], reason: Some("a fan".into()) });
    let waiting = submit(&mut world, only(others[0]));
    let cordoned = Some(Passed::Unfit(Unfit::Cordoned("a fan".into())));
    assert_eq!(why(&world, waiting, &others[0]), cordoned);
    assert_eq!(world.work.node(&others[0]).unwrap().cordon.as_deref(), Some("a fan"));
    world.finish(running);
    assert!(world.is_final(running, 0));
    assert_eq!(world.work.job(&waiting).unwrap().progress().waiting, 1);
    world.restart();
    world.connect_all();
    assert_eq!(world.work.job(&waiting).unwrap().progress().waiting, 1, "it is remembered");
    world.step(Input::Cordon { node: others[0], reason: None });
    world.finish(waiting);
    assert!(world.is_final(waiting, 0));
}

#[test]
fn drawn_replicas_do_not_wait_for_a_node_that_is_cordoned() {
    let config = Config { node_tasks: 1, ..Config::default() };
    let mut world = World::with(&[Honest; 4], &[0, 1, 2, 3], config);
    world.connect_all();
    let job = world.submit(12, "2of3");
    let node = *world.workers.keys().find(|node| **node != world.me()).unwrap();
    world.step(Input::Cordon { node, reason: Some("away".into()) });
    world.finish(job);
    assert!((0..12).all(|task| world.is_final(job, task)));
    let given = world.started().iter().filter(|(_, _, other)| *other == node).count();
    assert!(given <= 1, "{given}");
    let record = world.work.job(&job).unwrap();
    let parts = record.included();
    let skips = parts.iter().flat_map(|part| &part.agreements.tasks).flat_map(|t| &t.skipped);
    assert!(skips.into_iter().any(|skip| skip.node == node && skip.reason == SkipReason::Unfit));
}

#[test]
fn nothing_is_given_that_would_run_into_a_window_and_all_goes_on_after_it() {
    let (mut world, others) = begin();
    let (node, now) = (others[0], world.now);
    let window = Window { from: now.after_ms(2_000), until: now.after_ms(60_000) };
    let past = Window { from: Time(1), until: Time(2) };
    world.step(Input::Windows { node, windows: vec![window, past] });
    assert_eq!(world.work.node(&node).unwrap().windows, [window]);
    let needs = Needs { nodes: BTreeSet::from([node]), ..Needs::default() };
    let job = submit(&mut world, needs);
    assert_eq!(why(&world, job, &node), Some(Passed::Unfit(Unfit::Window)), "it may take 5 s");
    world.settle();
    world.tick_until(now.after_ms(30_000));
    assert_eq!(world.work.job(&job).unwrap().progress().waiting, 1);
    world.tick_until(now.after_ms(60_000));
    world.finish(job);
    assert!(world.is_final(job, 0));
}

#[test]
fn what_a_replica_reserves_is_nobody_elses_while_it_runs() {
    let (mut world, others) = begin();
    tell(&mut world, others[0], profile(4), 1);
    tell(&mut world, others[1], profile(2), 1);
    let terms = Terms { needs: Needs { cpus: 2, ..Needs::default() }, ..Terms::default() };
    let job = world.submit_as(0, (20, "single"), terms);
    let held = |world: &World, node: &PublicKey| world.work.node(node).unwrap().cpus_taken;
    assert_eq!((held(&world, &others[0]), held(&world, &others[1])), (4, 2));
    assert_eq!(world.started().len(), 3, "2 GiB are four times the memory of one, cores are less");
    assert_eq!(why(&world, job, &others[0]), Some(Passed::Full));
    // Whoever reserves nothing shares what is there.
    let needs = Needs { nodes: BTreeSet::from([others[0]]), ..Needs::default() };
    submit(&mut world, needs);
    assert_eq!(world.started().len(), 4);
    world.finish(job);
    assert!((0..20).all(|task| world.is_final(job, task)));
    assert_eq!((held(&world, &others[0]), held(&world, &others[1])), (0, 0));
}

#[test]
fn what_is_held_back_for_a_submitter_is_given_to_no_other_until_it_ends() {
    let (mut world, others) = begin();
    let node = others[0];
    tell(&mut world, node, profile(4), 1);
    let submitter = crate::world::key(1, 1).public();
    let reservation = Reservation {
        submitter,
        cpus: 3,
        memory_bytes: 1 << 30,
        gpus: 0,
        nodes: BTreeSet::from([node]),
        from: world.now,
        until: world.now.after_ms(60_000),
    };
    assert_eq!(reservation.check(world.now), Ok(()));
    assert!(reservation.check(reservation.until).is_err());
    let until = reservation.until;
    world.step(Input::Reserve { id: "for the talk".into(), reservation: Some(reservation) });
    assert_eq!(world.work.reservations().count(), 1);
    let needs = |cpus| Needs { cpus, nodes: BTreeSet::from([node]), ..Needs::default() };
    let two = submit(&mut world, needs(2));
    assert_eq!(why(&world, two, &node), Some(Passed::Full), "one core is left");
    let one = submit(&mut world, needs(1));
    assert_eq!(world.started().last().unwrap().0, one);
    // Whoever reserves nothing has a quarter of the slots.
    let terms = Terms { needs: needs(0), ..Terms::default() };
    let many = world.submit_as(0, (40, "single"), terms.clone());
    assert_eq!(world.work.job(&many).unwrap().progress().running, 7);
    let own = Terms { needs: needs(3), ..Terms::default() };
    let own = world.submit_as(1, (1, "single"), own);
    assert_eq!(world.started().last().unwrap().0, own, "it is there for whom it is held back");
    world.restart();
    world.connect_all();
    world.settle();
    assert_eq!(world.work.job(&two).unwrap().progress().waiting, 1);
    world.tick_until(until);
    assert_eq!(world.work.reservations().count(), 0);
    for job in [two, one, many, own] {
        world.finish(job);
        assert!(world.is_final(job, 0));
    }
}
