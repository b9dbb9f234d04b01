//! Machines that are looked after while jobs run: drained, restarted, added, removed.

use super::trio::{Place, Trio};

#[test]
fn a_rolling_restart_and_five_members_and_three_again_lose_and_repeat_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let mut trio = Trio::new(dir.path());
    let mut jobs = vec![(trio.order(0, 600), 600)];
    for n in 0..3 {
        let other = (n + 1) % 3;
        jobs.push((trio.order(other, 200), 200));
        trio.node(n).polity(&["node", "drain", "--reason", "a newer version"]).ok();
        let cluster = trio.cluster(other);
        let cordons = cluster["members"]
            .as_array()
            .unwrap()
            .iter()
            .filter(|member| member["cordon"] == "a newer version");
        assert_eq!(cordons.count(), 1);
        let data = trio.machines[n].take().unwrap().stop();
        trio.leader();
        trio.start(n, &data);
        trio.node(n).polity(&["node", "uncordon"]).ok();
        trio.voters(3);
    }
    for _ in 0..2 {
        trio.add(Place::here());
        jobs.push((trio.order(1, 200), 200));
    }
    trio.voters(5);
    for n in [4, 3] {
        let keys = trio.cluster(0)["members"].as_array().unwrap().len();
        let said = trio.node(n).polity(&["status", "--json"]).ok().json();
        let key = said["node"]["node"].as_str().or(said["node"].as_str()).unwrap().to_string();
        trio.node(0).polity(&["cluster", "remove", &key]).ok();
        assert_eq!(trio.cluster(0)["members"].as_array().unwrap().len(), keys - 1);
        trio.kill(n);
    }
    trio.voters(3);
    jobs.push((trio.order(2, 100), 100));
    for (job, tasks) in jobs {
        trio.fetch(0, &job, tasks);
    }
}
