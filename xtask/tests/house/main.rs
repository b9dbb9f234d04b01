//! The rules of the house as tests (ARCHITECTURE, "Invariants"): who may know whom, who owns which
//! library, and what every file owes its reader. Each failure says what to do.

mod arrows;
mod files;
mod manifests;
mod owners;
mod purity;
mod rooms;
mod source;

/// Fails with all faults at once, under the rule that they break.
fn hold(rule: &str, faults: Vec<String>) {
    assert!(faults.is_empty(), "\n{rule}\n  {}\n", faults.join("\n  "));
}
