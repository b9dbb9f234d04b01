//! The figures in `docs/benchmarks.md`: one section for each bench, replaced when it runs again.

use super::figure::Figure;
use anyhow::Context as _;
use std::{fs, path::Path};

const BEGIN: &str = "<!-- cargo xtask bench: begin -->";
const END: &str = "<!-- cargo xtask bench: end -->";
const HEAD: &str = "\
| what | goal | measured | | beside it, in the same run |
| --- | --- | --- | --- | --- |
";

/// What one bench found, as the document shows it.
pub(crate) fn section(name: &str, machine: &str, figures: &[Figure]) -> String {
    let mut text = format!("### {name}\n\nMeasured {machine}.\n\n{HEAD}");
    for figure in figures {
        let cells = figure.cells().map(|cell| cell.replace('|', "\\|"));
        text.push_str(&format!("| {} |\n", cells.join(" | ")));
    }
    text
}

/// Puts sections in their places; those of other benches stay as they are. `order` is that of the
/// document.
pub(crate) fn write(
    path: &Path,
    order: &[&str],
    sections: &[(&str, String)],
) -> anyhow::Result<()> {
    let shown = || path.display().to_string();
    let document = fs::read_to_string(path).with_context(shown)?;
    let changed = replace(&document, order, sections).with_context(shown)?;
    fs::write(path, changed).with_context(shown)
}

fn replace(document: &str, order: &[&str], sections: &[(&str, String)]) -> anyhow::Result<String> {
    let (before, rest) = document.split_once(BEGIN).context("no comment where figures begin")?;
    let (inside, after) = rest.split_once(END).context("no comment where figures end")?;
    let mut text = format!("{before}{BEGIN}\n");
    for name in order {
        let new = sections.iter().find(|(other, _)| other == name).map(|(_, new)| new.as_str());
        if let Some(found) = new.or_else(|| kept(inside, name)) {
            text.push_str(&format!("\n{}\n", found.trim()));
        }
    }
    Ok(format!("{text}\n{END}{after}"))
}

/// The section of that name as it is.
fn kept<'a>(inside: &'a str, name: &str) -> Option<&'a str> {
    let head = format!("### {name}\n");
    let from = inside.find(&head)?;
    let rest = &inside[from..];
    let end = rest[head.len()..].find("\n### ").map_or(rest.len(), |at| head.len() + at);
    Some(&rest[..end])
}

#[cfg(test)]
mod tests {
    use super::{BEGIN, END, replace, section};
    use crate::bench::figure::{Figure, Unit};

    #[test]
    fn a_bench_replaces_its_own_section_and_no_other() {
        let order = ["warm", "sweep", "idle"];
        let text = |name: &str, value: f64| {
            section(name, "today", &[Figure::new("a | b").with("", value, Unit::Ms)])
        };
        let empty = format!("# Figures\n\n{BEGIN}\n{END}\nafter\n");
        let one = replace(&empty, &order, &[("idle", text("idle", 1.0))]).expect("markers");
        let two = replace(&one, &order, &[("warm", text("warm", 2.0))]).expect("markers");
        let again = replace(&two, &order, &[("idle", text("idle", 3.0))]).expect("markers");
        let (warm, idle) =
            (again.find("2.00 ms").expect("kept"), again.find("3.00 ms").expect("new"));
        assert!(warm < idle, "{again}");
        assert!(!again.contains("1.00 ms") && again.contains("a \\| b"), "{again}");
        assert!(again.starts_with("# Figures\n") && again.ends_with("\nafter\n"), "{again}");
        assert_eq!(replace(&again, &order, &[]).expect("markers"), again, "nothing new, no change");
        assert!(replace("no markers", &order, &[]).is_err());
    }
}
