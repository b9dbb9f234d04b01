//! Every project command.

mod assemblyscript;
mod bench;
mod c_compiler;
mod check;
mod demo;
mod durable;
mod fix;
mod fuzz;
mod guest_tools;
mod guests;
mod helia;
mod live;
mod namespaces;
mod npm;
mod package;
mod planted;
mod project;
mod setup;
mod soak;
mod steps;
mod test;

use anyhow::bail;
use project::Project;
use std::process::ExitCode;
use steps::Steps;

const HELP: &str = "\
Every project command.

    cargo xtask test            everything the continuous integration runs: set-up, check, guests, tests
    cargo xtask check           formatting, lints, house rules; changes nothing
    cargo xtask fix             mends what formatting and lints can mend by themselves
    cargo xtask guests          builds examples/guests to Wasm and says where they are
    cargo xtask helia           sets up the node of IPFS that tests talk to
    cargo xtask demo [ARG]…     builds polity and the guests, then runs: polity demo ARG…
    cargo xtask soak [--kills N] [--seed S]
                                kills nodes under load, 200 times if not told otherwise
    cargo xtask soak --cluster SECONDS [--seed S]
                                everything goes wrong with the machines of one owner, under load
    cargo xtask soak --seeds N [--from SEED]
                                runs so many seeds of the simulation in which everything goes wrong
    cargo xtask durable [--mib N] [--no-build] [--dir DIR]
                                a GiB at 4+2 on six nodes: two are killed, all is read and repaired
    cargo xtask live [--minutes N] [--nodes N] [--seed S] [--no-build] [--dir DIR]
                                an hour of mixed load on ten nodes while things go wrong, drawn
    cargo xtask bench [NAME]… [--quick] [--no-build] [--dir DIR]
                                measures what is promised, and writes docs/benchmarks.md
    cargo xtask fuzz [--minutes N] [--no-build]
                                the fuzzer on every decoder, for an hour in all
    cargo xtask package [--no-build]
                                makes the package for Debian, with completions and manual pages
    cargo xtask planted         plants bugs in copies of the minds, and sees that tests find them

Build results go to cargo's target directory; CARGO_TARGET_DIR moves it.
";

fn main() -> ExitCode {
    match run(std::env::args().skip(1).collect()) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("\nxtask: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(args: Vec<String>) -> anyhow::Result<ExitCode> {
    let (command, rest) = match args.split_first() {
        None => return help(),
        Some((command, rest)) => (command.as_str(), rest),
    };
    if !matches!(command, "demo" | "durable" | "live" | "fuzz" | "soak" | "bench" | "package")
        && !rest.is_empty()
    {
        bail!("{command} takes no arguments; `cargo xtask` prints the commands");
    }
    if matches!(command, "help" | "--help" | "-h") {
        return help();
    }
    let project = Project::find()?;
    let mut steps = Steps::new(&project);
    match command {
        "test" => test::run(&project, &mut steps)?,
        "check" => check::run(&project, &mut steps)?,
        "fix" => fix::run(&project, &mut steps)?,
        "guests" => guests::run(&project, &mut steps)?,
        "helia" => helia::run(&project, &mut steps)?,
        "planted" => planted::run(&project, &mut steps)?,
        "package" => package::run(&project, &mut steps, rest)?,
        "durable" => durable::run(&project, &mut steps, rest)?,
        "live" => live::run(&project, &mut steps, rest)?,
        "bench" => bench::run(&project, &mut steps, rest)?,
        "fuzz" => fuzz::run(&project, &mut steps, rest)?,
        "soak" => soak::run(&project, &mut steps, rest)?,
        "demo" => match demo::run(&project, &mut steps, rest)? {},
        unknown => bail!("no command {unknown}; `cargo xtask` prints the commands"),
    }
    steps.summary();
    Ok(ExitCode::SUCCESS)
}

fn help() -> anyhow::Result<ExitCode> {
    print!("{HELP}");
    Ok(ExitCode::SUCCESS)
}
