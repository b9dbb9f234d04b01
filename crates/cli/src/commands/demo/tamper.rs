//! A forgery: one bit of one result, changed and changed back.

use crate::{failure::Failure, job::layout, verify::Verdict};
use std::{
    fs,
    path::{Path, PathBuf},
};

/// A file with one changed bit.
pub(super) struct Forged {
    path: PathBuf,
    before: Vec<u8>,
}

/// Flips the lowest bit in the middle of the first result that is not empty.
pub(super) fn flip(verdict: &Verdict, dir: &Path) -> Result<Forged, Failure> {
    let held = verdict.held.as_ref().map_err(Failure::internal)?;
    let body = &held.receipt.body;
    let outputs = dir.join("out");
    for outcome in &body.outcomes {
        for (file, output) in layout::files(&body.table, outcome).iter().zip(&outcome.outputs) {
            if output.size_bytes > 0 {
                return change(outputs.join(&file.path));
            }
        }
    }
    Err(Failure::usage("the program of the demo writes no files")
        .next("give --program one that writes to /out; cargo xtask demo brings one"))
}

fn change(path: PathBuf) -> Result<Forged, Failure> {
    let before = fs::read(&path).map_err(|error| Failure::file(&path, &error))?;
    let mut bytes = before.clone();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(&path, bytes).map_err(|error| Failure::file(&path, &error))?;
    Ok(Forged { path, before })
}

impl Forged {
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    pub(super) fn restore(&self) -> Result<(), Failure> {
        fs::write(&self.path, &self.before).map_err(|error| Failure::file(&self.path, &error))
    }
}
