//! Find the trend, the daily cycle and the periods in a week of one station's weather.
//!
//!     cycles [--utc-offset HOURS] [NAME.csv]…
//!
//! Reads `/in/NAME.csv` (by default every `.csv` there), writes `/out/NAME.json` with the fits and
//! `/out/NAME-periodogram.csv`, and prints one line for each. Ends with 1 if a file cannot be
//! analysed and with 2 if the arguments make no sense.

mod fit;
mod least_squares;
mod periodogram;
mod report;
mod week;

use std::{fs, path::Path, process::ExitCode};

/// Eastern Standard Time, where the stations of the example data are.
const DEFAULT_UTC_OFFSET_H: f64 = -5.0;

fn main() -> ExitCode {
    let (utc_offset_h, mut names) = match parse_args(std::env::args().skip(1)) {
        Ok(parsed) => parsed,
        Err(reason) => return fail(2, &reason),
    };
    let (input, output) = (Path::new("/in"), Path::new("/out"));
    if names.is_empty() {
        match csv_files(input) {
            Ok(found) => names = found,
            Err(reason) => return fail(1, &reason),
        }
    }
    for name in &names {
        match analyse(input, output, name, utc_offset_h) {
            Ok(line) => println!("{line}"),
            Err(reason) => return fail(1, &format!("{name}: {reason}")),
        }
    }
    ExitCode::SUCCESS
}

fn fail(code: u8, reason: &str) -> ExitCode {
    eprintln!("cycles: {reason}");
    ExitCode::from(code)
}

fn parse_args(mut args: impl Iterator<Item = String>) -> Result<(f64, Vec<String>), String> {
    let mut utc_offset_h = DEFAULT_UTC_OFFSET_H;
    let mut names = Vec::new();
    while let Some(arg) = args.next() {
        if arg == "--utc-offset" {
            let value = args.next().ok_or("--utc-offset needs a number of hours")?;
            utc_offset_h = value
                .parse()
                .ok()
                .filter(|h: &f64| h.abs() <= 14.0)
                .ok_or(format!("--utc-offset {value} is not between -14 and 14 hours"))?;
        } else if arg.starts_with('-') {
            return Err(format!("no option {arg}; usage: cycles [--utc-offset HOURS] [NAME.csv]…"));
        } else {
            names.push(arg);
        }
    }
    Ok((utc_offset_h, names))
}

/// Names of the `.csv` files of a directory, sorted.
fn csv_files(directory: &Path) -> Result<Vec<String>, String> {
    let entries = fs::read_dir(directory).map_err(|e| format!("{}: {e}", directory.display()))?;
    let mut names = Vec::new();
    for entry in entries {
        let entry = entry.map_err(|e| format!("{}: {e}", directory.display()))?;
        names.extend(entry.file_name().into_string().ok().filter(|name| name.ends_with(".csv")));
    }
    names.sort();
    if names.is_empty() {
        return Err(format!("there is no .csv file in {}", directory.display()));
    }
    Ok(names)
}

/// Analyses one file and gives back the line for people.
fn analyse(input: &Path, output: &Path, name: &str, utc_offset_h: f64) -> Result<String, String> {
    let text = fs::read_to_string(input.join(name)).map_err(|e| e.to_string())?;
    let week = week::parse(&text)?;
    let temperature = fit::Fit::of(&week.temperature, utc_offset_h)
        .map_err(|reason| format!("temperature: {reason}"))?;
    // Pressure is reported less often; a week without enough of it still has its temperature.
    let pressure = fit::Fit::of(&week.pressure, utc_offset_h).ok();

    let stem = name.strip_suffix(".csv").unwrap_or(name);
    let write = |file: String, content: String| {
        fs::write(output.join(&file), content).map_err(|e| format!("writing {file}: {e}"))
    };
    let spectrum = report::periodogram(&week, &temperature, pressure.as_ref());
    write(format!("{stem}.json"), report::json(stem, &week, &temperature, pressure.as_ref()))?;
    write(format!("{stem}-periodogram.csv"), spectrum)?;
    Ok(report::line(stem, &temperature, pressure.as_ref()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn args(list: &[&str]) -> Result<(f64, Vec<String>), String> {
        parse_args(list.iter().map(|arg| arg.to_string()))
    }

    #[test]
    fn arguments_are_names_and_an_offset() {
        assert_eq!(args(&["a.csv", "b.csv"]), Ok((-5.0, vec!["a.csv".into(), "b.csv".into()])));
        assert_eq!(args(&["--utc-offset", "1"]), Ok((1.0, vec![])));
        for wrong in [&["--utc-offset"][..], &["--utc-offset", "NaN"], &["--offset", "1"]] {
            assert!(args(wrong).is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn every_week_of_the_example_data_has_a_daily_cycle_of_temperature() {
        let here = std::env::var_os("CARGO_MANIFEST_DIR").expect("cargo says where this crate is");
        let data = Path::new(&here).join("../../data");
        let names = csv_files(&data).expect("the data are in the repository");
        assert_eq!(names.len(), 156);
        for name in names {
            let text = fs::read_to_string(data.join(&name)).expect("a readable file");
            let week = week::parse(&text).expect(&name);
            let fit = fit::Fit::of(&week.temperature, -5.0).expect(&name);
            assert!((0.0..15.0).contains(&fit.daily.amplitude.value), "{name}: {fit:?}");
            assert!((-20.0..35.0).contains(&fit.mean), "{name}: {fit:?}");
        }
    }

    #[test]
    fn a_file_that_is_not_there_or_holds_something_else_says_so() {
        let nowhere = Path::new("/nonexistent");
        assert!(analyse(nowhere, nowhere, "x.csv", 0.0).is_err());
        assert!(csv_files(nowhere).is_err());
    }
}
