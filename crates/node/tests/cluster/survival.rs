//! Machines that vanish in the middle of a job.

use super::{
    society::{
        halves::{Halves, LEFT, RIGHT},
        space::Space,
        until,
    },
    trio::{Place, Trio},
};

/// Tasks of the job.
const TASKS: u32 = 10_000;

#[test]
fn a_job_of_ten_thousand_tasks_survives_its_leader_and_a_partition() {
    let dir = tempfile::tempdir().unwrap();
    let halves = Halves::new();
    let place = |space: &Space, ip: &str, port: u16| Place {
        way: space.way().clone(),
        address: format!("/ip4/{ip}/udp/{port}/quic-v1"),
    };
    let places = [
        place(&halves.left, LEFT, 4101),
        place(&halves.left, LEFT, 4102),
        place(&halves.right, RIGHT, 4101),
    ];
    let mut trio = Trio::at(dir.path(), (LEFT, places));
    trio.lead(0);
    // The order goes to a machine that does not lead.
    let job = trio.order(1, TASKS);
    trio.settles(1, &job, 500);

    // The leader is gone at once; the two others go on.
    let dead = trio.kill(0);
    let next = trio.leader();
    assert_ne!(next, 0);
    let before = trio.settled(1, &job);
    trio.settles(1, &job, (before + 500).min(u64::from(TASKS)));
    trio.start(0, &dead);
    let term = trio.cluster(1)["term"].clone();
    until("the dead machine to be current", || {
        let cluster = trio.cluster(0);
        (cluster["term"] == term && cluster["leader"].is_string()).then_some(())
    });

    // Another one is cut off; what it believes counts for nothing.
    halves.cut();
    let before = trio.settled(1, &job);
    trio.settles(1, &job, (before + 500).min(u64::from(TASKS)));
    halves.heal();
    trio.fetch(1, &job, TASKS as usize);
    // Every machine knows how it ended, and has the receipt.
    trio.fetch(0, &job, TASKS as usize);
    trio.fetch(2, &job, TASKS as usize);
}

#[test]
fn a_minority_says_that_nobody_leads_and_takes_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let mut trio = Trio::new(dir.path());
    let job = trio.order(0, 20);
    trio.fetch(0, &job, 20);
    // Whoever wrote the receipt, no machine computes again what is known.
    for n in 0..3 {
        until(&format!("the results to be known to machine {n}"), || {
            let run = ["run", "nothing.wasm", "--verify", "single", "--array", "20", "-o"];
            let said = trio.node(n).polity(&[&run[..], &[&format!("again-{n}")]].concat()).ok();
            said.err.contains("all 20 tasks are known").then_some(())
        });
    }
    let dead = [trio.kill(1), trio.kill(2)];
    until("nobody to lead", || trio.cluster(0)["leader"].is_null().then_some(()));
    let told = trio.node(0).polity(&["cluster", "status"]).ok();
    assert!(told.out.contains("nobody: jobs wait until a majority"), "{}", told.out);
    let run = ["run", "nothing.wasm", "--fresh", "--verify", "single", "-o", "refused"];
    let refused = trio.node(0).polity(&run);
    assert_ne!(refused.code, Some(0));
    assert!(refused.err.contains("polity cluster status"), "{}", refused.err);
    trio.start(1, &dead[0]);
    trio.leader();
    let job = trio.order(0, 20);
    trio.fetch(1, &job, 20);
}
