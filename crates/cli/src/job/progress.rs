//! How a person sees a job go on: a bar on a terminal, a few lines elsewhere.

use super::{
    course::{Counts, Course},
    names::Names,
};
use crate::{
    out::{Out, Tone},
    text,
};
use identity::PublicKey;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use protocol::{JobEvent, TaskIndex, TaskTable, Unsettled, draw::SkipReason};
use std::{borrow::Cow, collections::BTreeSet, time::Duration};

/// Lines about single tasks, at most.
const REMARKS: usize = 20;

/// Lines about disputes, and about verdicts, at most: who lied is told at the end.
const DISPUTES: usize = 5;

/// Tells about one job.
pub(crate) struct Progress {
    out: Out,
    bar: Option<ProgressBar>,
    /// Tenths of the tasks that were told about.
    tenths: usize,
    remarks: usize,
    /// Whether the order goes on the ledger before the draw.
    sealed: bool,
    /// What was said of disputes: a stream that was taken up again tells it again.
    said: BTreeSet<(TaskIndex, bool)>,
    /// Nodes that were lost: each is told about once, whatever it had to do.
    lost: BTreeSet<PublicKey>,
}

impl Progress {
    pub(crate) fn new(out: Out, tasks: usize, sealed: bool) -> Self {
        let bar = (out.terminal && tasks > 0).then(|| {
            let bar = ProgressBar::with_draw_target(
                Some(tasks as u64),
                ProgressDrawTarget::stderr_with_hz(10),
            );
            let style = ProgressStyle::with_template("{elapsed:>4} {bar:20} {msg}")
                .expect("the template is right");
            bar.set_style(style);
            bar.enable_steady_tick(Duration::from_millis(500));
            bar
        });
        let (said, lost) = (BTreeSet::new(), BTreeSet::new());
        Self { out, bar, tenths: 0, remarks: 0, sealed, said, lost }
    }

    /// Tells about an event that `course` has taken.
    pub(crate) fn tell(
        &mut self,
        event: &JobEvent,
        course: &Course,
        table: &TaskTable,
        names: &Names,
    ) {
        let name = |task: &TaskIndex| {
            table.name(task.0 as usize).map_or_else(|| "?".into(), Cow::into_owned)
        };
        match event {
            JobEvent::Held { after } => {
                let jobs: Vec<_> =
                    after.iter().map(|job| format!("…{}", text::short(job))).collect();
                let jobs = jobs.join(", ");
                self.remark(format!("held: it runs once this has ended well: {jobs}"));
            }
            JobEvent::Admitted { drawn: None, .. } if self.sealed => self.remark(
                "sealed: the order goes on the ledger first, and the next beacon draws".into(),
            ),
            JobEvent::Drawn { drawn } => {
                let before = if self.sealed { "sealed" } else { "held no more" };
                self.remark(format!("{before}: drawn with the beacon of height {drawn}"));
            }
            JobEvent::Disputed { task } if self.is_new((*task, false)) => {
                self.remark(format!("{}: outcomes differ, the validators run it again", name(task)))
            }
            JobEvent::Ruled { task, outcome, refuted } if self.is_new((*task, true)) => {
                let task = name(task);
                if outcome.is_none() {
                    self.remark(format!("{task}: the validators could not decide"));
                }
                for liar in refuted {
                    let line =
                        format!("{task}: verdict, {} claimed a wrong result", names.node(liar));
                    self.remark(self.out.paint(Tone::Bad, &line));
                }
            }
            JobEvent::Skipped { task, node, reason: SkipReason::NoResult } => {
                let (task, node) = (name(task), node.short());
                self.remark(format!("{task}: …{node} has no result; another node takes over"));
            }
            JobEvent::Skipped { task, node, reason: SkipReason::Lost }
                if self.lost.insert(*node) =>
            {
                let (task, node) = (name(task), node.short());
                self.remark(format!("…{node} was lost; others take over {task}, and the rest"));
            }
            JobEvent::Unsettled { task, why } => {
                let line = format!("{}: {}", name(task), sentence(why));
                self.remark(self.out.paint(Tone::Bad, &line));
            }
            JobEvent::UnsettledRange { from, count, why } => {
                let line = format!("{count} tasks from {}: {}", name(from), sentence(why));
                self.remark(self.out.paint(Tone::Bad, &line));
            }
            JobEvent::Paused => self.remark("paused: what runs goes on, nothing new begins".into()),
            JobEvent::Resumed => self.remark("resumed".into()),
            _ => {}
        }
        let counts = course.counts();
        match &self.bar {
            Some(bar) => {
                bar.set_position((counts.settled + counts.unsettled) as u64);
                bar.set_message(line(&counts));
            }
            None => {
                let tenths = (counts.settled + counts.unsettled) * 10 / counts.tasks.max(1);
                if tenths > self.tenths {
                    self.tenths = tenths;
                    self.out.say(line(&counts));
                }
            }
        }
    }

    /// Whether something about a dispute was not told yet, and is to be told.
    fn is_new(&mut self, what: (TaskIndex, bool)) -> bool {
        let kind = what.1;
        self.said.insert(what)
            && self.said.iter().filter(|(_, ruled)| *ruled == kind).count() <= DISPUTES
    }

    fn remark(&mut self, line: String) {
        self.remarks += 1;
        match self.remarks.cmp(&REMARKS) {
            std::cmp::Ordering::Less => self.say(&line),
            std::cmp::Ordering::Equal => self.say("… and more; see: polity job describe last"),
            std::cmp::Ordering::Greater => {}
        }
    }

    /// Says something without disturbing the bar.
    pub(crate) fn say(&self, line: &str) {
        match &self.bar {
            Some(bar) => bar.suspend(|| self.out.say(line)),
            None => self.out.say(line),
        }
    }

    /// Ends the bar.
    pub(crate) fn close(self) {
        if let Some(bar) = self.bar {
            bar.finish_and_clear();
        }
    }
}

/// Why a task ends without agreement, for people.
pub(crate) fn sentence(why: &Unsettled) -> &'static str {
    match why {
        Unsettled::Dissent => "not agreed: replicas gave different outcomes, no verdict yet",
        Unsettled::Undecided => "not agreed: outcomes differ, the validators could not decide",
        Unsettled::Refuted => "not agreed: a verdict refutes every replica",
        Unsettled::Expired => "not agreed: the job expired first",
        Unsettled::NoCandidates => "not agreed: too few nodes could run it",
        Unsettled::Cancelled => "cancelled",
        Unsettled::RefusedByLedger => "not agreed: the ledger refused it",
        Unsettled::Poison => "not agreed: every node that tried it failed, so it was stopped",
        Unsettled::After(_) => "not run: a job that it was held for did not end well",
    }
}

fn line(counts: &Counts) -> String {
    let final_or_not = |count: usize, word: &str| {
        (count > 0).then(|| format!("{} {word}", text::number(count as u64)))
    };
    let parts: Vec<_> = [
        final_or_not(counts.running + counts.seen - counts.disputed, "running"),
        final_or_not(counts.disputed, "disputed"),
        final_or_not(counts.agreed, "agreed"),
        final_or_not(counts.unsettled, "not agreed"),
    ]
    .into_iter()
    .flatten()
    .collect();
    let rest = if parts.is_empty() { String::new() } else { format!(" ({})", parts.join(", ")) };
    let settled = text::number(counts.settled as u64);
    format!("{settled} of {} final{rest}", text::plural(counts.tasks, "task"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_says_only_what_there_is() {
        let mut counts = Counts { tasks: 4, settled: 4, ..Default::default() };
        assert_eq!(line(&counts), "4 of 4 tasks final");
        counts.settled = 1;
        counts.running = 2;
        counts.unsettled = 1;
        assert_eq!(line(&counts), "1 of 4 tasks final (2 running, 1 not agreed)");
        counts.disputed = 1;
        assert_eq!(line(&counts), "1 of 4 tasks final (1 running, 1 disputed, 1 not agreed)");
    }
}
