//! The tasks of a job: how many are where, and those worth a look, or all of them.

use crate::{job::progress, out, text};
use api::{DisputeState, ReplicaState, TaskDetail, TaskState};
use protocol::{Time, Unsettled};
use std::{collections::BTreeMap, time::Duration};

/// Tasks that are listed without being asked for, if there are no more.
const FEW: usize = 20;
/// Tasks of one kind that are listed of many.
const SOME: usize = 5;
/// Columns of a task's name.
const NAME: usize = 20;
/// Columns of what is said of it.
const REMARK: usize = 29;

/// How many tasks are where, on one line.
pub(super) fn counts(tasks: &[TaskDetail]) -> String {
    let mut counts: BTreeMap<(u8, &str), usize> = BTreeMap::new();
    for task in tasks {
        *counts.entry((rank(&task.state), word(&task.state))).or_default() += 1;
    }
    let parts: Vec<_> = counts.iter().map(|((_, word), n)| format!("{n} {word}")).collect();
    let mut ends: BTreeMap<String, usize> = BTreeMap::new();
    for task in tasks {
        if let TaskState::Agreed { end } | TaskState::Final { end, .. } = &task.state {
            *ends.entry(end.to_string()).or_default() += 1;
        }
    }
    let ends: Vec<_> = ends.iter().map(|(end, n)| format!("{n} × {end}")).collect();
    let mut said = parts.join(", ");
    if !ends.is_empty() {
        said.push_str(&format!("\n{}", ends.join(", ")));
    }
    said
}

/// All tasks if there are few or all are wanted, else those worth a look.
pub(super) fn show(tasks: &[TaskDetail], job: &str, now: Time, all: bool) -> String {
    if all || tasks.len() <= FEW {
        return table(&tasks.iter().collect::<Vec<_>>(), now);
    }
    let mut shown = String::new();
    let mut part = |title: &str, tasks: &[&TaskDetail]| {
        if !tasks.is_empty() {
            let more = tasks.len().saturating_sub(SOME);
            let more = if more > 0 { format!(" ({more} more)") } else { String::new() };
            let some: Vec<_> = tasks.iter().take(SOME).copied().collect();
            shown.push_str(&format!("{title}{more}:\n{}\n", table(&some, now)));
        }
    };
    let of = |is: &dyn Fn(&TaskDetail) -> bool| -> Vec<&TaskDetail> {
        tasks.iter().filter(|task| is(task)).collect()
    };
    part(
        "Not agreed",
        &of(
            &|task| matches!(&task.state, TaskState::Unsettled { why } if *why != Unsettled::Cancelled),
        ),
    );
    part(
        "Failed",
        &of(&|task| match task.state {
            TaskState::Agreed { end } | TaskState::Final { end, .. } => !end.is_success(),
            _ => false,
        }),
    );
    part("In dispute, or decided by one", &of(&|task| task.dispute.is_some()));
    part(
        "Waiting for nodes",
        &of(&|task| matches!(task.state, TaskState::Waiting { .. }) && task.began.is_some()),
    );
    let mut open = of(&|task| matches!(task.state, TaskState::Running));
    open.sort_by_key(|task| task.began);
    part("Under way, the oldest first", &open);
    let mut slow = of(&|task| took_ms(task).is_some());
    slow.sort_by_key(|task| std::cmp::Reverse(took_ms(task)));
    if slow.is_empty() {
        slow = of(&|task| task.fuel.is_some());
        slow.sort_by_key(|task| std::cmp::Reverse(task.fuel));
        part("Most work", &slow);
    } else {
        part("Slowest", &slow);
    }
    shown.push_str(&format!("All of them: polity job describe {job} --tasks\n"));
    shown
}

fn table(tasks: &[&TaskDetail], now: Time) -> String {
    let mut head = vec!["TASK", "STATE", "TOOK", "FUEL", ""];
    let mut rows: Vec<_> = tasks.iter().map(|task| row(task, now)).collect();
    // What is known of none of them needs no column.
    for column in [3, 2] {
        if rows.iter().all(|row| row[column].is_empty()) {
            head.remove(column);
            rows.iter_mut().for_each(|row| drop(row.remove(column)));
        }
    }
    out::table(&head, &rows)
}

fn row(task: &TaskDetail, now: Time) -> Vec<String> {
    let running = matches!(task.state, TaskState::Running | TaskState::Disputed);
    let so_far = task.began.filter(|_| running).map(|began| now.since_ms(began));
    let took = took_ms(task).or(so_far).map(|ms| text::lasting(Duration::from_millis(ms)));
    vec![
        text::cut_middle(&task.name, NAME),
        word(&task.state).into(),
        took.unwrap_or_default(),
        task.fuel.map(short).unwrap_or_default(),
        text::cut(&remark(task), REMARK),
    ]
}

/// From the first replica to the agreement.
fn took_ms(task: &TaskDetail) -> Option<u64> {
    Some(task.agreed?.since_ms(task.began?))
}

fn remark(task: &TaskDetail) -> String {
    if let Some(DisputeState::Decided { refuted, .. }) = &task.dispute {
        let nodes: Vec<_> = refuted.iter().map(|node| format!("…{}", node.short())).collect();
        return format!("verdict against {}", nodes.join(" "));
    }
    let answered = |task: &TaskDetail| {
        let states = task.replicas.iter().map(|replica| replica.state);
        states.filter(|s| matches!(s, ReplicaState::Committed | ReplicaState::Revealed)).count()
    };
    match &task.state {
        TaskState::Waiting { why } => why.clone(),
        TaskState::Running => format!("{} of {} answered", answered(task), live(task)),
        TaskState::Disputed => "the validators run it again".into(),
        TaskState::Agreed { end } => end.to_string(),
        TaskState::Final { end, height, decided } => {
            let how = if *decided { "verdict: " } else { "" };
            format!("{how}{end}, height {height}")
        }
        TaskState::Unsettled { why } => {
            let why = progress::sentence(why);
            why.strip_prefix("not agreed: ").unwrap_or(why).into()
        }
    }
}

fn live(task: &TaskDetail) -> usize {
    let states = task.replicas.iter().map(|replica| replica.state);
    states.filter(|s| !matches!(s, ReplicaState::Lost | ReplicaState::Refuted)).count()
}

fn word(state: &TaskState) -> &'static str {
    match state {
        TaskState::Waiting { .. } => "waiting",
        TaskState::Running => "running",
        TaskState::Disputed => "disputed",
        TaskState::Agreed { .. } => "agreed",
        TaskState::Final { .. } => "final",
        TaskState::Unsettled { .. } => "not agreed",
    }
}

fn rank(state: &TaskState) -> u8 {
    match state {
        TaskState::Final { .. } => 0,
        TaskState::Agreed { .. } => 1,
        TaskState::Running => 2,
        TaskState::Waiting { .. } => 3,
        TaskState::Disputed => 4,
        TaskState::Unsettled { .. } => 5,
    }
}

/// `950`, `1.2k`, `34.0M`; in steps of 1000.
pub(super) fn short(count: u64) -> String {
    const UNITS: [&str; 6] = ["", "k", "M", "G", "T", "P"];
    let (mut at, mut scaled) = (0, count as f64);
    while scaled >= 1000.0 && at + 1 < UNITS.len() {
        scaled /= 1000.0;
        at += 1;
    }
    if at == 0 { count.to_string() } else { format!("{scaled:.1}{}", UNITS[at]) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use protocol::{End, Height, TaskIndex};

    fn task(n: u32, state: TaskState) -> TaskDetail {
        TaskDetail {
            task: TaskIndex(n),
            name: format!("{}.csv", "long name ".repeat(n as usize % 7)),
            state,
            replicas: Vec::new(),
            skipped: Vec::new(),
            awaited: Vec::new(),
            retry: None,
            began: Some(Time(1_000)),
            agreed: Some(Time(1_000 + u64::from(n))),
            fuel: Some(1_234_567),
            dispute: None,
        }
    }

    fn many() -> Vec<TaskDetail> {
        let end = |n: u32| if n.is_multiple_of(50) { End::Exit(3) } else { End::Exit(0) };
        let state = |n: u32| match n % 5 {
            0 => TaskState::Final { end: end(n), height: Height(9), decided: false },
            1 => TaskState::Running,
            2 => TaskState::Waiting { why: "too few nodes of different owners".into() },
            3 => TaskState::Agreed { end: End::Exit(0) },
            _ => TaskState::Unsettled { why: Unsettled::NoCandidates },
        };
        (0..100).map(|n| task(n, state(n))).collect()
    }

    #[test]
    fn of_many_tasks_some_are_shown_and_every_line_fits() {
        let (tasks, now) = (many(), Time(5_000));
        let shown = show(&tasks, "abcd1234", now, false);
        assert!(shown.lines().count() < 60, "{shown}");
        assert!(shown.contains("Not agreed (15 more):") && shown.contains("Failed"), "{shown}");
        assert!(shown.contains("Slowest") && shown.contains("--tasks"), "{shown}");
        let all = show(&tasks, "abcd1234", now, true);
        assert_eq!(all.lines().count(), 101);
        for line in shown.lines().chain(all.lines()) {
            assert!(line.chars().count() <= 80, "{line}");
        }
        assert_eq!(
            counts(&tasks),
            "20 final, 20 agreed, 20 running, 20 waiting, 20 not agreed\n38 × exit 0, 2 × exit 3"
        );
    }

    #[test]
    fn counts_are_short() {
        let all = [999, 1_000, 1_234_567, u64::MAX].map(short);
        assert_eq!(all, ["999", "1.0k", "1.2M", "18446.7P"]);
    }
}
