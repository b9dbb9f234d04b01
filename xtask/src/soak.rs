//! Long runs of what the continuous integration runs shortly, from a seed that is printed.

use crate::{namespaces, project::Project, steps::Steps};
use anyhow::{Context as _, bail};
use std::{fs, time::SystemTime};

/// The test that kills nodes; it takes its numbers from the environment.
const KILLS: &str = "kills::any_node_may_die_at_any_moment_and_every_acknowledged_job_ends_once";
/// The test in which everything goes wrong with a cluster; so does it.
const CHAOS: &str = "chaos::in_chaos_every_task_is_final_once_and_clients_see_one_register";
/// What nodes write down, unless `POLITY_LOG` asks for something else.
const LOG: &str = "info,node=debug,work=debug,network=debug,storage=debug";

/// The simulation's long run; see `crates/sim/examples/soak.rs`.
fn simulate(steps: &mut Steps, args: &[String]) -> anyhow::Result<()> {
    let mut command = steps.cargo("run --locked --release --package sim --example soak --");
    steps.run("everything goes wrong, in virtual time", command.args(args))
}

/// What goes on for long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Storm {
    /// Nodes of different owners are killed so often.
    Kills(u64),
    /// Everything goes wrong with the machines of one owner, for so many seconds.
    Cluster(u64),
}

/// What is asked for.
#[derive(Debug, PartialEq, Eq)]
struct Options {
    storm: Storm,
    /// What chance follows from; a fresh one if none is given.
    seed: Option<u64>,
}

impl Options {
    fn parse(args: &[String]) -> anyhow::Result<Self> {
        let mut options = Self { storm: Storm::Kills(200), seed: None };
        let mut args = args.iter();
        while let Some(name) = args.next() {
            let value = args.next().with_context(|| format!("{name} needs a number"))?;
            let number = value.parse().with_context(|| format!("{name} {value} is no number"))?;
            match name.as_str() {
                "--kills" => options.storm = Storm::Kills(number),
                "--cluster" => options.storm = Storm::Cluster(number),
                "--seed" => options.seed = Some(number),
                other => {
                    bail!("soak takes --kills N or --cluster SECONDS, and --seed S, not {other}")
                }
            }
        }
        Ok(options)
    }
}

/// The command `soak`.
pub(crate) fn run(project: &Project, steps: &mut Steps, args: &[String]) -> anyhow::Result<()> {
    if args.first().is_some_and(|name| matches!(name.as_str(), "--seeds" | "--from")) {
        return simulate(steps, args);
    }
    let Options { storm, seed } = Options::parse(args)?;
    let seed = match seed {
        Some(seed) => seed,
        None => SystemTime::now().duration_since(SystemTime::UNIX_EPOCH)?.as_secs(),
    };
    namespaces::find_or_install(steps)?;
    let dir = project.target.join(format!("soak/{seed}"));
    if dir.exists() {
        fs::remove_dir_all(&dir).with_context(|| dir.display().to_string())?;
    }
    fs::create_dir_all(&dir).with_context(|| dir.display().to_string())?;
    // Of the whole workspace, so that what `cargo xtask test` has built is not built once more.
    let (mut test, what, again) = match storm {
        Storm::Kills(kills) => {
            let mut test = steps.cargo("test --locked --workspace --test faults --");
            test.args(["--exact", KILLS, "--nocapture"]);
            test.env("POLITY_SOAK_KILLS", kills.to_string());
            test.env("POLITY_SOAK_SEED", seed.to_string());
            (test, format!("{kills} kills"), format!("--kills {kills}"))
        }
        Storm::Cluster(seconds) => {
            let mut test = steps.cargo("test --locked --workspace --test cluster --");
            test.args(["--exact", CHAOS, "--nocapture"]);
            test.env("POLITY_CHAOS", seconds.to_string()).env("POLITY_SEED", seed.to_string());
            (test, format!("{seconds} s of chaos"), format!("--cluster {seconds}"))
        }
    };
    test.env("POLITY_SOAK_DIR", &dir);
    if std::env::var_os("POLITY_LOG").is_none() {
        test.env("POLITY_LOG", LOG);
    }
    steps.run(&format!("{what}, seed {seed}"), &mut test).with_context(|| {
        let dir = dir.display();
        format!(
            "what the nodes wrote is in {dir}; again with: cargo xtask soak {again} --seed {seed}"
        )
    })?;
    fs::remove_dir_all(&dir).with_context(|| dir.display().to_string())
}

#[cfg(test)]
mod tests {
    use super::{Options, Storm};

    fn parse(line: &str) -> Result<Options, String> {
        let args: Vec<String> = line.split_whitespace().map(str::to_string).collect();
        Options::parse(&args).map_err(|error| error.to_string())
    }

    #[test]
    fn numbers_are_taken_and_everything_else_is_refused() {
        assert_eq!(parse(""), Ok(Options { storm: Storm::Kills(200), seed: None }));
        assert_eq!(
            parse("--seed 7 --kills 3"),
            Ok(Options { storm: Storm::Kills(3), seed: Some(7) })
        );
        let chaos = Options { storm: Storm::Cluster(60), seed: Some(7) };
        assert_eq!(parse("--cluster 60 --seed 7"), Ok(chaos));
        assert!(parse("--kills").is_err_and(|error| error.contains("needs a number")));
        assert!(parse("--kills many").is_err_and(|error| error.contains("many")));
        assert!(parse("--hours 3").is_err_and(|error| error.contains("--hours")));
    }
}
