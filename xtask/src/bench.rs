//! Measures what the project promises, in release mode, and writes it to `docs/benchmarks.md`.
//!
//! One file for each bench. What they share: `world` (programs and places), `society` (nodes as
//! processes), `process` (running and timing), `figure` and `table` (what was found, for people).

mod cluster;
mod execution;
mod figure;
mod idle;
mod ledger;
mod machine;
pub(crate) mod process;
mod queue;
mod receipt;
mod rivals;
mod sample;
mod size;
pub(crate) mod society;
mod storage;
mod sweep;
mod table;
pub(crate) mod trivial;
mod warm;
pub(crate) mod world;

use crate::{project::Project, steps::Steps};
use anyhow::{Context as _, bail};
use figure::Figure;
use std::path::PathBuf;
use world::World;

type Bench = fn(&World, &Steps) -> anyhow::Result<Vec<Figure>>;

/// Every bench, in the order in which they run and stand in the document.
const BENCHES: [(&str, Bench); 11] = [
    ("warm", warm::run),
    ("sweep", sweep::run),
    ("ledger", ledger::run),
    ("execution", execution::run),
    ("receipt", receipt::run),
    ("idle", idle::run),
    ("storage", storage::run),
    ("queue", queue::run),
    ("cluster", cluster::run),
    ("size", size::run),
    ("build", size::build),
];
/// Those that run only if they are named.
const NAMED: [&str; 1] = ["build"];

/// What is asked for.
#[derive(Debug, PartialEq, Eq)]
struct Options {
    names: Vec<String>,
    quick: bool,
    build: bool,
    dir: PathBuf,
}

impl Options {
    fn parse(args: &[String]) -> anyhow::Result<Self> {
        let dir = std::env::temp_dir();
        let mut options = Self { names: Vec::new(), quick: false, build: true, dir };
        let mut args = args.iter();
        while let Some(arg) = args.next() {
            match arg.as_str() {
                "--quick" => options.quick = true,
                "--no-build" => options.build = false,
                "--dir" => options.dir = args.next().context("--dir needs a directory")?.into(),
                name if BENCHES.iter().any(|(known, _)| *known == name) => {
                    options.names.push(name.into());
                }
                other => {
                    let names = BENCHES.map(|(name, _)| name).join(", ");
                    bail!(
                        "{other} is no bench; there are {names}; and --quick, --no-build, --dir DIR"
                    )
                }
            }
        }
        Ok(options)
    }

    fn wants(&self, name: &str) -> bool {
        match self.names.is_empty() {
            true => !NAMED.contains(&name),
            false => self.names.iter().any(|other| other == name),
        }
    }
}

/// The command `bench`.
pub(crate) fn run(project: &Project, steps: &mut Steps, args: &[String]) -> anyhow::Result<()> {
    let options = Options::parse(args)?;
    if options.build {
        let needed = [
            ("ledger", ledger::EXAMPLE),
            ("execution", execution::EXAMPLE),
            ("queue", queue::EXAMPLE),
        ];
        let needed = needed.iter().filter(|(name, _)| options.wants(name));
        world::build(steps, needed.map(|(_, example)| *example))?;
    }
    let world = World::new(project, &options.dir, options.quick)?;
    let mut fresh = Vec::new();
    let mut failed = Vec::new();
    for (name, bench) in BENCHES {
        if !options.wants(name) {
            continue;
        }
        eprintln!("\n==> bench {name}");
        let machine = machine::describe(&project.root)?;
        match bench(&world, steps) {
            Ok(figures) => {
                figures.iter().for_each(|figure| println!("{}", figure.line()));
                fresh.push((name, table::rows(name, &machine, &figures)));
            }
            // The others are measured all the same.
            Err(error) => {
                eprintln!("{name}: {error:#}");
                failed.push(name);
            }
        }
    }
    if !options.quick {
        let path = project.root.join("docs/benchmarks.md");
        table::write(&path, &BENCHES.map(|(name, _)| name), &fresh)?;
    }
    if !failed.is_empty() {
        bail!("not measured: {}", failed.join(", "));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::Options;

    fn parse(line: &str) -> anyhow::Result<Options> {
        Options::parse(&line.split_whitespace().map(str::to_string).collect::<Vec<_>>())
    }

    #[test]
    fn benches_are_named_or_all_but_the_long_one() {
        let all = parse("").expect("nothing is named");
        assert!(all.wants("warm") && !all.wants("build") && all.build && !all.quick);
        let some = parse("sweep --quick --no-build --dir /d").expect("a line");
        assert!(some.wants("sweep") && !some.wants("warm") && !some.build && some.quick);
        assert_eq!(some.dir.to_string_lossy(), "/d");
        assert!(parse("cold").is_err() && parse("--dir").is_err());
    }
}
