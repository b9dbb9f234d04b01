//! A majority that is lost for ever, and a cluster of which nothing is left but a copy.

use super::{
    society::{Node, polity, until},
    trio::{Place, Trio},
};
use std::path::Path;

/// Tasks of the job that is under way.
const TASKS: u32 = 1_500;

fn text(path: &Path) -> String {
    path.to_string_lossy().into_owned()
}

#[test]
fn the_last_of_three_goes_on_alone_and_who_comes_back_is_told_why_not() {
    let dir = tempfile::tempdir().unwrap();
    let mut trio = Trio::new(dir.path());
    let job = trio.order(0, TASKS);
    trio.settles(2, &job, 200);
    let dead = [trio.kill(0), trio.kill(1)];

    // Nothing is changed while a node runs there, or without a word.
    let running = trio.node(2).polity(&["cluster", "recover", "--yes"]);
    assert!(running.code != Some(0) && running.err.contains("stop the node"), "{}", running.err);
    let data = trio.kill(2);
    let at = text(&data);
    let recover = ["cluster", "recover", "--data", &at];
    let unasked = polity(dir.path(), &recover);
    assert_eq!(unasked.code, Some(125), "{}", unasked.err);
    assert!(unasked.err.contains("no terminal") && unasked.err.contains("a voter"));
    assert!(unasked.err.contains("up to entry"), "{}", unasked.err);
    let kept = || {
        let all = std::fs::read_dir(&data).unwrap().flatten();
        let names = all.map(|entry| entry.file_name().to_string_lossy().into_owned());
        names.filter(|name| name.starts_with("cluster.")).collect::<Vec<_>>()
    };
    assert!(kept().is_empty());
    let said = polity(dir.path(), &[&recover[..], &["--yes", "--json"]].concat()).ok();
    let into = said.json()["cluster"].as_str().unwrap().to_string();
    assert_eq!(kept().len(), 1, "{:?}", kept());
    assert!(kept()[0].starts_with("cluster.before-"));

    // It goes on with the job.
    trio.start(2, &data);
    trio.voters(1);
    assert_eq!(trio.cluster(2)["id"], into);
    trio.fetch(2, &job, TASKS as usize);

    // One of the dead is there again, with what it had.
    trio.start(0, &dead[0]);
    until("the machine that came back to be told", || {
        trio.cluster(0)["left_behind"].is_string().then_some(())
    });
    assert!(trio.cluster(0)["leader"].is_null());
    let told = trio.node(0).polity(&["cluster", "status"]).ok().out;
    assert!(told.contains("recovered without this machine"), "{told}");
    assert!(trio.node(0).log().contains("join that one with an empty directory"));
    let lost = trio.kill(0);

    // It joins again with its key and without its log; another one joins with an empty directory.
    std::fs::rename(lost.join("cluster"), lost.join("cluster.lost")).unwrap();
    let line = trio.node(2).polity(&["cluster", "add"]).ok().out;
    trio.machines[0] = Some(Node::up(&lost, &["--join", "-"], Some(&line)));
    trio.node(0).ready(2);
    trio.add_by(2, Place::here());
    trio.voters(3);
    let job = trio.order(3, 50);
    trio.fetch(0, &job, 50);
}

#[test]
fn a_new_machine_goes_on_from_a_copy_when_all_others_are_lost() {
    let dir = tempfile::tempdir().unwrap();
    let mut trio = Trio::new(dir.path());
    let line = trio.node(0).polity(&["cluster", "add"]).ok().out;
    // Another owner's machine does the work, and has what it needed.
    for n in 0..3 {
        trio.node(n).polity(&["node", "cordon", "--reason", "only the other one works"]).ok();
    }
    let job = trio.order(0, TASKS);
    trio.settles(0, &job, 100);
    trio.node(0).polity(&["job", "pause", &job]).ok();
    let copy = text(&dir.path().join("home.backup"));
    trio.node(1).polity(&["cluster", "backup", "-o", &copy]).ok();
    // It goes on after that.
    let before = trio.settled(0, &job);
    trio.node(0).polity(&["job", "resume", &job]).ok();
    trio.settles(0, &job, (before + 200).min(u64::from(TASKS)));
    for n in 0..3 {
        trio.kill(n);
    }

    // It is admitted, and has nobody who lets it in.
    let place = Place::here();
    let data = dir.path().join("machine-new");
    let args = ["--join", "-", "--listen", &place.address];
    let mut waiting = Node::up_in(&place.way, &data, &args, Some(&line));
    until("the new machine to wait for a cluster", || {
        assert!(!waiting.is_over(), "{}", waiting.log());
        waiting.log().contains("waits to be let into the cluster").then_some(())
    });
    waiting.kill();
    let at = text(&data);
    let mut altered = std::fs::read(&copy).unwrap();
    *altered.last_mut().unwrap() ^= 1;
    let other = text(&dir.path().join("altered.backup"));
    std::fs::write(&other, altered).unwrap();
    let refused = polity(dir.path(), &["cluster", "restore", &other, "--yes", "--data", &at]);
    assert!(refused.code != Some(0) && refused.err.contains("damaged"), "{}", refused.err);
    polity(dir.path(), &["cluster", "restore", &copy, "--yes", "--data", &at]).ok();
    trio.enter(Node::up_in(&place.way, &data, &[], None), place);
    trio.voters(1);
    assert!(trio.settled(3, &job) < u64::from(TASKS));
    trio.node(3).polity(&["job", "resume", &job]).ok();
    trio.fetch(3, &job, TASKS as usize);
    // What was final after the copy was made was found, and not offered again.
    assert!(trio.node(3).log().contains("found on the ledger"));
    // It has jobs of its own now.
    let data = trio.kill(3);
    let again = ["cluster", "restore", &copy, "--yes", "--data", &text(&data)];
    let refused = polity(dir.path(), &again);
    assert_ne!(refused.code, Some(0));
    assert!(refused.err.contains("a cluster's log of its own"), "{}", refused.err);
}
