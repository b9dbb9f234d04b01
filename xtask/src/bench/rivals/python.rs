//! A Python environment with packages from PyPI, kept from one bench to the next.

use crate::{bench::world::World, steps::Steps};
use anyhow::{Context as _, ensure};
use std::{
    fs,
    path::PathBuf,
    process::{Command, Stdio},
};

/// The interpreter of an environment that has `package` (`name==version`).
pub(super) fn with(world: &World, steps: &Steps, package: &str) -> anyhow::Result<PathBuf> {
    let name = package.replace("==", "-");
    let (venv, partial) = (world.cache.join(&name), world.cache.join(format!(".{name}.partial")));
    if !venv.is_dir() {
        if partial.exists() {
            fs::remove_dir_all(&partial)?;
        }
        fs::create_dir_all(&world.cache)?;
        // Environments know their own place: this one is made where it stays, and marked when whole.
        let mut make = steps.command("python3");
        quiet(make.args(["-m", "venv"]).arg(&venv))?;
        let installed = quiet(steps.command(venv.join("bin/python")).args([
            "-m",
            "pip",
            "install",
            "--quiet",
            "--disable-pip-version-check",
            package,
        ]));
        if installed.is_err() {
            fs::remove_dir_all(&venv)?;
            installed?;
        }
    }
    Ok(venv.join("bin/python"))
}

fn quiet(command: &mut Command) -> anyhow::Result<()> {
    let said = command.stdin(Stdio::null()).output().with_context(|| format!("{command:?}"))?;
    ensure!(said.status.success(), "{command:?}\n{}", String::from_utf8_lossy(&said.stderr));
    Ok(())
}
