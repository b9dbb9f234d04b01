//! Where the tasks of a job stand, as its events tell it. Events may be told again from the start.

use crate::exit::Exit;
use identity::PublicKey;
use protocol::{End, Height, JobEvent, Outcome, OutcomeDigest, TaskIndex, Unsettled};
use serde::Serialize;
use std::collections::BTreeMap;

/// How far a person waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, clap::ValueEnum)]
pub(crate) enum Wait {
    /// Until every task has a first outcome, which nothing was compared with.
    Outcome,
    /// Until enough replicas of every task agree.
    Agreed,
    /// Until the ledger accepted every task.
    Final,
}

/// Where a task stands.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub(crate) enum Stage {
    #[default]
    Waiting,
    Running,
    Seen(End),
    Agreed,
    Final(Height),
    Unsettled(Unsettled),
}

/// How the dispute about a task stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Dispute {
    /// Validators run the task again.
    Open,
    /// They found this, and so refute these nodes.
    Decided { outcome: OutcomeDigest, refuted: Vec<PublicKey> },
    /// They could not decide.
    Undecided,
}

/// How many tasks stand where.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub(crate) struct Counts {
    pub(crate) tasks: usize,
    pub(crate) running: usize,
    /// Of these and of the seen ones, those that wait for the validators.
    pub(crate) disputed: usize,
    pub(crate) seen: usize,
    pub(crate) agreed: usize,
    pub(crate) settled: usize,
    pub(crate) unsettled: usize,
}

impl Counts {
    /// The number of tasks at this stage; those that wait are not counted.
    fn of(&mut self, stage: &Stage) -> Option<&mut usize> {
        match stage {
            Stage::Waiting => None,
            Stage::Running => Some(&mut self.running),
            Stage::Seen(_) => Some(&mut self.seen),
            Stage::Agreed => Some(&mut self.agreed),
            Stage::Final(_) => Some(&mut self.settled),
            Stage::Unsettled(_) => Some(&mut self.unsettled),
        }
    }

    fn past_agreed(&self) -> usize {
        self.agreed + self.settled + self.unsettled
    }
}

/// The course of a job.
#[derive(Debug)]
pub(crate) struct Course {
    stages: Vec<Stage>,
    outcomes: BTreeMap<TaskIndex, Outcome>,
    disputes: BTreeMap<TaskIndex, Dispute>,
    /// How many tasks stand where; `disputed` is counted when it is asked for.
    counts: Counts,
    finished: bool,
}

impl Course {
    pub(crate) fn new(tasks: usize) -> Self {
        let stages = vec![Stage::default(); tasks];
        let (outcomes, disputes) = (BTreeMap::new(), BTreeMap::new());
        let counts = Counts { tasks, ..Counts::default() };
        Self { stages, outcomes, disputes, counts, finished: false }
    }

    /// Takes an event and answers the tasks that came to where `wait` waits for, each once.
    pub(crate) fn take(&mut self, event: &JobEvent, wait: Wait) -> Vec<TaskIndex> {
        match event {
            JobEvent::Admitted { .. }
            | JobEvent::Held { .. }
            | JobEvent::Drawn { .. }
            | JobEvent::Paused
            | JobEvent::Resumed
            | JobEvent::Skipped { .. } => Vec::new(),
            JobEvent::Disputed { task } => {
                self.disputes.entry(*task).or_insert(Dispute::Open);
                Vec::new()
            }
            JobEvent::Ruled { task, outcome, refuted } => {
                let ruled = match outcome {
                    Some(outcome) => {
                        Dispute::Decided { outcome: *outcome, refuted: refuted.clone() }
                    }
                    None => Dispute::Undecided,
                };
                self.disputes.insert(*task, ruled);
                Vec::new()
            }
            JobEvent::Started { task, .. } => self.set(*task, Stage::Running, wait),
            JobEvent::Outcome { task, end, .. } => self.set(*task, Stage::Seen(*end), wait),
            JobEvent::Agreed { outcome, .. } => {
                // The first word counts; a node that says two things is found by the receipt.
                self.outcomes.entry(outcome.task).or_insert_with(|| outcome.clone());
                self.set(outcome.task, Stage::Agreed, wait)
            }
            JobEvent::Unsettled { task, why } => {
                self.set(*task, Stage::Unsettled(why.clone()), wait)
            }
            JobEvent::UnsettledRange { from, count, why } => {
                let tasks = (from.0..from.0.saturating_add(*count)).take(self.stages.len());
                let set = |task| self.set(TaskIndex(task), Stage::Unsettled(why.clone()), wait);
                tasks.flat_map(set).collect()
            }
            JobEvent::Final { tasks, height } => {
                tasks.iter().flat_map(|task| self.set(*task, Stage::Final(*height), wait)).collect()
            }
            JobEvent::Finished { .. } => {
                self.finished = true;
                Vec::new()
            }
        }
    }

    fn set(&mut self, task: TaskIndex, stage: Stage, wait: Wait) -> Vec<TaskIndex> {
        let Some(at) = self.stages.get_mut(task.0 as usize) else { return Vec::new() };
        if rank(&stage) <= rank(at) {
            return Vec::new();
        }
        let goal = goal(wait);
        let arrived = rank(at) < goal && rank(&stage) >= goal;
        if let Some(before) = self.counts.of(at) {
            *before -= 1;
        }
        if let Some(now) = self.counts.of(&stage) {
            *now += 1;
        }
        *at = stage;
        if arrived { vec![task] } else { Vec::new() }
    }

    /// What a task gave, once it is agreed.
    pub(crate) fn outcome(&self, task: TaskIndex) -> Option<&Outcome> {
        self.outcomes.get(&task)
    }

    /// The dispute about a task, if there is or was one.
    pub(crate) fn dispute(&self, task: TaskIndex) -> Option<&Dispute> {
        self.disputes.get(&task)
    }

    /// The nodes that verdicts refute, and the tasks that they lied about.
    pub(crate) fn refuted(&self) -> BTreeMap<PublicKey, Vec<TaskIndex>> {
        let mut all: BTreeMap<_, Vec<_>> = BTreeMap::new();
        for (task, dispute) in &self.disputes {
            if let Dispute::Decided { refuted, .. } = dispute {
                refuted.iter().for_each(|node| all.entry(*node).or_default().push(*task));
            }
        }
        all
    }

    pub(crate) fn stages(&self) -> impl Iterator<Item = (TaskIndex, &Stage)> {
        self.stages.iter().enumerate().map(|(at, stage)| {
            (TaskIndex(u32::try_from(at).expect("a job has few enough tasks")), stage)
        })
    }

    /// Whether there is nothing more to wait for.
    pub(crate) fn is_done(&self, wait: Wait) -> bool {
        match wait {
            // The receipt is made at the end.
            Wait::Final => self.finished,
            _ if self.finished => true,
            Wait::Agreed => self.counts.past_agreed() == self.counts.tasks,
            Wait::Outcome => self.counts.past_agreed() + self.counts.seen == self.counts.tasks,
        }
    }

    pub(crate) fn is_finished(&self) -> bool {
        self.finished
    }

    pub(crate) fn counts(&self) -> Counts {
        let runs = |task: &TaskIndex| {
            let stage = self.stages.get(task.0 as usize);
            matches!(stage, Some(Stage::Running | Stage::Seen(_)))
        };
        let open = self.disputes.iter().filter(|(_, dispute)| **dispute == Dispute::Open);
        Counts { disputed: open.filter(|(task, _)| runs(task)).count(), ..self.counts }
    }

    /// How the program ended in a task, as far as it is known.
    pub(crate) fn end(&self, task: TaskIndex) -> Option<End> {
        match (self.outcomes.get(&task), self.stages.get(task.0 as usize)) {
            (Some(outcome), _) => Some(outcome.end),
            (None, Some(Stage::Seen(end))) => Some(*end),
            _ => None,
        }
    }

    /// The exit code: agreement counts first, then traps and limits, then the first code that is
    /// not 0.
    pub(crate) fn exit(&self) -> Exit {
        let lost = |(_, stage): (_, &Stage)| matches!(stage, Stage::Unsettled(_));
        if self.stages().any(lost) {
            return Exit::NotAgreed;
        }
        let ends = || self.stages().filter_map(|(task, _)| self.end(task));
        if ends().any(|end| !matches!(end, End::Exit(_))) {
            return Exit::Stopped;
        }
        let codes = ends().filter_map(|end| match end {
            End::Exit(code) if code != 0 => Some(code),
            _ => None,
        });
        codes.map(Exit::Program).next().unwrap_or(Exit::Success)
    }
}

fn rank(stage: &Stage) -> u8 {
    match stage {
        Stage::Waiting => 0,
        Stage::Running => 1,
        Stage::Seen(_) => 2,
        Stage::Agreed => 3,
        Stage::Unsettled(_) => 4,
        Stage::Final(_) => 5,
    }
}

fn goal(wait: Wait) -> u8 {
    match wait {
        Wait::Outcome => 2,
        Wait::Agreed => 3,
        Wait::Final => 4,
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use identity::{Digest, PublicKey};
    use objects::{Cid, Codec};
    use protocol::{Attempt, JobId, Trap};

    pub(crate) fn outcome(task: u32, end: End) -> Outcome {
        let cid = Cid::of(Codec::Raw, b"");
        Outcome {
            job: JobId(cid),
            task: TaskIndex(task),
            end,
            fuel: 1,
            fingerprint: Digest([1; 32]),
            outputs: Vec::new(),
            stdout: cid,
            stderr: cid,
        }
    }

    fn agreed(task: u32, end: End) -> JobEvent {
        JobEvent::Agreed { outcome: outcome(task, end), executors: Vec::new() }
    }

    fn finally(tasks: &[u32]) -> JobEvent {
        let tasks = tasks.iter().map(|task| TaskIndex(*task)).collect();
        JobEvent::Final { tasks, height: Height(9) }
    }

    fn finished() -> JobEvent {
        JobEvent::Finished { settled: 2, unsettled: 0, receipt: Cid::of(Codec::Raw, b"r") }
    }

    fn run(tasks: usize, events: &[JobEvent]) -> Course {
        let mut course = Course::new(tasks);
        for event in events {
            course.take(event, Wait::Final);
        }
        course
    }

    #[test]
    fn a_task_arrives_once_even_if_events_are_told_again() {
        let mut course = Course::new(2);
        let (task, node) = (TaskIndex(0), PublicKey([1; 32]));
        let events = [
            JobEvent::Started { task, attempt: Attempt(0), node },
            JobEvent::Outcome { task, node, end: End::Exit(0) },
            agreed(0, End::Exit(0)),
            finally(&[0, 1]),
        ];
        let mut arrived = Vec::new();
        for event in events.iter().chain(&events) {
            arrived.extend(course.take(event, Wait::Final));
        }
        assert_eq!(arrived, [TaskIndex(0), TaskIndex(1)]);
        assert!(!course.is_done(Wait::Final));
        course.take(&finished(), Wait::Final);
        assert!(course.is_done(Wait::Final));
    }

    #[test]
    fn each_way_of_waiting_ends_where_it_says() {
        let node = PublicKey([1; 32]);
        let seen = JobEvent::Outcome { task: TaskIndex(0), node, end: End::Exit(0) };
        let mut course = Course::new(1);
        assert_eq!(course.take(&seen, Wait::Outcome), [TaskIndex(0)]);
        assert!(course.is_done(Wait::Outcome) && !course.is_done(Wait::Agreed));
        course.take(&agreed(0, End::Exit(0)), Wait::Outcome);
        assert!(course.is_done(Wait::Agreed) && !course.is_done(Wait::Final));
    }

    #[test]
    fn the_exit_code_is_the_worst_that_happened() {
        let lost = JobEvent::Unsettled { task: TaskIndex(1), why: Unsettled::Dissent };
        let trap = agreed(0, End::Trap(Trap::Unreachable));
        assert_eq!(run(1, &[agreed(0, End::Exit(0))]).exit(), Exit::Success);
        let codes = [agreed(1, End::Exit(4)), agreed(0, End::Exit(3))];
        assert_eq!(run(2, &codes).exit(), Exit::Program(3));
        assert_eq!(run(2, &[trap.clone(), agreed(1, End::Exit(3))]).exit(), Exit::Stopped);
        assert_eq!(run(2, &[trap, lost]).exit(), Exit::NotAgreed);
    }

    #[test]
    fn a_dispute_is_open_until_it_is_ruled_and_names_who_lied() {
        let (task, liar) = (TaskIndex(0), PublicKey([7; 32]));
        let node = PublicKey([1; 32]);
        let mut events =
            vec![JobEvent::Outcome { task, node, end: End::Exit(0) }, JobEvent::Disputed { task }];
        let counts = run(2, &events).counts();
        assert_eq!((counts.seen, counts.disputed), (1, 1));
        let outcome = outcome(0, End::Exit(0)).digest();
        events.push(JobEvent::Ruled { task, outcome: Some(outcome), refuted: vec![liar] });
        // Told again from the start: the ruling stands.
        events.push(JobEvent::Disputed { task });
        let course = run(2, &events);
        assert_eq!(course.counts().disputed, 0);
        assert_eq!(course.refuted(), BTreeMap::from([(liar, vec![task])]));
        let open = JobEvent::Ruled { task: TaskIndex(1), outcome: None, refuted: Vec::new() };
        let course = run(2, &[JobEvent::Disputed { task: TaskIndex(1) }, open]);
        assert_eq!(course.dispute(TaskIndex(1)), Some(&Dispute::Undecided));
        assert!(course.refuted().is_empty());
    }

    #[test]
    fn tasks_that_do_not_exist_change_nothing() {
        let course = run(1, &[agreed(7, End::Exit(1)), finally(&[7])]);
        assert_eq!(course.counts(), Counts { tasks: 1, ..Default::default() });
        assert_eq!(course.exit(), Exit::Success);
    }
}
