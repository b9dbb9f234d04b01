//! What a person sees: data on stdout, everything else on stderr.

use crate::failure::Failure;
use serde::Serialize;
use std::io::{IsTerminal, Write};

/// How a command speaks.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Out {
    /// Data as JSON.
    pub(crate) json: bool,
    /// Colours on stderr.
    colour: bool,
    /// Stderr is a terminal: things may move.
    pub(crate) terminal: bool,
}

/// What a word means, for its colour.
#[derive(Clone, Copy)]
pub(crate) enum Tone {
    Good,
    Bad,
    Dim,
}

impl Out {
    pub(crate) fn new(json: bool) -> Self {
        let terminal = std::io::stderr().is_terminal();
        // https://no-color.org: set, to anything but the empty string.
        let no_colour = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        Self { json, colour: terminal && !no_colour, terminal }
    }

    /// Says something that is not data.
    pub(crate) fn say(&self, text: impl AsRef<str>) {
        // Whoever closed stderr does not listen.
        let _ = writeln!(std::io::stderr(), "{}", text.as_ref());
    }

    /// A word in its colour, for [`Self::say`].
    pub(crate) fn paint(&self, tone: Tone, word: &str) -> String {
        let code = match tone {
            Tone::Good => "32",
            Tone::Bad => "31;1",
            Tone::Dim => "2",
        };
        if self.colour { format!("\x1b[{code}m{word}\x1b[0m") } else { word.to_string() }
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
            text().into_bytes()
        };
        if !bytes.ends_with(b"\n") && !bytes.is_empty() {
            bytes.push(b'\n');
        }
        self.bytes(&bytes)
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

/// Columns, as wide as they need to be. The last one is not padded.
pub(crate) fn table(head: &[&str], rows: &[Vec<String>]) -> String {
    let width = |column: usize| {
        let cells = rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count());
        cells.chain([head[column].chars().count()]).max().unwrap_or(0)
    };
    let widths: Vec<_> = (0..head.len()).map(width).collect();
    let mut text = String::new();
    let head: Vec<_> = head.iter().map(ToString::to_string).collect();
    for row in std::iter::once(&head).chain(rows) {
        let mut line = String::new();
        for (cell, width) in row.iter().zip(&widths) {
            line.push_str(&format!("{cell:<width$}  "));
        }
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

/// Names and values below each other; further lines of a value stand below its first.
pub(crate) fn fields(pairs: &[(&str, String)]) -> String {
    let width = pairs.iter().map(|(name, _)| name.chars().count()).max().unwrap_or(0);
    let indent = format!("\n{:width$}  ", "");
    let line = |(name, value): &(&str, String)| {
        format!("{name:<width$}  {}\n", value.replace('\n', &indent))
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
}
