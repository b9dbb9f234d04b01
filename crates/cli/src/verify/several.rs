//! Results whose receipts are several: what was known before a run, and what it ordered.

use super::{
    Files, Held, Materials, Pins, Verdict, files,
    rerun::{self, Rerun, Tell},
};
use crate::{
    exit::Exit,
    failure::Failure,
    job::{
        layout::{self, Placed, RECEIPT},
        manifest::{self, KnownIn, Manifest},
        results,
    },
    launch::Launch,
    text,
};
use protocol::{Outcome, Receipt, ReceiptError, TaskIndex};
use serde_json::{Value, json};
use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
};

/// Names in a list, at most.
const LISTED: usize = 20;
/// Receipts of which all is told that can be; of more only what is wrong, and one in a line.
const TOLD: usize = 3;

/// What came of checking every receipt of a run.
#[derive(Debug)]
pub(crate) struct Several {
    dir: PathBuf,
    /// How many tasks the run has.
    tasks: usize,
    pub(super) parts: Vec<Part>,
}

/// One of the receipts, and the tasks of the run that it is about.
#[derive(Debug)]
pub(super) struct Part {
    pub(super) verdict: Verdict,
    covered: Vec<Covered>,
}

/// A task that a receipt is about.
#[derive(Debug)]
struct Covered {
    /// What it is called in the run.
    here: String,
    /// What it is called in its job.
    there: String,
    /// Whether it was accepted: there is a result.
    settled: bool,
}

/// Whether a directory, or the receipt in it, is of a run that has several receipts.
pub(super) fn manifest_of(
    place: &Path,
    outputs: Option<&Path>,
) -> Result<Option<(PathBuf, Manifest)>, Failure> {
    let dir = match place.file_name() {
        _ if place.is_dir() => place,
        Some(name) if name == RECEIPT => place.parent().unwrap_or(Path::new("")),
        _ => return Ok(None),
    };
    let dir = outputs.unwrap_or(dir);
    let manifest = Manifest::read(dir)?.filter(|manifest| !manifest.known.is_empty());
    Ok(manifest.map(|manifest| (dir.to_path_buf(), manifest)))
}

/// Checks every receipt in a directory, and each file against the one that is about it.
pub(super) fn check(dir: PathBuf, manifest: &Manifest, pins: &Pins) -> Result<Several, Failure> {
    let main = dir.join(RECEIPT);
    let mut sources = Vec::new();
    for known in &manifest.known {
        let path = results::known_receipt(&dir, &known.job);
        sources.push((if path.exists() { path } else { main.clone() }, Some(known)));
    }
    let covered: usize = manifest.known.iter().map(|known| known.tasks.len()).sum();
    if covered < manifest.tasks && main.exists() {
        sources.push((main, None));
    }
    let mut parts: Vec<Part> = Vec::new();
    let mut placed = BTreeSet::new();
    let mut names = BTreeSet::new();
    for (path, known) in sources {
        let (part, files) = Part::check(&path, known, (&dir, manifest, &names), pins)?;
        placed.extend(files.iter().map(|file| dir.join(&file.path)));
        names.extend(part.covered.iter().map(|covered| covered.here.clone()));
        parts.push(part);
    }
    let strangers = files::strangers(&dir, &dir.join(RECEIPT), &placed);
    let first = parts.iter_mut().find_map(|part| part.verdict.held.as_mut().ok());
    if let Some(files) = first.and_then(|held| held.files.as_mut()) {
        files.strangers = strangers;
    }
    Ok(Several { dir, tasks: manifest.tasks, parts })
}

impl Part {
    /// Checks one receipt and the files that it is about, apart from tasks that another one has.
    fn check(
        path: &Path,
        known: Option<&KnownIn>,
        (dir, manifest, others): (&Path, &Manifest, &BTreeSet<String>),
        pins: &Pins,
    ) -> Result<(Self, Vec<Placed>), Failure> {
        let bytes = super::read(path)?;
        let verdict = |held| Verdict { path: path.into(), held };
        let held = super::hold(&bytes, pins).and_then(|held| match known {
            Some(known) if known.job != held.1.job => {
                Err(ReceiptError::Damaged("it is of another job than is said beside it"))
            }
            _ => Ok(held),
        });
        let (receipt, report, pinned_by) = match held {
            Ok(held) => held,
            Err(error) => {
                return Ok((
                    Self { verdict: verdict(Err(error)), covered: Vec::new() },
                    Vec::new(),
                ));
            }
        };
        let (mut covered, mut placed) = (Vec::new(), Vec::new());
        for (task, here) in named(&receipt, known) {
            let Some(spec) = receipt.body.table.task_of(task) else { continue };
            // A directory that waits for a job still holds the receipt that was there before.
            if others.contains(&here) {
                continue;
            }
            let outcome = outcome(&receipt, task);
            covered.push(Covered {
                here: here.clone(),
                there: spec.name.clone(),
                settled: outcome.is_some(),
            });
            if let Some(outcome) = outcome {
                placed.extend(layout::files_of(&here, manifest.alone(), outcome));
            }
        }
        let files = Some(Files::compare(dir, &placed));
        let held = Held { receipt, report, pinned_by, files, rerun: None };
        Ok((Self { verdict: verdict(Ok(held)), covered }, placed))
    }

    /// One that holds, in a line.
    fn line(&self) -> String {
        let files = self.verdict.held.as_ref().ok().and_then(|held| held.files.as_ref());
        let files = text::plural(files.map_or(0, |files| files.signed), "file");
        let tasks = text::plural(self.covered.len(), "task");
        format!("OK        {}: {tasks}, {files}\n", self.verdict.path.display())
    }
}

/// The tasks of a job that are of the run: those that are said, else all.
fn named(receipt: &Receipt, known: Option<&KnownIn>) -> Vec<(TaskIndex, String)> {
    match known {
        Some(known) => known.tasks.clone(),
        None => {
            let specs = receipt.body.table.tasks();
            (0..).map(TaskIndex).zip(specs.map(|spec| spec.into_owned().name)).collect()
        }
    }
}

fn outcome(receipt: &Receipt, task: TaskIndex) -> Option<&Outcome> {
    let outcomes = &receipt.body.outcomes;
    let found = outcomes.binary_search_by_key(&task, |outcome| outcome.task).ok()?;
    Some(&outcomes[found])
}

impl Several {
    /// Runs tasks again on this machine: those that are named as in the run, else all.
    pub(super) fn rerun(
        &mut self,
        materials: &Materials,
        launch: &dyn Launch,
        tell: Tell<'_>,
    ) -> Result<(), Failure> {
        let covered = || self.parts.iter().flat_map(|part| &part.covered);
        let is_here = |name: &&String| !covered().any(|covered| covered.here == **name);
        if let Some(name) = materials.tasks.iter().find(is_here) {
            let said = Failure::usage(format!("the run has no task named {name}"));
            let first = covered().next().map_or("", |covered| &covered.here);
            return Err(
                said.next(format!("tasks are named as their files are: the first one is {first}"))
            );
        }
        for Part { verdict, covered } in &mut self.parts {
            let Ok(held) = &mut verdict.held else { continue };
            let wanted = |covered: &&Covered| match materials.tasks.is_empty() {
                true => covered.settled,
                false => materials.tasks.contains(&covered.here),
            };
            let tasks: Vec<_> =
                covered.iter().filter(wanted).map(|one| one.there.clone()).collect();
            if !tasks.is_empty() {
                let materials = Materials { tasks, ..materials.clone() };
                held.rerun = Some(rerun::receipt(held, &materials, launch, tell)?);
            }
        }
        Ok(())
    }

    /// Tasks of the run that no receipt here is about.
    fn uncovered(&self) -> usize {
        let covered: usize = self.parts.iter().map(|part| part.covered.len()).sum();
        self.tasks.saturating_sub(covered)
    }

    /// Tasks whose jobs call them otherwise.
    fn renamed(&self) -> Vec<(&Covered, &Path)> {
        let all =
            self.parts.iter().flat_map(|part| part.covered.iter().zip(std::iter::repeat(part)));
        let renamed = all.filter(|(covered, _)| covered.here != covered.there);
        renamed.map(|(covered, part)| (covered, part.verdict.path.as_path())).collect()
    }

    /// How the command ends: as the worst of all does.
    pub(super) fn exit(&self) -> Exit {
        let exits = || self.parts.iter().map(|part| part.verdict.exit());
        let any = |exit| exits().any(|other| other == exit);
        if any(Exit::Unverified) || self.uncovered() > 0 {
            Exit::Unverified
        } else if any(Exit::NotComparable) {
            Exit::NotComparable
        } else if any(Exit::Unpinned) {
            Exit::Unpinned
        } else {
            Exit::Success
        }
    }

    pub(super) fn text(&self) -> String {
        let receipts = text::plural(self.parts.len(), "receipt");
        let tasks = text::plural(self.tasks, "task");
        let mut text = format!("run       {tasks}, {receipts}\n");
        let many = self.parts.len() > TOLD;
        // One of them is told whole: what is not proven holds for all.
        let mut whole = false;
        for part in &self.parts {
            if many && whole && part.verdict.exit() == Exit::Success {
                text.push_str(&part.line());
                continue;
            }
            whole = true;
            text.push_str(&format!("\nreceipt   {}\n", part.verdict.path.display()));
            text.push_str(&format!(
                "          of {} of the run\n",
                text::plural(part.covered.len(), "task")
            ));
            text.push_str(&part.verdict.text());
        }
        let renamed = self.renamed();
        for (Covered { here, there, .. }, path) in renamed.iter().take(LISTED) {
            let path = path.display();
            text.push_str(&format!("--        {here} is called {there} in {path}\n"));
        }
        if self.uncovered() > 0 {
            let (left, said) = (self.uncovered(), manifest::path(&self.dir));
            let said = said.display();
            text.push_str(&format!("FAIL: {left} of {tasks} have no receipt here ({said})\n"));
        }
        text
    }

    pub(super) fn json(&self) -> Value {
        let renamed = |(covered, path): &(&Covered, &Path)| json!({ "here": covered.here, "there": covered.there, "receipt": path });
        json!({
            "dir": self.dir,
            "tasks": self.tasks,
            "uncovered": self.uncovered(),
            "renamed": self.renamed().iter().map(renamed).collect::<Vec<_>>(),
            "receipts": self.parts.iter().map(|part| part.verdict.json()).collect::<Vec<_>>(),
            "rerun": self.reruns(),
            "exit": self.exit().code(),
        })
    }

    fn reruns(&self) -> Option<Vec<Value>> {
        let held = self.parts.iter().filter_map(|part| part.verdict.held.as_ref().ok());
        let reruns: Vec<_> = held.filter_map(|held| held.rerun.as_ref()).map(Rerun::json).collect();
        (!reruns.is_empty()).then_some(reruns)
    }
}
