//! Makes the package for Debian: the binary, and what it says of itself as completions and manual
//! pages.

use crate::{
    project::{Project, cargo},
    steps::{Steps, succeeds},
};
use anyhow::{Context as _, bail, ensure};
use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

const SHELLS: [&str; 3] = ["bash", "zsh", "fish"];
/// What makes the package out of `[package.metadata.deb]` in crates/node/Cargo.toml.
const INSTALL: &str = "cargo install cargo-deb --version 3.8.0 --locked";

/// The command `package`.
pub(crate) fn run(project: &Project, steps: &mut Steps, args: &[String]) -> anyhow::Result<()> {
    let build = match args {
        [] => true,
        [only] if only == "--no-build" => false,
        _ => bail!("usage: cargo xtask package [--no-build]"),
    };
    if build {
        let mut build = steps.cargo("build --release --locked --package node --bin polity");
        steps.run("the binary", &mut build)?;
    }
    let release = project.target.join("release");
    assets(&release.join("polity"), &release.join("assets"))?;
    if !succeeds(Command::new(cargo()).args(["deb", "--version"])) {
        bail!("cargo-deb is not installed; type: {INSTALL}");
    }
    let mut deb = steps.cargo("deb --package node --no-build --locked");
    steps.run("the package", &mut deb)
}

/// Asks the binary for its completions and manual pages, and puts them where the package takes
/// them from. What an older binary said goes away.
fn assets(binary: &Path, into: &Path) -> anyhow::Result<()> {
    ensure!(binary.is_file(), "{} is not there; leave --no-build out", binary.display());
    if into.exists() {
        fs::remove_dir_all(into).with_context(|| into.display().to_string())?;
    }
    let completions = into.join("completions");
    fs::create_dir_all(&completions).with_context(|| completions.display().to_string())?;
    for shell in SHELLS {
        let file = completions.join(format!("polity.{shell}"));
        let script = output(Command::new(binary).args(["completions", shell]))?;
        fs::write(&file, script).with_context(|| file.display().to_string())?;
    }
    let man: PathBuf = into.join("man");
    output(Command::new(binary).arg("man").arg("--dir").arg(&man))?;
    Ok(())
}

fn output(command: &mut Command) -> anyhow::Result<Vec<u8>> {
    let output = command.output().with_context(|| format!("cannot run {command:?}"))?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "{command:?}: {}\n{said}", output.status);
    Ok(output.stdout)
}

#[cfg(test)]
mod tests {
    use super::SHELLS;
    use std::{fs, path::PathBuf};
    use toml::{Table, Value};

    fn node() -> PathBuf {
        let here = PathBuf::from(std::env::var_os("CARGO_MANIFEST_DIR").expect("cargo says it"));
        here.join("../crates/node")
    }

    fn text(value: &Value) -> &str {
        value.as_str().expect("a text")
    }

    #[test]
    fn everything_that_the_package_holds_is_there_or_is_made() {
        let manifest = fs::read_to_string(node().join("Cargo.toml")).expect("it is there");
        let manifest: Table = manifest.parse().expect("it is TOML");
        let deb = &manifest["package"]["metadata"]["deb"];
        let assets = deb["assets"].as_array().expect("a list");
        let sources = assets.iter().map(|asset| text(&asset[0]));
        let mut made: Vec<_> =
            SHELLS.iter().map(|s| format!("assets/completions/polity.{s}")).collect();
        made.extend(["polity".into(), "assets/man/*.1".into()]);
        for source in sources {
            match source.strip_prefix("target/release/") {
                Some(built) => made.retain(|name| name != built),
                None => {
                    let path = node().join(source.trim_end_matches("*.md"));
                    assert!(path.exists(), "{source} is not there");
                }
            }
        }
        assert!(made.is_empty(), "made, and not in the package: {made:?}");
        for (table, key) in [(deb, "maintainer-scripts"), (&deb["systemd-units"], "unit-scripts")] {
            assert!(node().join(text(&table[key])).is_dir(), "{key}");
        }
    }
}
