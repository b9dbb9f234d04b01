//! What the submitter itself is the reason for: an early expiry, another job, a change of mind.

use super::{
    order::{NOTHING, Order},
    society::{brisk, found, up_all},
    told::{told, until_parties, until_told},
};

#[test]
fn a_job_that_expired_says_until_when_it_was_good_and_who_was_missing() {
    let dir = tempfile::tempdir().unwrap();
    let homes = found(dir.path(), 2, 1, brisk());
    let mut nodes = up_all(dir.path(), &homes);
    nodes.iter_mut().for_each(|node| node.ready(2));
    drop(nodes.remove(1).kill());
    until_parties(&mut nodes[0], 1);
    let lifetime_ms = 2_000;
    let job = Order { lifetime_ms, ..Order::of(NOTHING, "2of2") }.submit(&nodes[0]);
    let facts = [
        "Finished: 0 of 1 task final, 1 not agreed.",
        "the job expired first. It was good until ",
        // Gone a moment ago, or for longer: that depends on how long the processes took.
        "…",
        "(owner owner 2)",
    ];
    until_told(&nodes[0], job, &facts, "--timeout");
}

#[test]
fn a_job_that_is_held_says_for_which_one_and_ends_with_it() {
    let dir = tempfile::tempdir().unwrap();
    let homes = found(dir.path(), 2, 1, brisk());
    let mut nodes = up_all(dir.path(), &homes);
    nodes.iter_mut().for_each(|node| node.ready(2));
    drop(nodes.remove(1).kill());
    until_parties(&mut nodes[0], 1);
    let home = &nodes[0];
    let first = Order::of(NOTHING, "2of2").submit(home);
    let after = vec![first];
    let second = Order { after, ..Order::of(NOTHING, "single") }.submit(home);
    let id = first.to_string();
    let short = &id[id.len() - 8..];
    let held = format!("Held until job {short} has ended well");
    until_told(home, second, &[&held], &format!("polity job explain {short}"));

    home.polity(&["job", "cancel", short]).ok();
    let cancelled = ["Cancelled: 0 of 1 task was final before, 1 were given up."];
    until_told(home, first, &cancelled, "polity job get");
    let ended = format!("It was job {short}.");
    until_told(home, second, &["Not run:", &ended], &format!("polity job explain {short}"));
    let again = home.polity(&["job", "cancel", short]);
    assert_eq!(again.code, Some(121), "{again:?}");
}

#[test]
fn a_job_that_ended_well_says_so_and_what_there_is_to_have() {
    let dir = tempfile::tempdir().unwrap();
    let homes = found(dir.path(), 1, 1, brisk());
    let mut node = up_all(dir.path(), &homes).remove(0);
    node.ready(1);
    let job = Order::of(NOTHING, "single").submit(&node);
    let facts = ["Finished: 1 of 1 task final, and all ended with exit 0."];
    until_told(&node, job, &facts, "polity job get");
    assert!(told(&node, job).text.contains("Final at height "));
    let doctor = node.polity(&["doctor"]).ok();
    assert!(!doctor.out.contains('✗') && !doctor.out.contains('\x1b'), "{}", doctor.out);
}
