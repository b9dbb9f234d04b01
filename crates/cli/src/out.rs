//! What a person sees: data on stdout, everything else on stderr.

use crate::{
    failure::Failure,
    text::{self, COLUMNS},
};
use serde::Serialize;
use std::{
    ffi::OsString,
    io::{IsTerminal, Write},
};

/// Between two columns.
const GAP: usize = 2;
/// What the last column of a table gets, if it needs that much.
const LAST: usize = 24;

/// How a command speaks.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Out {
    /// Data as JSON.
    pub(crate) json: bool,
    /// Colours on stderr.
    colour: bool,
    /// Colours on stdout.
    colour_data: bool,
    /// Stdout is a terminal.
    terminal_data: bool,
    /// Stderr is a terminal: things may move.
    pub(crate) terminal: bool,
}

/// What a word means, for its colour.
#[derive(Clone, Copy)]
pub(crate) enum Tone {
    Good,
    Warn,
    Bad,
    Dim,
}

impl Tone {
    fn paint(self, word: &str) -> String {
        let code = match self {
            Self::Good => "32",
            Self::Warn => "33",
            Self::Bad => "31;1",
            Self::Dim => "2",
        };
        format!("\x1b[{code}m{word}\x1b[0m")
    }
}

impl Out {
    pub(crate) fn new(json: bool) -> Self {
        let of = |terminal| Self::of(json, terminal, |name| std::env::var_os(name));
        let terminal_data = std::io::stdout().is_terminal();
        let colour_data = of(terminal_data).colour;
        Self { colour_data, terminal_data, ..of(std::io::stderr().is_terminal()) }
    }

    /// As [`Self::new`], on a terminal or not, in an environment.
    fn of(json: bool, terminal: bool, env: impl Fn(&str) -> Option<OsString>) -> Self {
        // https://no-color.org: set, to anything but the empty string.
        let no_colour = env("NO_COLOR").is_some_and(|value| !value.is_empty());
        // The name, in terminfo(5), of a terminal on which nothing can move.
        let terminal = terminal && env("TERM").is_none_or(|name| name != "dumb");
        let colour = terminal && !no_colour;
        Self { json, colour, colour_data: false, terminal_data: false, terminal }
    }

    /// Says something that is not data.
    pub(crate) fn say(&self, text: impl AsRef<str>) {
        // Whoever closed stderr does not listen.
        let _ = writeln!(std::io::stderr(), "{}", text::tame(text.as_ref()));
    }

    /// A word in its colour, for [`Self::say`].
    pub(crate) fn paint(&self, tone: Tone, word: &str) -> String {
        if self.colour { tone.paint(word) } else { word.to_string() }
    }

    /// A word in its colour, for [`Self::data`].
    pub(crate) fn paint_data(&self, tone: Tone, word: &str) -> String {
        if self.colour_data { tone.paint(word) } else { word.to_string() }
    }

    /// Prints data: `value` as JSON, or `text`.
    pub(crate) fn data<T: Serialize>(
        &self,
        value: &T,
        text: impl FnOnce() -> String,
    ) -> Result<(), Failure> {
        let mut bytes = if self.json {
            serde_json::to_vec(value).map_err(Failure::internal)?
        } else {
            text::tame(&text()).into_owned().into_bytes()
        };
        if !bytes.ends_with(b"\n") && !bytes.is_empty() {
            bytes.push(b'\n');
        }
        self.bytes(&bytes)
    }

    /// Prints what a program printed: to a terminal only what does nothing to it.
    pub(crate) fn printed(&self, bytes: &[u8]) -> Result<(), Failure> {
        match self.terminal_data {
            true => self.bytes(text::tame(&String::from_utf8_lossy(bytes)).as_bytes()),
            false => self.bytes(bytes),
        }
    }

    /// Prints bytes as they are. A reader that went away is no failure.
    pub(crate) fn bytes(&self, bytes: &[u8]) -> Result<(), Failure> {
        let mut stdout = std::io::stdout().lock();
        match stdout.write_all(bytes).and_then(|()| stdout.flush()) {
            Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => {
                Err(Failure::internal(format!("stdout: {error}")))
            }
            _ => Ok(()),
        }
    }

    /// Says why a command was not done.
    pub(crate) fn fail(&self, failure: &Failure) {
        if self.json {
            let error = serde_json::json!({
                "error": { "exit": failure.exit.code(), "message": failure.message, "next": failure.next }
            });
            return self.say(error.to_string());
        }
        self.say(format!("{} {}", self.paint(Tone::Bad, "error:"), failure.message));
        if let Some(next) = &failure.next {
            self.say(format!("  {next}"));
        }
    }
}

/// Columns, as wide as they need to be, in lines of at most 80 characters. Where that is not
/// enough, the last column goes on below itself, and the widest others lose their middle: what
/// differs is at the ends of names.
pub(crate) fn table(head: &[&str], rows: &[Vec<String>]) -> String {
    let natural = |column: usize| {
        let cells = rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count());
        cells.chain([head[column].chars().count()]).max().unwrap_or(0)
    };
    let mut widths: Vec<_> = (0..head.len()).map(natural).collect();
    fit(&mut widths);
    let Some((last, others)) = widths.split_last() else { return String::new() };
    let indent = others.iter().map(|width| width + GAP).sum::<usize>();
    let mut text = String::new();
    let head: Vec<_> = head.iter().map(ToString::to_string).collect();
    for row in std::iter::once(&head).chain(rows) {
        let mut line = String::new();
        for (cell, width) in row.iter().zip(others) {
            let cell = text::cut_middle(cell, *width);
            line.push_str(&format!("{cell:<width$}{:GAP$}", ""));
        }
        let below = text::lines(row.last().map_or("", String::as_str), *last);
        line.push_str(&below.join(&format!("\n{:indent$}", "")));
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

/// Columns, as wide as they need to be, whatever the terminal: names that are to be copied.
pub(crate) fn list(head: &[&str], rows: &[Vec<String>]) -> String {
    let head: Vec<_> = head.iter().map(ToString::to_string).collect();
    let all = || std::iter::once(&head).chain(rows);
    let width = |column: usize| {
        all().filter_map(|row| row.get(column)).map(|cell| cell.chars().count()).max().unwrap_or(0)
    };
    let widths: Vec<_> = (0..head.len()).map(width).collect();
    let mut text = String::new();
    for row in all() {
        let cells =
            row.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}{:GAP$}", ""));
        let line: String = cells.collect();
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

/// Makes columns narrower until they fit: first the last one, which can go on below itself, then
/// always the widest other one.
fn fit(widths: &mut [usize]) {
    let Some((last, others)) = widths.split_last_mut() else { return };
    let taken = |others: &[usize]| others.iter().map(|width| width + GAP).sum::<usize>();
    let room = COLUMNS.saturating_sub(taken(others)).max(LAST).min(*last);
    *last = room;
    let mut excess = (taken(others) + room).saturating_sub(COLUMNS);
    while excess > 0
        && let Some(widest) = others.iter_mut().max()
        && *widest > 1
    {
        *widest -= 1;
        excess -= 1;
    }
}

/// Names and values below each other; further lines of a value stand below its first. Values are
/// broken between words; a word that is longer than a line is left whole, for it is to be copied.
pub(crate) fn fields(pairs: &[(&str, String)]) -> String {
    let width = pairs.iter().map(|(name, _)| name.chars().count()).max().unwrap_or(0);
    let indent = format!("\n{:width$}{:GAP$}", "", "");
    let line = |(name, value): &(&str, String)| {
        let room = COLUMNS.saturating_sub(width + GAP);
        let lines: Vec<_> = value.lines().flat_map(|line| text::words(line, room)).collect();
        format!("{}\n", format!("{name:<width$}{:GAP$}{}", "", lines.join(&indent)).trim_end())
    };
    pairs.iter().map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_as_wide_as_their_widest_cell() {
        let rows = vec![vec!["a".into(), "1".into()], vec!["bbb".into(), "22".into()]];
        assert_eq!(table(&["ID", "N"], &rows), "ID   N\na    1\nbbb  22\n");
        assert_eq!(fields(&[("a", "1".into()), ("bb", "2".into())]), "a   1\nbb  2\n");
        assert_eq!(fields(&[("a", "1\n2".into())]), "a  1\n   2\n");
    }

    #[test]
    fn what_is_to_be_copied_is_never_cut() {
        let long = "x".repeat(100);
        let rows = vec![vec!["1 B".into(), long.clone(), "name".into()]];
        let text = list(&["SIZE", "CID", "NAME"], &rows);
        assert_eq!(text.lines().nth(1), Some(format!("1 B   {long}  name").as_str()));
    }

    fn widest(text: &str) -> usize {
        text.lines().map(|line| line.chars().count()).max().unwrap_or(0)
    }

    #[test]
    fn tables_fit_eighty_columns_whatever_is_in_them() {
        let long = |n: usize| format!("begin{}end{n}", "-".repeat(n));
        for n in [1, 20, 60, 255] {
            for columns in 1..8 {
                let head = ["A", "BB", "CCC", "D", "E", "F", "G", "H"];
                let row: Vec<_> = (0..columns).map(|at| long(n + at)).collect();
                let shown = table(&head[..columns], &[row]);
                assert!(widest(&shown) <= COLUMNS, "{shown}");
            }
        }
        let row = vec![long(100), "running".into(), "three words and more".repeat(5)];
        let shown = table(&["TASK", "STATE", ""], &[row]);
        let first = shown.lines().nth(1).unwrap();
        assert!(first.starts_with("begin-") && first.contains("end100  running"), "{shown}");
        assert!(shown.lines().nth(2).unwrap().starts_with("          "), "{shown}");
    }

    #[test]
    fn values_are_broken_between_words_and_never_within_one() {
        let (words, one) = ("some words ".repeat(20), "x".repeat(120));
        let shown = fields(&[("name", words), ("address", one.clone())]);
        let (broken, whole): (Vec<_>, Vec<_>) =
            shown.lines().partition(|line| line.chars().count() <= COLUMNS);
        assert_eq!(whole, [format!("address  {one}")]);
        assert!(broken[1..].iter().all(|line| line.starts_with("         ")), "{shown}");
    }

    #[test]
    fn colours_and_movement_are_for_terminals_that_want_them() {
        let of = |terminal, vars: &[(&str, &str)]| {
            let out = Out::of(false, terminal, |name| {
                vars.iter().find(|(var, _)| *var == name).map(|(_, value)| value.into())
            });
            (out.paint(Tone::Bad, "x") != "x", out.terminal)
        };
        assert_eq!(of(true, &[]), (true, true));
        assert_eq!(of(true, &[("NO_COLOR", ""), ("TERM", "xterm")]), (true, true));
        assert_eq!(of(true, &[("NO_COLOR", "1")]), (false, true));
        assert_eq!(of(true, &[("TERM", "dumb")]), (false, false));
        assert_eq!(of(false, &[("CLICOLOR_FORCE", "1")]), (false, false));
    }
}
