//! Checks that the tools are there, and gets those that can be had without asking.

use crate::{
    project::Project,
    steps::{Steps, succeeds},
};
use anyhow::{Context as _, bail};
use std::{fs, path::PathBuf, process::Command};

/// The compilation targets that `rust-toolchain.toml` names.
pub(crate) fn targets(project: &Project, steps: &mut Steps) -> anyhow::Result<()> {
    let file = project.root.join("rust-toolchain.toml");
    let text = fs::read_to_string(&file).with_context(|| file.display().to_string())?;
    let libraries = sysroot(steps)?.join("lib/rustlib");
    let missing: Vec<&str> = targets_of(&text)
        .context("rust-toolchain.toml has no line `targets = [\"…\"]`")?
        .into_iter()
        .filter(|target| !libraries.join(target).join("lib").is_dir())
        .collect();
    if missing.is_empty() {
        return Ok(());
    }
    if !succeeds(Command::new("rustup").arg("--version")) {
        bail!("the Rust targets {} are missing; install them, or rustup", missing.join(", "));
    }
    let mut command = steps.command("rustup");
    steps.run("Rust targets", command.args(["target", "add"]).args(missing))
}

/// The names in the line `targets = [...]`.
fn targets_of(text: &str) -> Option<Vec<&str>> {
    let line = text.lines().find_map(|line| line.strip_prefix("targets = ["))?;
    let list = line.trim_end().strip_suffix(']')?;
    Some(list.split(',').map(|name| name.trim().trim_matches('"')).collect())
}

/// Debian's package tool with the words of `line`, for [`is_root`] only.
pub(crate) fn apt(steps: &Steps, line: &str) -> Command {
    let mut command = steps.command("apt-get");
    command
        .args(["-o", "DPkg::Lock::Timeout=300", "-o", "Acquire::Retries=3", "-y", "-q"])
        .args(line.split_whitespace())
        .env("DEBIAN_FRONTEND", "noninteractive");
    command
}

/// Whether this user may install packages.
pub(crate) fn is_root() -> bool {
    Command::new("id").arg("-u").output().is_ok_and(|output| output.stdout.trim_ascii() == b"0")
}

fn sysroot(steps: &Steps) -> anyhow::Result<PathBuf> {
    let output = steps
        .command("rustc")
        .args(["--print", "sysroot"])
        .output()
        .context("rustc cannot be run")?;
    Ok(PathBuf::from(String::from_utf8(output.stdout)?.trim_end()))
}

#[cfg(test)]
mod tests {
    use super::targets_of;

    #[test]
    fn the_targets_of_the_toolchain_file_are_found() {
        let text = "[toolchain]\ntargets = [\"wasm32-wasip1\", \"x\"]\nprofile = \"minimal\"\n";
        assert_eq!(targets_of(text), Some(vec!["wasm32-wasip1", "x"]));
        assert_eq!(targets_of("[toolchain]\n"), None);
    }
}
