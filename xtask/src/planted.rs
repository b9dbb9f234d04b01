//! Plants bugs in copies of the minds, and sees that the tests of `sim` find each of them.
//!
//! A checker that never failed proves little. Every plant takes one rule away; if no test fails,
//! the tests are to be improved. The checkout is not touched.

use crate::{project::Project, steps::Steps};
use anyhow::{Context as _, bail, ensure};
use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

/// The crates that are copied: words, minds, and `sim`.
const CRATES: [&str; 6] = ["identity", "objects", "protocol", "ledger", "work", "sim"];
/// Tests that are run on each plant, until one of them fails: `sim` first.
const TESTS: [&str; 2] = [
    "--package sim --lib --test world --test hostile",
    "--package protocol --package ledger --package work",
];

/// One rule that is taken away.
struct Plant {
    /// What is wrong then.
    what: &'static str,
    /// The file, below `crates`.
    file: &'static str,
    /// A text that is there once.
    text: &'static str,
    /// What takes its place.
    instead: &'static str,
}

impl Plant {
    /// The file's text with the bug in it.
    fn plant(&self, source: &str) -> anyhow::Result<String> {
        let times = source.matches(self.text).count();
        ensure!(times == 1, "{}: the text of `{}` is there {times} times", self.file, self.what);
        Ok(source.replace(self.text, self.instead))
    }
}

const PLANTS: &[Plant] = &[
    Plant {
        what: "a reveal need not open its commitment",
        file: "protocol/src/agreement.rs",
        text: "if !opened {",
        instead: "if false {",
    },
    Plant {
        what: "one validator decides a dispute",
        file: "ledger/src/disputes.rs",
        text: "Some((outcome, signers)) if signers >= quorum => Ok(Some(outcome)),",
        instead: "Some((outcome, _)) => Ok(Some(outcome)),",
    },
    Plant {
        what: "a home chooses its executors",
        file: "ledger/src/handle/agree.rs",
        text: "draw::is_fair(candidates, skipped, executors)",
        instead: "{ let _ = skipped; executors.iter().all(is_candidate) }",
    },
    Plant {
        what: "a refuted replica still counts",
        file: "work/src/dispute.rs",
        text: "self.refute((job, task), &liars, turn);\n        self.advance(job, task, turn);",
        instead: "self.advance(job, task, turn);",
    },
    Plant {
        what: "a home does not wait for the verdict",
        file: "work/src/judge.rs",
        text: "let undecided = race.dissent && record.ruling(task).is_none();",
        instead: "let undecided = false;",
    },
    Plant {
        what: "a task becomes final twice",
        file: "ledger/src/handle/agree.rs",
        text: "if ledger.is_final(id, task.task) {",
        instead: "if false {",
    },
    Plant {
        what: "a sanction never ends",
        file: "ledger/src/standing.rs",
        text: "let due = |s: &&mut Sanction| s.released.is_none() && s.until <= time;",
        instead: "let due = |s: &&mut Sanction| s.until <= time && s.strike == 0;",
    },
    Plant {
        what: "executors audit themselves",
        file: "protocol/src/draw.rs",
        text: ".filter(|candidate| !theirs.contains(&candidate.party));",
        instead: ".filter(|candidate| theirs.contains(&candidate.party));",
    },
    Plant {
        what: "a stranger has a part in a dispute",
        file: "ledger/src/handle/dispute.rs",
        text: "claimed.executors.keys().find(|node| !is_candidate(node))",
        instead: "claimed.executors.keys().find(|node| is_candidate(node) && !is_candidate(node))",
    },
    Plant {
        what: "saying one thing twice is a contradiction",
        file: "protocol/src/contradiction.rs",
        text: "if first.leaf.hidden == second.leaf.hidden {",
        instead: "if first.leaf.hidden != first.leaf.hidden {",
    },
    Plant {
        what: "sanctioned owners are drawn",
        file: "protocol/src/roster.rs",
        text: "if !barred.contains(&party) {",
        instead: "if !barred.contains(&party) || !barred.is_empty() {",
    },
    Plant {
        what: "a validator rules twice about one task",
        file: "ledger/src/handle/verdict.rs",
        text: "if record.is_open() && !said {",
        instead: "if record.is_open() && (said || !said) {",
    },
    Plant {
        what: "anybody rules",
        file: "ledger/src/handle/verdict.rs",
        text: "if ledger.validators.binary_search(&by).is_err() {",
        instead: "if false {",
    },
    Plant {
        what: "what is disputed becomes final",
        file: "ledger/src/handle/agree.rs",
        text: "Some(DisputeStatus::Open) => Err(Refusal::Disputed { job: *job, task }),",
        instead: "Some(DisputeStatus::Open) => Ok(()),",
    },
    Plant {
        what: "a sealed job is drawn with any beacon",
        file: "ledger/src/handle/order.rs",
        text: "Some(ordered) if ordered.next() == drawn => Ok(()),",
        instead: "Some(ordered) if ordered.next() <= drawn.next().next() => Ok(()),",
    },
    Plant {
        what: "a receipt needs no certificate",
        file: "protocol/src/pieces.rs",
        text: "check_final(parts, network, validators)),",
        instead: "check_final(&parts[..0], network, validators)),",
    },
];

/// The command `planted`.
pub(crate) fn run(project: &Project, steps: &mut Steps) -> anyhow::Result<()> {
    let dir = project.target.join("planted");
    let copy = Copy { crates: dir.join("crates"), dir };
    copy.make(&project.root)?;
    if let Some(test) = copy.failing(steps, "nothing planted", &TESTS[..1])? {
        bail!("{test} fails although nothing was planted");
    }
    let mut rows = Vec::new();
    for plant in PLANTS {
        let path = copy.crates.join(plant.file);
        let source = fs::read_to_string(&path).with_context(|| path.display().to_string())?;
        fs::write(&path, plant.plant(&source)?)?;
        let caught = copy.failing(steps, &format!("planted: {}", plant.what), &TESTS)?;
        fs::write(&path, source)?;
        eprintln!("caught by {}", caught.as_deref().unwrap_or("NOBODY"));
        rows.push((plant.what, caught));
    }
    println!("\n| planted | caught by |\n| --- | --- |");
    for (what, caught) in &rows {
        println!("| {what} | {} |", caught.as_deref().unwrap_or("NOBODY"));
    }
    let missed = rows.iter().filter(|(_, caught)| caught.is_none()).count();
    ensure!(missed == 0, "{missed} of {} planted bugs were not caught", rows.len());
    Ok(())
}

/// A workspace of its own with copies of a few crates.
struct Copy {
    dir: PathBuf,
    crates: PathBuf,
}

impl Copy {
    fn make(&self, root: &Path) -> anyhow::Result<()> {
        if self.crates.exists() {
            fs::remove_dir_all(&self.crates).context("the last copy cannot be removed")?;
        }
        for name in CRATES {
            copy_dir(&root.join("crates").join(name), &self.crates.join(name))?;
        }
        let stand_ins = self.dir.join("stand-ins");
        if stand_ins.exists() {
            fs::remove_dir_all(&stand_ins).context("the last copy cannot be removed")?;
        }
        copy_dir(&root.join("stand-ins"), &stand_ins)?;
        let manifest = fs::read_to_string(root.join("Cargo.toml"))?;
        let (all, few) = (r#"members = ["crates/*", "xtask"]"#, r#"members = ["crates/*"]"#);
        ensure!(manifest.contains(all), "the workspace has other members than this knows");
        fs::write(self.dir.join("Cargo.toml"), manifest.replace(all, few))?;
        for file in ["Cargo.lock", "rust-toolchain.toml"] {
            fs::copy(root.join(file), self.dir.join(file)).with_context(|| file.to_string())?;
        }
        Ok(())
    }

    /// The first test that fails, if one does.
    fn failing(
        &self,
        steps: &mut Steps,
        title: &str,
        tests: &[&str],
    ) -> anyhow::Result<Option<String>> {
        for tests in tests {
            let mut test = steps.cargo(&format!("test --offline --quiet {tests}"));
            test.current_dir(&self.dir).env("CARGO_TARGET_DIR", self.dir.join("target"));
            // What it does to the real workspace does not concern the copy.
            test.env_remove("CARGO_UNSTABLE_FEATURE_UNIFICATION");
            test.env_remove("CARGO_RESOLVER_FEATURE_UNIFICATION").env("RUST_BACKTRACE", "0");
            let text = self.output(steps, title, &mut test)?;
            if let Some(text) = text {
                return name_of(&text).map(Some).with_context(|| format!("{title}:\n{text}"));
            }
        }
        Ok(None)
    }

    /// What a step printed, if it failed.
    fn output(
        &self,
        steps: &mut Steps,
        title: &str,
        command: &mut Command,
    ) -> anyhow::Result<Option<String>> {
        let path = self.dir.join("output.txt");
        let file = fs::File::create(&path)?;
        command.stdout(file.try_clone()?).stderr(file);
        let status = steps.status(title, command)?;
        Ok(if status.success() { None } else { Some(fs::read_to_string(path)?) })
    }
}

/// The first test that failed, from what the test runner printed; nothing if it did not compile.
fn name_of(text: &str) -> Option<String> {
    let thread = text.lines().find_map(|line| line.trim().strip_prefix("thread '"))?;
    thread.split('\'').next().map(str::to_string)
}

fn copy_dir(from: &Path, to: &Path) -> anyhow::Result<()> {
    fs::create_dir_all(to).with_context(|| to.display().to_string())?;
    for entry in fs::read_dir(from).with_context(|| from.display().to_string())? {
        let entry = entry?;
        let (source, target) = (entry.path(), to.join(entry.file_name()));
        if entry.file_type()?.is_dir() {
            copy_dir(&source, &target)?;
        } else {
            fs::copy(&source, &target).with_context(|| source.display().to_string())?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::{PLANTS, name_of};
    use std::{collections::BTreeSet, fs, path::Path};

    #[test]
    fn every_plant_changes_a_text_that_is_there_once() {
        let crates = Path::new(env!("CARGO_MANIFEST_DIR")).join("../crates");
        let different: BTreeSet<_> = PLANTS.iter().map(|plant| plant.what).collect();
        assert_eq!(different.len(), PLANTS.len());
        for plant in PLANTS {
            let source = fs::read_to_string(crates.join(plant.file)).expect(plant.file);
            assert_ne!(plant.plant(&source).expect(plant.what), source);
        }
    }

    #[test]
    fn the_test_that_failed_is_named() {
        let text = "\nthread 'no_fork' (17) panicked at a.rs:1:\n  oh\nthread 'other' panicked";
        assert_eq!(name_of(text).as_deref(), Some("no_fork"));
        assert_eq!(name_of("error[E0308]: mismatched types"), None);
    }
}
