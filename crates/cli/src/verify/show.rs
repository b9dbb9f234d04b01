//! A receipt that holds, for people and for programs: three things apart, then what is not proven.

use super::{Files, Held, Rerun, owners::Owners, shows};
use crate::{exit::Exit, text};
use identity::PublicKey;
use protocol::{Placement, Report, TaskIndex, Warning};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

/// Names and files in a list, at most.
const LISTED: usize = 20;
/// Tasks that are named of one node, at most.
const NAMED: usize = 3;

impl Held {
    pub(super) fn text(&self) -> String {
        let mut lines = Vec::new();
        let body = &self.receipt.body;
        let job = &body.order.payload;
        let submitter = self.owners().owner(&self.report.submitter);
        lines.push(format!("job       {}", self.report.job));
        lines.push(format!(
            "          {} of {submitter}, {}, signed {}",
            text::plural(job.tasks as usize, "task"),
            job.verification,
            job.issued,
        ));
        lines.push(format!("          drawn: {}", self.report.placement));
        lines.extend(self.chosen());
        self.bytes(&mut lines);
        self.signed(&mut lines);
        self.accepted(&mut lines);
        self.verdicts(&mut lines);
        for (task, why) in &self.report.unsettled {
            let why = crate::job::progress::sentence(why);
            lines.push(format!("--        {}: {why}", self.task_name(*task)));
        }
        let mut text = lines.join("\n") + "\n";
        if let Some(rerun) = &self.rerun {
            text.push_str(&rerun.text(|node| self.node(node)));
        }
        text.push_str("not proven:\n");
        for line in self.not_proven() {
            text.push_str(&format!("  - {line}\n"));
        }
        text
    }

    /// How many replicas were not drawn.
    fn chosen(&self) -> Option<String> {
        let settled = &self.report.settled;
        let chosen = settled.values().filter(|task| task.first.is_some()).count();
        let k = self.receipt.body.order.payload.verification.k;
        let which = match (chosen, settled.len()) {
            (0, _) => return None,
            (all, tasks) if all == tasks => "of each task".into(),
            (some, tasks) => format!("of {some} of {}", text::plural(tasks, "task")),
        };
        let others = if k == 1 { "" } else { ", the others drawn" };
        Some(format!("          {which} one of {k} was chosen by its home{others}"))
    }

    /// Who lied, and what rests on a verdict.
    fn verdicts(&self, lines: &mut Vec<String>) {
        for ((node, owner), tasks) in self.refuted().iter().take(LISTED) {
            let node = self.owners().node((node, owner));
            lines.push(format!("REFUTED   {node}"));
            lines.push(format!(
                "          wrong in {} by verdict of the validators: {}",
                text::plural(tasks.len(), "task"),
                self.task_names(tasks),
            ));
        }
        let decided = self.report.settled.iter().filter(|(_, settled)| settled.decided);
        let decided: Vec<_> = decided.map(|(task, _)| *task).collect();
        if !decided.is_empty() {
            lines.push(format!(
                "VERDICT   {} on a verdict, not on enough replicas: {}",
                if decided.len() == 1 {
                    "1 task rests".into()
                } else {
                    format!("{} tasks rest", decided.len())
                },
                self.task_names(&decided),
            ));
        }
    }

    fn bytes(&self, lines: &mut Vec<String>) {
        let Some(files) = &self.files else {
            lines.push("--        bytes: not looked at; name the directory with --outputs".into());
            return;
        };
        for (path, difference) in &files.wrong {
            lines.push(format!("FAIL: {} ({difference})", path.display()));
        }
        let right = files.signed - files.wrong.len();
        let count = text::plural(files.signed, "file");
        let word = if files.is_wrong() { "FAIL" } else { "OK" };
        lines.push(format!("{word:<10}bytes: {right} of {count} are the ones that were signed"));
    }

    fn signed(&self, lines: &mut Vec<String>) {
        let by: BTreeSet<_> =
            self.report.settled.values().flat_map(|task| task.executors.iter().copied()).collect();
        let owners: BTreeSet<_> = by.iter().map(|(_, owner)| *owner).collect();
        let names: Vec<_> =
            owners.iter().take(LISTED).map(|owner| self.owners().owner(owner)).collect();
        let least = self.report.settled.values().map(|task| task.executors.len()).min();
        let tasks = text::plural(self.report.settled.len(), "task");
        lines.push(format!(
            "OK        signed: {tasks}, each by {} or more of {} of {}",
            least.unwrap_or(0),
            text::plural(by.len(), "node"),
            text::plural(owners.len(), "owner"),
        ));
        for name in names {
            lines.push(format!("          {name}"));
        }
        if let Some(shows) = self.shows() {
            lines.push(format!("          {shows}"));
        }
    }

    /// What the replicas show, if they all are of one owner.
    fn shows(&self) -> Option<String> {
        shows::of_receipt(&self.receipt.body.genesis, &self.report)
    }

    fn accepted(&self, lines: &mut Vec<String>) {
        let heights: BTreeSet<_> = self.report.settled.values().map(|task| task.height).collect();
        let at = match (heights.first(), heights.last()) {
            (Some(first), Some(last)) if first == last => format!("at height {first}"),
            (Some(first), Some(last)) => format!("at heights {first} to {last}"),
            _ => "nothing".into(),
        };
        let genesis = &self.receipt.body.genesis;
        let validators = text::plural(genesis.validators.len(), "validator");
        let word = if self.pinned_by.is_some() { "OK" } else { "??" };
        lines.push(format!("{word:<10}accepted: {at}, by a quorum of {validators}"));
        lines.push(format!("          network {}", self.report.network));
        match &self.pinned_by {
            Some(by) => lines.push(format!("          pinned by {by}")),
            None => lines.push(
                "          not pinned: anybody can found a network; use --genesis HASH".into(),
            ),
        }
    }

    /// What a reader might think, and the receipt does not show.
    fn not_proven(&self) -> Vec<String> {
        let mut lines = Vec::new();
        for warning in &self.report.warnings {
            lines.push(match warning {
                Warning::Unpinned => "that this network is the one you think of".into(),
                Warning::NoFaultTolerance => {
                    "that no validator lied: fewer than four tolerate no fault".into()
                }
                Warning::Single => "the results: one node computed them, nobody compared".into(),
            });
        }
        if self.shows().is_some() {
            lines.push("that the one owner of all replicas did not make the results up".into());
        } else {
            if self.receipt.body.order.payload.verification.k > 1 {
                lines.push("that the owners who agree did not agree to lie".into());
            }
            lines.push("that owners with different keys are different people".into());
        }
        let confirmed = self.rerun.as_ref().is_some_and(|rerun| rerun.exit() == Exit::Success);
        if !self.report.refuted.is_empty() && !confirmed {
            lines.push("who lied, if the validators agreed to lie: --rerun shows it".into());
        }
        if self.report.placement == Placement::Fast {
            let line = "the order of the draw: placement was fast, its nonce the submitter's";
            lines.push(line.into());
        }
        let k = self.receipt.body.order.payload.verification.k;
        if k > 1 && self.chosen().is_some() {
            let others = match k - 1 {
                1 => "the other one is drawn".into(),
                others => format!("the other {others} of {k} are drawn"),
            };
            lines.push(format!("that the node which its home chose is not corrupt: {others}"));
        }
        let agreed = self.receipt.body.parts.iter().flat_map(|part| &part.agreements.tasks);
        let skipped: usize = agreed.map(|agreed| agreed.skipped.len()).sum();
        if skipped > 0 {
            let times = text::plural(skipped, "time");
            lines.push(format!("why candidates were passed over, {times}: the home's word"));
        }
        lines.push("that the program computes what its author meant".into());
        if self.files.is_none() {
            lines.push("anything about files on this disk".into());
        }
        for stranger in self.files.iter().flat_map(|files| &files.strangers).take(LISTED) {
            lines.push(format!("{}: the receipt does not know this file", stranger.display()));
        }
        lines
    }

    pub(super) fn json(&self) -> Value {
        let Report { network, job, submitter, settled, unsettled, placement, warnings, .. } =
            &self.report;
        let outcomes = &self.receipt.body.outcomes;
        let owners = self.owners();
        let who = |(node, owner): &(PublicKey, PublicKey)| json!({ "node": node, "owner": owner, "owner_name": owners.name(owner) });
        let tasks: Vec<_> = settled
            .iter()
            .zip(outcomes)
            .map(|((task, agreed), outcome)| {
                json!({
                    "task": task,
                    "name": self.task_name(*task),
                    "end": outcome.end,
                    "height": agreed.height,
                    "decided": agreed.decided,
                    "chosen_by_home": agreed.first,
                    "executors": agreed.executors.iter().map(who).collect::<Vec<_>>(),
                })
            })
            .collect();
        let unsettled: Vec<_> = unsettled
            .iter()
            .map(|(task, why)| json!({ "task": task, "name": self.task_name(*task), "why": why }))
            .collect();
        let refuted: Vec<_> = self
            .refuted()
            .iter()
            .map(|(node, tasks)| {
                let mut value = who(node);
                value["tasks"] = json!(tasks);
                value
            })
            .collect();
        json!({
            "holds": true,
            "network": network,
            "pinned_by": self.pinned_by,
            "job": job,
            "submitter": submitter,
            "verification": self.receipt.body.order.payload.verification.to_string(),
            "placement": placement,
            "shows": self.shows(),
            "refuted": refuted,
            "rerun": self.rerun.as_ref().map(Rerun::json),
            "tasks": tasks,
            "unsettled": unsettled,
            "files": self.files.as_ref().map(files_json),
            "warnings": warnings,
            "not_proven": self.not_proven(),
        })
    }

    fn task_name(&self, task: TaskIndex) -> String {
        let spec = self.receipt.body.table.task_of(task);
        spec.map_or_else(|| task.to_string(), |spec| spec.into_owned().name)
    }

    fn owners(&self) -> Owners {
        Owners::of(&self.receipt.body.genesis, &self.receipt.body.vouchers)
    }

    /// The nodes that verdicts refute, their owners, and the tasks that they lied about.
    fn refuted(&self) -> BTreeMap<(PublicKey, PublicKey), Vec<TaskIndex>> {
        let mut all: BTreeMap<_, Vec<_>> = BTreeMap::new();
        for (task, nodes) in &self.report.refuted {
            nodes.iter().for_each(|who| all.entry(*who).or_default().push(*task));
        }
        all
    }

    /// Who a node of the receipt is.
    fn node(&self, node: &PublicKey) -> String {
        match self.refuted().keys().find(|(named, _)| named == node) {
            Some((node, owner)) => self.owners().node((node, owner)),
            None => format!("…{}", node.short()),
        }
    }

    /// A few of these tasks by their names.
    fn task_names(&self, tasks: &[TaskIndex]) -> String {
        let mut names: Vec<_> =
            tasks.iter().take(NAMED).map(|task| self.task_name(*task)).collect();
        if tasks.len() > NAMED {
            names.push("…".into());
        }
        names.join(" ")
    }
}

fn files_json(files: &Files) -> Value {
    let wrong: Vec<_> = files
        .wrong
        .iter()
        .map(|(path, difference)| json!({ "path": path, "difference": difference.to_string() }))
        .collect();
    json!({
        "dir": files.dir, "signed": files.signed, "wrong": wrong, "strangers": files.strangers,
    })
}
