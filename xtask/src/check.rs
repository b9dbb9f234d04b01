//! Looks at the sources without changing them.

use crate::{guests, project::Project, setup, steps::Steps};

/// Rooms that must be pure: words and minds (ARCHITECTURE, "Invariants").
const PURE: [&str; 6] = ["identity", "objects", "protocol", "api", "ledger", "work"];

/// The command `check`.
pub(crate) fn run(project: &Project, steps: &mut Steps) -> anyhow::Result<()> {
    setup::targets(project, steps)?;
    sources(project, steps)?;
    let mut house = steps.cargo("test --quiet --package xtask --test house");
    steps.run("house rules", &mut house)
}

/// Everything but the house rules, which are tests.
pub(crate) fn sources(project: &Project, steps: &mut Steps) -> anyhow::Result<()> {
    let mut format = steps.cargo("fmt --all --check");
    steps.run("formatting (mend with: cargo xtask fix)", &mut format)?;
    for guest in guests::rust_sources(project)? {
        let mut format = steps.cargo("fmt --check");
        steps.run("formatting of a guest", format.current_dir(&guest))?;
        let mut lint = steps.cargo_in(
            &guest,
            &guests::build_directory(project),
            "clippy --quiet --locked --all-targets",
        );
        steps.run("lints of a guest", lint.args(["--", "-D", "warnings"]))?;
    }
    fuzz_target(project, steps)?;
    let mut pure = steps.cargo("check --locked --target wasm32-unknown-unknown");
    pure.args(PURE.iter().flat_map(|room| ["--package", room]));
    steps.run("words and minds for wasm32-unknown-unknown", &mut pure)?;
    let mut lint = steps.cargo("clippy --locked --workspace --all-targets -- -D warnings");
    steps.run("lints", &mut lint)?;
    let mut links = steps.cargo("doc --locked --workspace --no-deps --document-private-items");
    // Links to private items hold for whoever reads the sources, and those are the readers here.
    links.env("RUSTDOCFLAGS", "-D warnings -A rustdoc::private_intra_doc_links");
    steps.run("links in the documentation", &mut links)
}

/// What the fuzzer is built of.
fn fuzz_target(project: &Project, steps: &mut Steps) -> anyhow::Result<()> {
    let directory = project.root.join("fuzz");
    let mut format = steps.cargo("fmt --check");
    steps.run("formatting of the fuzz target", format.current_dir(&directory))?;
    let mut lint = steps.cargo_in(
        &directory,
        &project.target.join("fuzz-build"),
        "clippy --quiet --locked --bin decoder --example seeds",
    );
    // Nothing is linked here, so the fuzzer's C++ library need not be built.
    lint.env("CUSTOM_LIBFUZZER_PATH", "/nonexistent/libfuzzer.a").args(["--", "-D", "warnings"]);
    steps.run("lints of the fuzz target", &mut lint)
}
