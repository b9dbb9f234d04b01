//! One thing that was looked at.

use crate::{
    failure::Failure,
    out::{Out, Tone},
    text,
};
use serde::Serialize;

/// How a thing is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Grade {
    /// As it should be.
    Good,
    /// Worth a look.
    Warn,
    /// It keeps something from working.
    Bad,
}

/// What was looked at, how it is, and what to do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct Check {
    pub(super) check: &'static str,
    pub(super) grade: Grade,
    /// One or two sentences.
    pub(super) text: String,
    /// What to do about it.
    pub(super) next: Option<String>,
}

/// Columns of a check's name.
const NAME: usize = 10;
/// Columns of a line.
const COLUMNS: usize = 80;

impl Check {
    fn new(check: &'static str, grade: Grade, text: impl Into<String>) -> Self {
        Self { check, grade, text: text.into(), next: None }
    }

    pub(super) fn good(check: &'static str, text: impl Into<String>) -> Self {
        Self::new(check, Grade::Good, text)
    }

    pub(super) fn warn(check: &'static str, text: impl Into<String>) -> Self {
        Self::new(check, Grade::Warn, text)
    }

    pub(super) fn bad(check: &'static str, text: impl Into<String>) -> Self {
        Self::new(check, Grade::Bad, text)
    }

    pub(super) fn failed(check: &'static str, failure: &Failure) -> Self {
        let text = format!("{}.", sentence(&failure.message));
        Self { next: failure.next.clone(), ..Self::bad(check, text) }
    }

    pub(super) fn next(self, next: impl Into<String>) -> Self {
        Self { next: Some(next.into()), ..self }
    }

    /// A line with its sign, and what to do below it.
    pub(super) fn show(&self, out: Out) -> String {
        let (sign, tone) = match self.grade {
            Grade::Good => ("✓", Tone::Good),
            Grade::Warn => ("!", Tone::Warn),
            Grade::Bad => ("✗", Tone::Bad),
        };
        let indent = NAME + 4;
        let mut lines = text::words(&self.text, COLUMNS - indent);
        lines.extend(self.next.iter().flat_map(|next| {
            let words = text::words(next, COLUMNS - indent - 2).into_iter().enumerate();
            words.map(|(at, line)| format!("{} {line}", if at == 0 { ">" } else { " " }))
        }));
        let lines = lines.join(&format!("\n{:indent$}", ""));
        format!("{} {:NAME$}  {lines}\n", out.paint_data(tone, sign), self.check)
    }
}

/// The same, beginning with a capital.
pub(super) fn sentence(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map(|first| first.to_uppercase().chain(chars).collect()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_fits_and_says_what_to_do() {
        let check = Check::bad("disk", "word ".repeat(40).trim_end()).next("do ".repeat(60));
        let shown = check.show(Out::new(false));
        assert!(shown.starts_with("✗ disk        word"), "{shown}");
        assert!(shown.lines().all(|line| line.chars().count() <= 80), "{shown}");
        assert!(shown.contains("\n              > do do"), "{shown}");
    }
}
