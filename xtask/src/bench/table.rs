//! The figures in `docs/benchmarks.md`: one table, in which each bench replaces its own rows when it
//! runs again.

use super::figure::Figure;
use anyhow::Context as _;
use std::{fs, path::Path};

const BEGIN: &str = "<!-- cargo xtask bench: begin -->";
const END: &str = "<!-- cargo xtask bench: end -->";
const HEAD: &str = "\
| what | goal | measured | | beside it, in the same run |
| --- | --- | --- | --- | --- |
";
/// Rows that were measured by hand, and that no bench replaces.
const BY_HAND: &str = "by hand";

/// How the first row of a bench begins.
fn mark(name: &str) -> String {
    format!("| **{name}**")
}

/// What one bench found, as the document shows it: a row that says where and when, and one for each
/// figure.
pub(crate) fn rows(name: &str, machine: &str, figures: &[Figure]) -> String {
    let mut text = format!("{}, {machine} | | | | |\n", mark(name));
    for figure in figures {
        let cells = figure.cells().map(|cell| cell.replace('|', "\\|"));
        text.push_str(&format!("| {} |\n", cells.join(" | ")));
    }
    text
}

/// Puts rows in their places; those of other benches stay as they are. `order` is that of the
/// document.
pub(crate) fn write(path: &Path, order: &[&str], fresh: &[(&str, String)]) -> anyhow::Result<()> {
    let shown = || path.display().to_string();
    let document = fs::read_to_string(path).with_context(shown)?;
    let changed = replace(&document, order, fresh).with_context(shown)?;
    fs::write(path, changed).with_context(shown)
}

fn replace(document: &str, order: &[&str], fresh: &[(&str, String)]) -> anyhow::Result<String> {
    let (before, rest) = document.split_once(BEGIN).context("no comment where figures begin")?;
    let (inside, after) = rest.split_once(END).context("no comment where figures end")?;
    let mut text = format!("{before}{BEGIN}\n\n{HEAD}");
    for name in order.iter().chain([&BY_HAND]) {
        let new = fresh.iter().find(|(other, _)| other == name).map(|(_, new)| new.as_str());
        if let Some(found) = new.or_else(|| kept(inside, name)) {
            text.push_str(&format!("{}\n", found.trim()));
        }
    }
    Ok(format!("{text}\n{END}{after}"))
}

/// The rows of that name as they are.
fn kept<'a>(inside: &'a str, name: &str) -> Option<&'a str> {
    let head = mark(name);
    let from = inside.find(&head)?;
    let rest = &inside[from..];
    let end = rest[head.len()..].find("\n| **").map_or(rest.len(), |at| head.len() + at);
    Some(&rest[..end])
}

#[cfg(test)]
mod tests {
    use super::{BEGIN, END, replace, rows};
    use crate::bench::figure::{Figure, Unit};

    #[test]
    fn a_bench_replaces_its_own_rows_and_no_others() {
        let order = ["warm", "sweep", "idle"];
        let text = |name: &str, value: f64| {
            rows(name, "today", &[Figure::new("a | b").with("", value, Unit::Ms)])
        };
        let hand = "| **by hand**, once | | | | |\n| found | – | 9 | – | – |\n";
        let empty = format!("# Figures\n\n{BEGIN}\n{hand}\n{END}\nafter\n");
        let one = replace(&empty, &order, &[("idle", text("idle", 1.0))]).expect("markers");
        let two = replace(&one, &order, &[("warm", text("warm", 2.0))]).expect("markers");
        let again = replace(&two, &order, &[("idle", text("idle", 3.0))]).expect("markers");
        let at = ["2.00 ms", "3.00 ms", "| found"].map(|part| again.find(part).expect("there"));
        assert!(at.is_sorted(), "{again}");
        assert!(!again.contains("1.00 ms") && again.contains("a \\| b"), "{again}");
        assert_eq!(again.matches("| what |").count(), 1, "{again}");
        assert!(again.starts_with("# Figures\n") && again.ends_with("\nafter\n"), "{again}");
        assert_eq!(replace(&again, &order, &[]).expect("markers"), again, "nothing new, no change");
        assert!(replace("no markers", &order, &[]).is_err());
    }
}
