//! Builds what the demonstration needs and runs it.

use crate::{guests, project::Project, setup, steps::Steps};
use anyhow::Context as _;
use std::process::ExitCode;

/// The command `demo`: gives back the exit code of `polity demo`.
pub(crate) fn run(
    project: &Project,
    steps: &mut Steps,
    args: &[String],
) -> anyhow::Result<ExitCode> {
    setup::targets(project, steps)?;
    guests::build_rust(project, steps)?;
    let mut build = steps.cargo("build --locked --package node --bin polity");
    steps.run("polity", &mut build)?;
    let mut demo = steps.command(project.target.join("debug/polity"));
    demo.arg("demo")
        .args(args)
        .current_dir(std::env::current_dir().context("this directory is gone")?)
        .env("POLITY_DEMO_PROGRAM", project.guests().join("cycles.wasm"))
        .env("POLITY_DEMO_EACH", project.root.join("examples/data/*.csv"));
    let status = steps.status("polity demo", &mut demo)?;
    // Killed by a signal: shells say 128 and more.
    Ok(status
        .code()
        .and_then(|code| u8::try_from(code).ok())
        .map_or(ExitCode::FAILURE, ExitCode::from))
}
