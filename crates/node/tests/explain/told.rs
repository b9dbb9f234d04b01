//! What is told about a job, as a person sees it.

use super::society::{Node, until};
use protocol::JobId;
use serde_json::Value;

/// What `polity job explain` says: of the job, and of its tasks.
pub(crate) struct Told {
    pub(crate) text: String,
    pub(crate) next: String,
}

fn read(value: &Value, told: &mut Told) {
    told.text.push_str(value["explanation"].as_str().unwrap());
    told.text.push('\n');
    told.next.push_str(value["next"].as_str().unwrap_or_default());
    told.next.push('\n');
}

/// What is told now.
pub(crate) fn told(home: &Node, job: JobId) -> Told {
    let job = job.to_string();
    let whole = home.polity(&["job", "explain", &job, "--json"]).ok().json();
    let mut told = Told { text: String::new(), next: String::new() };
    read(&whole, &mut told);
    whole["tasks"].as_array().unwrap().iter().for_each(|group| read(group, &mut told));
    told
}

/// Waits until these facts are told, and this is what to type next. Other facts may stand between.
#[track_caller]
pub(crate) fn until_told(home: &Node, job: JobId, facts: &[&str], next: &str) -> String {
    let mut last = String::new();
    let found = until(&format!("{facts:?}"), || {
        let Told { text, next: advice } = told(home, job);
        if text != last {
            // Shown if the test fails.
            eprintln!("told: {text}next: {advice}");
            last.clone_from(&text);
        }
        let holds = facts.iter().all(|fact| text.contains(fact)) && advice.contains(next);
        holds.then_some(text)
    });
    let shown = home.polity(&["job", "explain", &job.to_string()]).ok().out;
    assert!(shown.lines().all(|line| line.chars().count() <= 80), "{shown}");
    found
}

/// Waits until the node sees so many parties, and no more.
#[track_caller]
pub(crate) fn until_parties(home: &mut Node, parties: u64) {
    until(&format!("{parties} parties"), || {
        (home.status()?["parties"].as_u64()? == parties).then_some(())
    });
}
