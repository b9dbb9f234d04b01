//! Builds what the demonstration needs and becomes it.

use crate::{guests, project::Project, setup, steps::Steps};
use anyhow::Context as _;
use std::{convert::Infallible, os::unix::process::CommandExt as _, process::Command};

/// The command `demo`: comes back only if the demonstration cannot be started. It takes the place
/// of this program, so that a Ctrl-C is its own to clean up after.
pub(crate) fn run(
    project: &Project,
    steps: &mut Steps,
    args: &[String],
) -> anyhow::Result<Infallible> {
    setup::targets(project, steps)?;
    guests::build_rust(project, steps)?;
    let mut build = steps.cargo("build --locked --package node --bin polity");
    steps.run("polity", &mut build)?;
    let polity = project.target.join("debug/polity");
    eprintln!("\n==> polity demo {}", args.join(" "));
    let error = Command::new(&polity)
        .arg("demo")
        .args(args)
        .env("POLITY_DEMO_PROGRAM", project.guests().join("cycles.wasm"))
        .env("POLITY_DEMO_EACH", project.root.join("examples/data/*.csv"))
        .exec();
    Err(error).with_context(|| format!("{} cannot be run", polity.display()))
}
