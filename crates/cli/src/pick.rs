//! Which one a person means, of jobs, nodes, owners, evidence: its whole id, or enough of its
//! beginning or end, as short forms show it.

use crate::failure::Failure;
use std::fmt::Display;

/// Characters of an id that are enough.
const SHORTEST: usize = 4;

/// Of what there are several.
pub(crate) struct Kind {
    /// What one is called.
    pub(crate) one: &'static str,
    /// What several are called.
    pub(crate) several: &'static str,
    /// What lists them.
    pub(crate) list: &'static str,
}

/// Nodes of the polity.
pub(crate) const NODES: Kind = Kind { one: "node", several: "nodes", list: "polity node list" };

/// The only one of `ids` that is meant by `text`.
pub(crate) fn pick<T: Display + Ord>(
    text: &str,
    kind: &Kind,
    ids: impl IntoIterator<Item = T>,
) -> Result<T, Failure> {
    let next = format!("see which there are with: {}", kind.list);
    let part = text.trim_matches('…');
    if part.chars().count() < SHORTEST {
        let said = format!("'{text}' is too short to mean one of the {}", kind.several);
        return Err(Failure::usage(said)
            .next(format!("give {SHORTEST} characters of the beginning or the end; {next}")));
    }
    let is_meant = |id: &T| {
        let id = id.to_string();
        let begins = !text.starts_with('…') && id.starts_with(part);
        begins || (!text.ends_with('…') && id.ends_with(part))
    };
    let mut found: Vec<_> = ids.into_iter().filter(is_meant).collect();
    found.sort();
    found.dedup();
    let several = found.len() > 1;
    match found.pop() {
        Some(only) if !several => Ok(only),
        Some(_) => {
            let said = format!("several {} begin or end with '{text}'", kind.several);
            Err(Failure::usage(said).next(next))
        }
        None => {
            let said = format!("no {} begins or ends with '{text}'", kind.one);
            Err(Failure::usage(said).next(next))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WORDS: Kind = Kind { one: "word", several: "words", list: "polity words" };

    fn pick(text: &str) -> Result<&'static str, String> {
        let words = ["abcd-1234", "abcd-5678", "wxyz-1234", "wxyz-1234"];
        super::pick(text, &WORDS, words).map_err(|failure| failure.message)
    }

    #[test]
    fn the_whole_the_beginning_and_the_end_are_enough() {
        assert_eq!(pick("abcd-1234"), Ok("abcd-1234"));
        assert_eq!(pick("5678"), Ok("abcd-5678"));
        // One that is there twice is one.
        assert_eq!(pick("wxyz"), Ok("wxyz-1234"));
        // As short forms are shown.
        assert_eq!(pick("…5678"), Ok("abcd-5678"));
        assert_eq!(pick("wxyz…"), Ok("wxyz-1234"));
    }

    #[test]
    fn what_means_nothing_or_too_much_is_refused() {
        assert!(pick("1234").unwrap_err().contains("several words"));
        assert!(pick("abcd").unwrap_err().contains("several words"));
        assert!(pick("cd-1").unwrap_err().contains("no word"));
        assert!(pick("5678…").unwrap_err().contains("no word"));
        assert!(pick("…wxyz").unwrap_err().contains("no word"));
        for short in ["", "…", "678", "…678"] {
            assert!(pick(short).unwrap_err().contains("too short"), "{short}");
        }
    }
}
