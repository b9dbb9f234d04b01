//! Pins: what is kept although nobody put it lately.

use crate::Error;
use objects::Cid;
use serde::{Deserialize, Serialize};
use std::{fmt, str::FromStr};

/// Who or what pins: a text of 1 to [`Label::BYTES`] bytes of ASCII letters, digits and `-_.:/`,
/// such as `user`, `job/bafy…` or `shard/bafy…`. One root can be pinned under many labels.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Label(String);

impl Label {
    /// Bytes of the longest label.
    pub const BYTES: usize = 128;

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Whether labels may be made of this byte.
fn is_allowed(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-_.:/".contains(&byte)
}

impl TryFrom<String> for Label {
    type Error = Error;
    fn try_from(text: String) -> Result<Self, Error> {
        let is_right = (1..=Self::BYTES).contains(&text.len()) && text.bytes().all(is_allowed);
        if is_right { Ok(Self(text)) } else { Err(Error::Label(text.chars().take(80).collect())) }
    }
}

impl FromStr for Label {
    type Err = Error;
    fn from_str(text: &str) -> Result<Self, Error> {
        text.to_string().try_into()
    }
}

impl From<Label> for String {
    fn from(label: Label) -> Self {
        label.0
    }
}

impl fmt::Display for Label {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// How far a pin reaches.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum PinMode {
    /// The root and everything below it.
    Recursive,
    /// The root alone.
    Direct,
}

/// One pin. Label and root are its key: pinning again under the same key replaces the rest,
/// except that a note stays until there is another one.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pin {
    /// Who or what pins.
    pub label: Label,
    /// What is pinned.
    pub root: Cid,
    /// How far it reaches.
    pub mode: PinMode,
    /// When it was pinned, in milliseconds since 1970, as the caller says.
    pub since_ms: u64,
    /// A name for people, of at most [`Pin::NOTE_BYTES`] bytes.
    pub note: Option<String>,
}

impl Pin {
    /// Bytes of the longest note.
    pub const NOTE_BYTES: usize = 256;

    pub(super) fn check(&self) -> Result<(), Error> {
        match &self.note {
            Some(note) if note.len() > Self::NOTE_BYTES => {
                Err(Error::Note { size_bytes: note.len(), limit_bytes: Self::NOTE_BYTES })
            }
            _ => Ok(()),
        }
    }
}

/// The key of a pin; pages go on after one.
pub type PinKey = (Label, Cid);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_are_short_and_of_plain_letters() {
        for text in ["user", "job/bafkrei", "a", "A-b_c.d:e/9", &"x".repeat(128)] {
            assert_eq!(text.parse::<Label>().expect("a label").as_str(), text);
        }
        for text in ["", "a b", "ä", "a\n", "a*", &"x".repeat(129)] {
            assert!(matches!(text.parse::<Label>(), Err(Error::Label(_))), "{text:?}");
        }
        assert!(serde_json::from_str::<Label>("\"a b\"").is_err());
    }
}
