//! An evidence file, checked without node or network: who lied, and what proves it.

use super::{Pins, owners::Owners, rerun::Rerun};
use crate::{exit::Exit, text};
use identity::PublicKey;
use protocol::{
    Accused, Cause, Evidence, EvidenceError, EvidenceReport, Proof, TaskIndex, Warning,
};
use serde_json::{Value, json};
use std::path::PathBuf;

/// What came of checking an evidence file.
#[derive(Debug)]
pub(crate) struct Judged {
    /// The file.
    pub(crate) path: PathBuf,
    /// What it proves, if it holds.
    pub(crate) held: Result<Proven, EvidenceError>,
}

/// Evidence that holds.
#[derive(Debug)]
pub(crate) struct Proven {
    pub(crate) evidence: Evidence,
    pub(crate) report: EvidenceReport,
    /// What pins its network, if anything does.
    pub(crate) pinned_by: Option<String>,
    /// What came of running the task again, if that was asked for.
    pub(crate) rerun: Option<Rerun>,
}

/// Checks everything in an evidence file.
pub(crate) fn prove(bytes: &[u8], pins: &Pins) -> Result<Proven, EvidenceError> {
    let evidence = Evidence::decode(bytes)?;
    let (pin, pinned_by) = pins.choose(evidence.genesis.network());
    let report = evidence.verify(pin)?;
    Ok(Proven { evidence, report, pinned_by, rerun: None })
}

impl Judged {
    /// How the command ends.
    pub(crate) fn exit(&self) -> Exit {
        let Ok(proven) = &self.held else { return Exit::Unverified };
        match proven.rerun.as_ref().map_or(Exit::Success, Rerun::exit) {
            Exit::Success if proven.pinned_by.is_none() => Exit::Unpinned,
            exit => exit,
        }
    }

    /// The whole verdict for programs.
    pub(crate) fn json(&self) -> Value {
        let mut value = match &self.held {
            Err(error) => json!({ "holds": false, "reason": error.to_string() }),
            Ok(proven) => proven.json(),
        };
        value["evidence"] = json!(self.path);
        value["exit"] = json!(self.exit().code());
        value
    }

    /// The whole verdict for people, without colours.
    pub(crate) fn text(&self) -> String {
        match &self.held {
            Err(error) => format!("FAIL: {} ({error})\n", self.path.display()),
            Ok(proven) => proven.text(),
        }
    }
}

impl Proven {
    fn owners(&self) -> Owners {
        Owners::of(&self.evidence.genesis, &self.evidence.vouchers)
    }

    /// What a task is called, if the file says.
    pub(super) fn task_name(&self, task: TaskIndex) -> String {
        let spec = match &self.evidence.proof {
            Proof::Verdict(decided) => decided.table.task_of(task),
            Proof::Contradiction(_) => None,
        };
        spec.map_or_else(|| task.to_string(), |spec| spec.into_owned().name)
    }

    /// Who a node of the file is.
    fn node(&self, node: &PublicKey) -> String {
        let accused = self.report.accused.iter().map(|accused| (accused.node, accused.owner));
        let mut all = accused.chain(self.report.confirmed.iter().copied());
        match all.find(|(named, _)| named == node) {
            Some((node, owner)) => self.owners().node((&node, &owner)),
            None => format!("…{}", node.short()),
        }
    }

    fn text(&self) -> String {
        let mut lines = Vec::new();
        let job = self.report.accused.iter().find_map(|accused| accused.cause.job());
        if let Some(job) = job {
            lines.push(format!("job       {job}"));
        }
        if let Some((_, task, found)) = &self.report.verdict {
            lines.push(format!("task      {}", self.task_name(*task)));
            let validators = text::plural(self.evidence.genesis.validators.len(), "validator");
            lines.push(format!("verdict   {found}"));
            lines.push(format!("          found by a quorum of {validators} that ran it again"));
        }
        for accused in &self.report.accused {
            let owner = self.owners().node((&accused.node, &accused.owner));
            // A contradiction is proof by itself; a verdict is worth what the validators are.
            let word = if accused.claimed.is_some() { "REFUTED" } else { "PROVEN" };
            lines.push(format!("{word:<10}{owner}"));
            lines.push(format!("          {}", self.deed(accused)));
            if let Some(claimed) = &accused.claimed {
                lines.push(format!("          claimed {claimed}"));
            }
        }
        for (node, owner) in &self.report.confirmed {
            let owner = self.owners().node((node, owner));
            lines.push(format!("confirmed {owner} claimed what was found"));
        }
        let word = if self.pinned_by.is_some() { "OK" } else { "??" };
        lines.push(format!("{word:<10}network {}", self.report.network));
        lines.push(match &self.pinned_by {
            Some(by) => format!("          pinned by {by}"),
            None => "          not pinned: anybody can found a network; use --genesis HASH".into(),
        });
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

    /// What an accused did, with the task's name where the file has it.
    fn deed(&self, accused: &Accused) -> String {
        match &accused.cause {
            Cause::Refuted { task, .. } => {
                format!(
                    "claimed a wrong outcome of {}: the verdict refutes it",
                    self.task_name(*task)
                )
            }
            cause => cause.to_string(),
        }
    }

    /// What a reader might think, and the file does not show.
    fn not_proven(&self) -> Vec<String> {
        let mut lines = Vec::new();
        for warning in &self.report.warnings {
            lines.push(match warning {
                Warning::Unpinned => "that this network is the one you think of".into(),
                Warning::NoFaultTolerance => {
                    "that no validator lied: fewer than four tolerate no fault".into()
                }
                Warning::Single => "anything that was compared: one node computed it".into(),
            });
        }
        let confirmed = self.rerun.as_ref().is_some_and(|rerun| rerun.exit() == Exit::Success);
        if self.report.verdict.is_some() && !confirmed {
            lines
                .push("that the validators did not agree to lie: run it again with --rerun".into());
        }
        lines.push("why: a broken machine, a stolen key and a liar look the same".into());
        lines.push("what the polity did about it; ask a node: polity ledger sanctions".into());
        lines
    }

    fn json(&self) -> Value {
        let owners = self.owners();
        let who = |node: &PublicKey, owner: &PublicKey| json!({ "node": node, "owner": owner, "owner_name": owners.name(owner) });
        let accused: Vec<_> = self
            .report
            .accused
            .iter()
            .map(|accused| {
                let mut value = who(&accused.node, &accused.owner);
                value["cause"] = json!(accused.cause);
                value["did"] = json!(self.deed(accused));
                value["claimed"] = json!(accused.claimed);
                value
            })
            .collect();
        let confirmed: Vec<_> =
            self.report.confirmed.iter().map(|(node, owner)| who(node, owner)).collect();
        let verdict = self.report.verdict.as_ref().map(|(job, task, outcome)| {
            json!({ "job": job, "task": task, "name": self.task_name(*task), "outcome": outcome })
        });
        json!({
            "holds": true,
            "network": self.report.network,
            "pinned_by": self.pinned_by,
            "accused": accused,
            "confirmed": confirmed,
            "verdict": verdict,
            "rerun": self.rerun.as_ref().map(Rerun::json),
            "warnings": self.report.warnings,
            "not_proven": self.not_proven(),
        })
    }
}
