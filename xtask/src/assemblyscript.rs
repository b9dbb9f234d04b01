//! Finds, or installs, the compiler of the guests in AssemblyScript.

use crate::{npm, project::Project, steps::Steps};
use std::path::PathBuf;

/// The directory `node_modules` with the compiler in it.
pub(crate) fn find_or_install(project: &Project, steps: &mut Steps) -> anyhow::Result<PathBuf> {
    let source = project.guest_sources().join("assemblyscript");
    let built = project.target.join("guests-build/assemblyscript");
    npm::find_or_install(steps, "AssemblyScript", (&source, &built), ".bin/asc")
}
