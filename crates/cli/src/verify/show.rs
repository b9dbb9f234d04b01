//! A receipt that holds, for people and for programs: three things apart, then what is not proven.

use super::{Files, Held};
use crate::text;
use identity::PublicKey;
use protocol::{Report, TaskIndex, Warning};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

/// Names and files in a list, at most.
const LISTED: usize = 20;

impl Held {
    pub(super) fn text(&self) -> String {
        let mut lines = Vec::new();
        let body = &self.receipt.body;
        let job = &body.order.payload;
        let submitter = self.name_of(&self.report.submitter);
        lines.push(format!("job       {}", self.report.job));
        lines.push(format!(
            "          {} of {submitter}, {}, signed {}",
            text::plural(job.tasks as usize, "task"),
            job.verification,
            job.issued,
        ));
        self.bytes(&mut lines);
        self.signed(&mut lines);
        self.accepted(&mut lines);
        for (task, why) in &self.report.unsettled {
            let why = crate::job::progress::sentence(why);
            lines.push(format!("--        {}: {why}", self.task_name(*task)));
        }
        lines.push("not proven:".into());
        lines.extend(self.not_proven().into_iter().map(|line| format!("  - {line}")));
        lines.join("\n") + "\n"
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
        let names: Vec<_> = owners.iter().take(LISTED).map(|owner| self.name_of(owner)).collect();
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
        if self.receipt.body.order.payload.verification.k > 1 {
            lines.push("that the owners who agree did not agree to lie".into());
        }
        lines.push("that owners with different keys are different people".into());
        lines.push("the order of the draw: placement was fast, its nonce the submitter's".into());
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
        let Report { network, job, submitter, settled, unsettled, warnings } = &self.report;
        let outcomes = &self.receipt.body.outcomes;
        let names = self.names();
        let tasks: Vec<_> = settled
            .iter()
            .zip(outcomes)
            .map(|((task, agreed), outcome)| {
                json!({
                    "task": task,
                    "name": self.task_name(*task),
                    "end": outcome.end,
                    "height": agreed.height,
                    "executors": agreed.executors.iter().map(|(node, owner)| {
                        json!({ "node": node, "owner": owner, "owner_name": names.get(owner) })
                    }).collect::<Vec<_>>(),
                })
            })
            .collect();
        let unsettled: Vec<_> = unsettled
            .iter()
            .map(|(task, why)| json!({ "task": task, "name": self.task_name(*task), "why": why }))
            .collect();
        json!({
            "holds": true,
            "network": network,
            "pinned_by": self.pinned_by,
            "job": job,
            "submitter": submitter,
            "verification": self.receipt.body.order.payload.verification.to_string(),
            "tasks": tasks,
            "unsettled": unsettled,
            "files": self.files.as_ref().map(files_json),
            "warnings": warnings,
            "not_proven": self.not_proven(),
        })
    }

    fn task_name(&self, task: TaskIndex) -> String {
        let spec = self.receipt.body.table.tasks.get(task.0 as usize);
        spec.map_or_else(|| task.to_string(), |spec| spec.name.clone())
    }

    fn name_of(&self, owner: &PublicKey) -> String {
        let name = self.names().get(owner).cloned().unwrap_or_else(|| "?".into());
        format!("{name} (…{})", owner.short())
    }

    /// What owners call themselves.
    fn names(&self) -> BTreeMap<PublicKey, String> {
        let body = &self.receipt.body;
        let founders = body.genesis.founders.iter().map(|f| (f.by, f.payload.name.clone()));
        let vouched = body.vouchers.iter().map(|admission| {
            let voucher = &admission.payload.voucher.payload;
            (voucher.owner, voucher.name.clone())
        });
        // A founder's name stands, whatever later vouchers say.
        vouched.chain(founders).collect()
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
