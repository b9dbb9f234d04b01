//! What else is told of a job: its page, and what its tasks printed.

use super::society::{POLITY, brisk, door::metrics, found, inputs, program, until, up_all};
use std::{
    io::{BufRead, BufReader},
    process::{Command, Stdio},
};

#[test]
fn a_page_fits_a_terminal_and_logs_come_by_task_during_and_after_the_job() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    program(dir);
    inputs(dir, 30);
    let homes = found(dir, 2, 1, brisk());
    let mut nodes = up_all(dir, &homes);
    nodes.iter_mut().for_each(|node| node.ready(2));
    let home = nodes.remove(0);
    let run = ["run", "copy.wasm", "--each", "in/*.txt", "--arg", "{}", "-o", "out"];
    let mut client = Command::new(POLITY);
    client.args(run).args(["--verify", "2of2"]).arg("--data").arg(&home.data).current_dir(dir);
    let mut client = client.stderr(Stdio::null()).spawn().unwrap();
    let job = until("the job to be admitted", || {
        let list = home.polity(&["job", "list", "--json"]).ok().json();
        Some(list.as_array()?.first()?["job"].as_str()?.to_string())
    });

    // Whoever follows hears of every task, however early or late the job is.
    let mut follower = Command::new(POLITY);
    follower.args(["job", "logs", &job, "--follow", "--data"]).arg(&home.data);
    let mut follower = follower.stdout(Stdio::piped()).spawn().unwrap();
    let lines = BufReader::new(follower.stdout.take().unwrap()).lines();
    let mut heard: Vec<_> = lines.map(Result::unwrap).collect();
    assert!(follower.wait().unwrap().success());
    assert!(client.wait().unwrap().success());

    let mut expected: Vec<_> = (0..30).flat_map(|n| vec![format!("{n}.txt: {n}"); n + 1]).collect();
    expected.sort();
    heard.sort();
    assert_eq!(heard, expected);
    let said = home.polity(&["job", "logs", &job, "3.txt"]).ok();
    assert_eq!(said.out, "3\n".repeat(4), "one task alone is not marked");

    let counted = metrics(&home.data);
    assert!(counted.contains("polity_tasks_done_total{result=\"success\"} 30\n"), "{counted}");

    let page = home.polity(&["job", "describe"]).ok().out;
    for part in [
        "state",
        "30 final",
        "30 × exit 0",
        "owner 1",
        "2of2",
        "first commit",
        "last final",
        "finished",
        "AT WORK",
        "--tasks",
    ] {
        assert!(page.contains(part), "{part} in\n{page}");
    }
    let all = home.polity(&["job", "describe", "--tasks"]).ok().out;
    assert_eq!(all.lines().filter(|line| line.contains(".txt ")).count(), 30, "{all}");
    for line in page.lines().chain(all.lines()) {
        assert!(line.chars().count() <= 80, "{line}");
    }
}
