//! Builds and tests the programs in `examples/guests`.

use crate::{c_compiler::CCompiler, guest_tools, project::Project, setup, steps::Steps};
use anyhow::Context as _;
use std::{
    fs,
    path::{Path, PathBuf},
};

/// The command `guests`: set-up and build.
pub(crate) fn run(project: &Project, steps: &mut Steps) -> anyhow::Result<()> {
    setup::targets(project, steps)?;
    let compiler = CCompiler::find_or_install(project, steps)?;
    build_rust(project, steps)?;
    build_c(project, steps, &compiler)?;
    guest_tools::set_up(project, steps, &compiler)?;
    println!("{}", project.guests().display());
    Ok(())
}

/// Builds the Rust guests, each as a module and, as `NAME-component`, as a component.
pub(crate) fn build_rust(project: &Project, steps: &mut Steps) -> anyhow::Result<()> {
    for source in rust_sources(project)? {
        let name = name_of(&source)?;
        let target = build_directory(project);
        let mut build = steps.cargo_in(
            &source,
            &target,
            "build --quiet --locked --release --target wasm32-wasip1 --target wasm32-wasip2",
        );
        steps.run(&format!("guest {name}"), &mut build)?;
        let built = |kind: &str| target.join(format!("{kind}/release/{name}.wasm"));
        put(project, name, &built("wasm32-wasip1"))?;
        put(project, &format!("{name}-component"), &built("wasm32-wasip2"))?;
    }
    Ok(())
}

/// Builds the C guests: directories of one `NAME/NAME.c`.
pub(crate) fn build_c(
    project: &Project,
    steps: &mut Steps,
    compiler: &CCompiler,
) -> anyhow::Result<()> {
    for directory in sources(project)? {
        let name = name_of(&directory)?;
        let source = directory.join(format!("{name}.c"));
        if source.is_file() {
            let built = build_directory(project).join(format!("{name}.wasm"));
            let mut compile = compiler.command(steps, &source, &built);
            steps.run(&format!("guest {name}"), &mut compile)?;
            put(project, name, &built)?;
        }
    }
    Ok(())
}

/// Runs the guests' own tests, on this machine's processor.
pub(crate) fn test(project: &Project, steps: &mut Steps) -> anyhow::Result<()> {
    for source in rust_sources(project)? {
        let title = format!("tests of guest {}", name_of(&source)?);
        let mut test =
            steps.cargo_in(&source, &build_directory(project), "test --quiet --locked --release");
        steps.run(&title, &mut test)?;
    }
    Ok(())
}

/// The guests that are Rust crates.
pub(crate) fn rust_sources(project: &Project) -> anyhow::Result<Vec<PathBuf>> {
    Ok(sources(project)?.into_iter().filter(|path| path.join("Cargo.toml").is_file()).collect())
}

/// Where cargo builds them; the workspace's own target directory would clash with its lock.
pub(crate) fn build_directory(project: &Project) -> PathBuf {
    project.target.join("guests-build")
}

fn sources(project: &Project) -> anyhow::Result<Vec<PathBuf>> {
    let directory = project.guest_sources();
    let mut found = Vec::new();
    for entry in fs::read_dir(&directory).with_context(|| directory.display().to_string())? {
        let path = entry?.path();
        if path.is_dir() {
            found.push(path);
        }
    }
    found.sort();
    Ok(found)
}

fn name_of(source: &Path) -> anyhow::Result<&str> {
    source.file_name().and_then(|name| name.to_str()).context("a guest's name is not UTF-8")
}

/// Puts a built guest in its place at once, so that nobody reads half of one.
fn put(project: &Project, name: &str, built: &Path) -> anyhow::Result<()> {
    let directory = project.guests();
    fs::create_dir_all(&directory).with_context(|| directory.display().to_string())?;
    let partial = directory.join(format!(".{name}.partial"));
    fs::copy(built, &partial).with_context(|| built.display().to_string())?;
    fs::rename(&partial, directory.join(format!("{name}.wasm")))?;
    Ok(())
}
