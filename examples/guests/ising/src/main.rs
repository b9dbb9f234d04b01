//! Simulate the Ising model of a magnet and compare it with Onsager's exact solution.
//!
//!     ising SIZE CLUSTERS TEMPERATURE…
//!
//! A square lattice of SIZE × SIZE spins, periodic at its edges, is flipped by Wolff clusters:
//! CLUSTERS of them are measured at each TEMPERATURE (in units of the coupling). Writes
//! `/out/ising.csv` and prints one line per temperature. Randomness comes from `random_get`, which
//! the runner seeds: one seed, one result. Ends with 2 if the arguments make no sense.

mod exact;
mod lattice;
mod random;

use lattice::{Lattice, Measured};
use random::Random;
use std::{fmt::Write as _, process::ExitCode};

const USAGE: &str =
    "usage: ising SIZE CLUSTERS TEMPERATURE…   for instance: ising 32 4000 1.8 2.269 3.0";

/// What to simulate.
#[derive(Debug, PartialEq)]
struct Plan {
    /// Spins along an edge, 4 to 512.
    size: usize,
    /// Clusters measured at each temperature, 100 to 1,000,000.
    clusters: u32,
    /// Temperatures, 0.5 to 10, at most 64.
    temperatures: Vec<f64>,
}

fn main() -> ExitCode {
    let plan = match parse(std::env::args().skip(1).collect()) {
        Ok(plan) => plan,
        Err(reason) => return fail(2, &format!("{reason}\n{USAGE}")),
    };
    let mut seed = [0; 32];
    if let Err(reason) = getrandom::fill(&mut seed) {
        return fail(1, &format!("no randomness: {reason}"));
    }
    let mut random = Random::new(seed);
    let mut table = String::from(
        "temperature,energy,energy_error,energy_exact,magnetisation,magnetisation_error,magnetisation_exact\n",
    );
    for temperature in &plan.temperatures {
        let mut lattice = Lattice::new(plan.size, *temperature);
        let measured = lattice.run(plan.clusters, &mut random);
        println!("{}", report(*temperature, &measured, &mut table));
    }
    match std::fs::write("/out/ising.csv", table) {
        Ok(()) => ExitCode::SUCCESS,
        Err(reason) => fail(1, &format!("writing /out/ising.csv: {reason}")),
    }
}

fn fail(code: u8, reason: &str) -> ExitCode {
    eprintln!("ising: {reason}");
    ExitCode::from(code)
}

fn parse(args: Vec<String>) -> Result<Plan, String> {
    let [size, clusters, temperatures @ ..] = &args[..] else {
        return Err("a size and a number of clusters are needed".into());
    };
    let wrong = |what: &str, text: &str, range: &str| format!("{what} '{text}' is not {range}");
    let plan = Plan {
        size: size
            .parse()
            .ok()
            .filter(|n| (4..=512).contains(n))
            .ok_or_else(|| wrong("size", size, "between 4 and 512"))?,
        clusters: clusters
            .parse()
            .ok()
            .filter(|n| (100..=1_000_000).contains(n))
            .ok_or_else(|| wrong("clusters", clusters, "between 100 and 1000000"))?,
        temperatures: temperatures
            .iter()
            .map(|text| {
                text.parse()
                    .ok()
                    .filter(|t| (0.5..=10.0).contains(t))
                    .ok_or_else(|| wrong("temperature", text, "between 0.5 and 10"))
            })
            .collect::<Result<_, _>>()?,
    };
    match plan.temperatures.len() {
        1..=64 => Ok(plan),
        n => Err(format!("{n} temperatures; 1 to 64 are allowed")),
    }
}

/// Adds a row to the table and gives back the line for people.
fn report(temperature: f64, measured: &Measured, table: &mut String) -> String {
    let energy_exact = exact::energy(temperature);
    let magnetisation_exact = exact::magnetisation(temperature);
    let Measured { energy, magnetisation } = measured;
    // Writing to a string cannot fail.
    let _ = writeln!(
        table,
        "{temperature},{:.6},{:.6},{energy_exact:.6},{:.6},{:.6},{magnetisation_exact:.6}",
        energy.mean, energy.error, magnetisation.mean, magnetisation.error,
    );
    format!(
        "T = {temperature}: energy {:.4} ± {:.4} (infinite lattice {energy_exact:.4}), \
         magnetisation {:.4} ± {:.4} ({magnetisation_exact:.4})",
        energy.mean, energy.error, magnetisation.mean, magnetisation.error,
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(args: &[&str]) -> Result<Plan, String> {
        parse(args.iter().map(|arg| arg.to_string()).collect())
    }

    #[test]
    fn arguments_are_checked_before_anything_runs() {
        assert_eq!(
            plan(&["8", "100", "2", "2.5"]),
            Ok(Plan { size: 8, clusters: 100, temperatures: vec![2.0, 2.5] })
        );
        for wrong in [
            &[][..],
            &["8"],
            &["8", "100"],
            &["3", "100", "2"],
            &["8", "99", "2"],
            &["8", "100", "NaN"],
            &["8", "100", "-1"],
            &["8", "100", "hot"],
        ] {
            assert!(plan(wrong).is_err(), "{wrong:?}");
        }
    }
}
