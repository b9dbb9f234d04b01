//! Random worlds: any order, loss and repetition of messages, nodes that come and go, a home that
//! restarts. Whatever happens, every task ends exactly once, and what is agreed on holds.

use crate::{
    ledger::Validators,
    worker::Manner,
    world::{Letter, World},
};
use identity::PublicKey;
use proptest::prelude::*;
use protocol::{NoResult, Profile, Speed};
use sim::Random;
use work::{Config, Input, Window, Work};

#[derive(Clone, Debug)]
struct Setting {
    seed: u64,
    manners: Vec<Manner>,
    owners: Vec<u8>,
    tasks: u32,
    k: u16,
    n: u16,
    slots: u32,
    validators: Validators,
    loss_percent: u64,
    scored: bool,
}

fn manner() -> impl Strategy<Value = Manner> {
    prop_oneof![
        6 => Just(Manner::Honest),
        3 => (1_u8..3).prop_map(Manner::Liar),
        1 => Just(Manner::Mute),
        1 => Just(Manner::Hider),
        1 => Just(Manner::Unable(NoResult::MissingObject)),
        1 => Just(Manner::Unable(NoResult::Busy)),
    ]
}

prop_compose! {
    fn setting()(
        seed in any::<u64>(),
        manners in prop::collection::vec(manner(), 1..8),
        owners in prop::collection::vec(0_u8..6, 8),
        tasks in 1_u32..16,
        k in 1_u16..4,
        more in 0_u16..3,
        slots in 1_u32..5,
        validators in prop_oneof![
            4 => Just(Validators::Prompt),
            2 => Just(Validators::Slow),
            1 => Just(Validators::Unable),
            1 => Just(Validators::Refusing),
        ],
        loss_percent in 0_u64..30,
        scored in any::<bool>(),
    ) -> Setting {
        let n = k + more;
        Setting { seed, manners, owners, tasks, k, n, slots, validators, loss_percent, scored }
    }
}

fn restored(work: &Work, random: &mut Random) -> Work {
    if random.chance(50) {
        let bytes = identity::canonical::encode(work);
        identity::canonical::decode(&bytes, usize::MAX).unwrap()
    } else {
        serde_json::from_str(&serde_json::to_string(work).unwrap()).unwrap()
    }
}

/// One random thing happens.
fn happen(world: &mut World, random: &mut Random, loss_percent: u64) {
    let nodes: Vec<PublicKey> = world.workers.keys().copied().collect();
    let node = nodes[random.place(nodes.len())];
    match random.below(100) {
        0..3 if node != world.me() => world.disconnect(node),
        3..12 if !world.up[&node] => world.connect(node),
        12..14 if node != world.me() => {
            world.disconnect(node);
            world.workers.get_mut(&node).unwrap().restart();
        }
        14..18 if world.work.next_deadline().is_some() => world.tick(),
        18 => {
            let manner = [Manner::Honest, Manner::Mute][random.place(2)];
            if matches!(world.workers[&node].manner, Manner::Unable(_) | Manner::Mute) {
                world.workers.get_mut(&node).unwrap().manner = manner;
            }
        }
        19 => {
            world.restart();
        }
        20..22 => {
            let jobs: Vec<_> = world.work.jobs().map(|(job, _)| *job).collect();
            let job = jobs[random.place(jobs.len())];
            let pause = random.chance(40);
            world.step(if pause { Input::Pause { job } } else { Input::Resume { job } });
        }
        22 => {
            let reason = random.chance(40).then(|| "an owner says so".to_string());
            world.step(Input::Cordon { node, reason });
        }
        23 => {
            let (from, length) = (random.below(20_000), random.below(20_000));
            let from = world.now.after_ms(from);
            let window = Window { from, until: from.after_ms(length) };
            world.step(Input::Windows { node, windows: vec![window] });
        }
        24 => {
            let speed =
                Speed { mflops: 1, memory_mib_s: 1, disk_mib_s: 1, fuel_ms: random.draw() >> 40 };
            let profile = Box::new(Profile { speed: Some(speed), ..Profile::default() });
            world.step(Input::Profile { node, profile, rtt_ms: Some(random.below(99) as u32) });
        }
        _ if world.letters.is_empty() => {}
        _ => {
            let at = random.place(world.letters.len());
            let letter = world.letters[at].clone();
            // The ledger may be slow and repeat itself, but it does not forget.
            let safe = matches!(letter, Letter::FromLedger(_));
            if random.chance(10) {
                return world.deliver(letter);
            }
            world.letters.swap_remove_back(at);
            if safe || !random.chance(loss_percent) {
                world.deliver(letter);
            }
        }
    }
}

fn run(setting: &Setting) {
    let mut random = Random::new(setting.seed);
    let config =
        Config { node_tasks: setting.slots, open_tasks: 9, batch_tasks: 5, ..Config::default() };
    let config = Config { open_least: 3, ..config };
    let mut world = if setting.scored {
        World::scored(&setting.manners, &setting.owners, config)
    } else {
        World::with(&setting.manners, &setting.owners, config)
    };
    world.ledger.validators = setting.validators;
    let verification = protocol::Verification { k: setting.k, n: setting.n };
    let mut jobs = vec![];
    for _ in 0..2 {
        let order = world.order(setting.tasks, verification);
        jobs.push(order.payload.id());
        world.submit_order(order);
    }
    jobs.push(world.seal(setting.tasks, verification));
    let cancelled = random.chance(10).then(|| random.below(400));
    for round in 0..400 {
        if round % 50 == 7 {
            world.shadow = Some(restored(&world.work, &mut random));
        } else if round % 50 == 40 {
            world.shadow = None;
        }
        if Some(round) == cancelled {
            world.step(Input::Cancel { job: jobs[0] });
        }
        happen(&mut world, &mut random, setting.loss_percent);
    }
    world.shadow = None;
    for node in world.workers.keys().copied().collect::<Vec<_>>() {
        world.step(Input::Cordon { node, reason: None });
        world.step(Input::Windows { node, windows: vec![] });
    }
    jobs.iter().for_each(|job| world.step(Input::Resume { job: *job }));
    // Who was slow to rule does so in the end.
    if world.ledger.validators == Validators::Slow {
        world.ledger.validators = Validators::Prompt;
    }
    for job in jobs {
        world.finish(job);
        check_verdicts(&world, job);
        world.store(job);
    }
    assert_eq!(world.work.next_deadline().filter(|_| world.up.values().all(|up| *up)), None);
}

/// The verdict names only liars.
fn check_verdicts(world: &World, job: protocol::JobId) {
    for ((of, task), case) in &world.ledger.cases {
        let named = world.ledger.refuted(job, task.0);
        let lied = |node: &PublicKey| matches!(world.workers[node].manner, Manner::Liar(_));
        assert!(*of != job || named.iter().all(lied), "{case:?}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]
    #[test]
    fn every_task_ends_once_and_what_is_agreed_on_holds(setting in setting()) {
        run(&setting);
    }
}
