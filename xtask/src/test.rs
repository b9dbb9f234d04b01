//! Everything that must hold, cheapest first.

use crate::{
    c_compiler::CCompiler,
    check, guest_tools, guests, helia, namespaces,
    project::{Project, cargo},
    setup,
    steps::{Steps, succeeds},
};
use std::process::Command;

/// The command `test`.
pub(crate) fn run(project: &Project, steps: &mut Steps) -> anyhow::Result<()> {
    setup::targets(project, steps)?;
    let compiler = CCompiler::find_or_install(project, steps)?;
    namespaces::find_or_install(steps)?;
    guests::build_rust(project, steps)?;
    guests::build_c(project, steps, &compiler)?;
    guest_tools::set_up(project, steps, &compiler)?;
    guests::test(project, steps)?;
    helia::set_up(project, steps)?;
    check::sources(project, steps)?;

    let mut tests = if succeeds(Command::new(cargo()).args(["nextest", "--version"])) {
        steps.cargo("nextest run --locked --workspace")
    } else {
        eprintln!("\ncargo-nextest is not installed; plain `cargo test` runs the tests instead");
        steps.cargo("test --locked --workspace --lib --bins --tests")
    };
    steps.run(
        "tests",
        tests.env("POLITY_GUESTS", project.guests()).env("POLITY_HELIA", project.helia()),
    )?;
    let mut examples = steps.cargo("test --locked --workspace --doc --quiet");
    steps.run("examples in the documentation", &mut examples)
}
