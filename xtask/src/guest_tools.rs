//! Puts the compilers that the pages in `docs/guests` type where the test of those pages finds
//! them: `tools/bin` and `tools/node_modules`, beside the built guests.

use crate::{assemblyscript, c_compiler::CCompiler, npm, project::Project, steps::Steps};
use anyhow::Context as _;
use std::{fs, os::unix::fs::PermissionsExt};

/// Sets the tools up, as far as they are not.
pub(crate) fn set_up(
    project: &Project,
    steps: &mut Steps,
    compiler: &CCompiler,
) -> anyhow::Result<()> {
    let modules = assemblyscript::find_or_install(project, steps)?;
    let tools = project.guests().join("tools");
    let bin = tools.join("bin");
    fs::create_dir_all(&bin).with_context(|| bin.display().to_string())?;
    // Whatever the compiler is called here, the page calls it clang.
    let clang = bin.join("clang");
    fs::write(&clang, compiler.script()).with_context(|| clang.display().to_string())?;
    fs::set_permissions(&clang, fs::Permissions::from_mode(0o755))?;
    npm::link(&modules, &tools.join("node_modules"))
}
