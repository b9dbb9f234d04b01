//! The fuzzer on every decoder in turn, each for its share of the time.

use crate::{project::Project, steps::Steps};
use anyhow::{Context as _, bail, ensure};
use std::{
    collections::VecDeque,
    fs::{self, File},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::{Mutex, PoisonError},
    thread,
};

/// Of processors, all decoders together.
const MINUTES: u64 = 60;
/// Largest input, in bytes.
const INPUT_BYTES: u64 = 64 << 10;

/// What is asked for.
#[derive(Debug, PartialEq, Eq)]
struct Options {
    minutes: u64,
    build: bool,
}

impl Options {
    fn parse(args: &[String]) -> anyhow::Result<Self> {
        let mut options = Self { minutes: MINUTES, build: true };
        let mut args = args.iter();
        while let Some(name) = args.next() {
            match name.as_str() {
                "--no-build" => options.build = false,
                "--minutes" => {
                    let minutes = args.next().and_then(|minutes| minutes.parse().ok());
                    let minutes = minutes.filter(|minutes| *minutes > 0);
                    options.minutes = minutes.context("--minutes needs a number")?;
                }
                other => bail!("fuzz takes --minutes N and --no-build, not {other}"),
            }
        }
        Ok(options)
    }
}

/// The command `fuzz`.
pub(crate) fn run(project: &Project, steps: &mut Steps, args: &[String]) -> anyhow::Result<()> {
    let options = Options::parse(args)?;
    let (home, target) = (project.root.join("fuzz"), project.target.join("fuzz"));
    if options.build {
        build(steps, &home, &target)?;
    }
    let corpus = home.join("corpus");
    let entries = fs::read_dir(&corpus).with_context(|| corpus.display().to_string())?;
    let mut names = entries
        .map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned()))
        .collect::<anyhow::Result<Vec<_>>>()?;
    names.sort();
    ensure!(!names.is_empty(), "{} has no decoder: leave --no-build out", corpus.display());
    let fuzzer = Fuzzer {
        program: program(&target)?,
        home,
        logs: target.join("logs"),
        seconds: (options.minutes * 60).div_ceil(names.len() as u64),
    };
    fs::create_dir_all(&fuzzer.logs).with_context(|| fuzzer.logs.display().to_string())?;
    let count = names.len();
    eprintln!("\n==> {count} decoders, each for {} s", fuzzer.seconds);
    let (open, failed) = (Mutex::new(VecDeque::from(names)), Mutex::new(Vec::new()));
    thread::scope(|scope| {
        for _ in 0..thread::available_parallelism().map_or(1, usize::from) {
            scope.spawn(|| fuzzer.work(&*steps, &open, &failed));
        }
    });
    let failed = failed.into_inner().unwrap_or_else(PoisonError::into_inner);
    ensure!(failed.is_empty(), "{}", failed.join("\n"));
    Ok(())
}

fn build(steps: &mut Steps, home: &Path, target: &Path) -> anyhow::Result<()> {
    let mut seeds = steps.cargo_in(home, target, "run --quiet --locked");
    steps.run("a good input for each decoder", seeds.args(["--example", "seeds"]))?;
    let mut build = steps.cargo_in(home, target, "fuzz build");
    build.args(["--sanitizer", "none", "decoder"]);
    steps
        .run("the fuzzer", &mut build)
        .context("this needs cargo-fuzz: cargo install --locked cargo-fuzz")
}

/// Where cargo-fuzz has put it: below the name of the machine's kind.
fn program(target: &Path) -> anyhow::Result<PathBuf> {
    let entries = fs::read_dir(target).with_context(|| target.display().to_string())?;
    for entry in entries {
        let program = entry?.path().join("release/decoder");
        if program.is_file() {
            return Ok(program);
        }
    }
    bail!("there is no fuzzer in {}: leave --no-build out", target.display())
}

struct Fuzzer {
    program: PathBuf,
    home: PathBuf,
    logs: PathBuf,
    /// For each decoder.
    seconds: u64,
}

impl Fuzzer {
    /// Takes one decoder after the other until there is none.
    fn work(&self, steps: &Steps, open: &Mutex<VecDeque<String>>, failed: &Mutex<Vec<String>>) {
        let next = || open.lock().unwrap_or_else(PoisonError::into_inner).pop_front();
        while let Some(name) = next() {
            match self.one(steps, &name) {
                Ok(inputs) => println!("{name}: {inputs} inputs"),
                Err(error) => {
                    let mut failed = failed.lock().unwrap_or_else(PoisonError::into_inner);
                    failed.push(format!("{name}: {error:#}"));
                }
            }
        }
    }

    /// Gives one decoder its time, and answers how many inputs it had.
    fn one(&self, steps: &Steps, name: &str) -> anyhow::Result<u64> {
        let (log, found) = (self.logs.join(name), self.home.join("artifacts").join(name));
        fs::create_dir_all(&found).with_context(|| found.display().to_string())?;
        let out = File::create(&log).with_context(|| log.display().to_string())?;
        let mut command: Command = steps.command(&self.program);
        command.env("DECODER", name).arg(self.home.join("corpus").join(name));
        command.arg(format!("-max_total_time={}", self.seconds));
        command.arg(format!("-max_len={INPUT_BYTES}"));
        command.arg(format!("-artifact_prefix={}/", found.display()));
        command.args(["-print_final_stats=1", "-rss_limit_mb=4096"]);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(out);
        let status = command.status().context("the fuzzer cannot be run")?;
        ensure!(status.success(), "{status}; see {} and {}", log.display(), found.display());
        let said = fs::read_to_string(&log).with_context(|| log.display().to_string())?;
        inputs(&said).with_context(|| format!("{} does not say how much was done", log.display()))
    }
}

/// How many inputs there were, as the fuzzer says it in the end.
fn inputs(said: &str) -> Option<u64> {
    let count = said.lines().find_map(|line| line.strip_prefix("stat::number_of_executed_units:"));
    count?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::{Options, inputs};

    #[test]
    fn an_hour_if_nothing_else_is_said() {
        let parse = |line: &str| {
            Options::parse(&line.split_whitespace().map(str::to_string).collect::<Vec<_>>())
        };
        assert_eq!(parse("").expect("it is right"), Options { minutes: 60, build: true });
        let little = Options { minutes: 5, build: false };
        assert_eq!(parse("--no-build --minutes 5").expect("it is right"), little);
        for wrong in ["--minutes", "--minutes 0", "--minutes x", "receipt"] {
            assert!(parse(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn how_much_was_done_is_found_in_what_the_fuzzer_says() {
        let said = "Done 12 runs in 1 second(s)\nstat::number_of_executed_units: 12\nstat::x: 1\n";
        assert_eq!(inputs(said), Some(12));
        assert_eq!(inputs("nothing"), None);
    }
}
