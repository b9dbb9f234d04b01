//! Mends what formatting and lints can mend by themselves.

use crate::{guests, project::Project, steps::Steps};

/// The command `fix`.
pub(crate) fn run(project: &Project, steps: &mut Steps) -> anyhow::Result<()> {
    let mut lint =
        steps.cargo("clippy --fix --allow-dirty --allow-staged --workspace --all-targets");
    steps.run("lints", &mut lint)?;
    let mut format = steps.cargo("fmt --all");
    steps.run("formatting", &mut format)?;
    for guest in guests::rust_sources(project)? {
        let mut lint = steps.cargo_in(
            &guest,
            &guests::build_directory(project),
            "clippy --fix --allow-dirty --allow-staged --all-targets",
        );
        steps.run("lints of a guest", &mut lint)?;
        let mut format = steps.cargo("fmt");
        steps.run("formatting of a guest", format.current_dir(&guest))?;
    }
    let mut format = steps.cargo("fmt");
    steps.run("formatting of the fuzz target", format.current_dir(project.root.join("fuzz")))
}
