//! Names from content, on their way to a disk.

use crate::Error;
use std::collections::HashMap;

/// Bytes of a name that common file systems take.
pub const NAME_BYTES: usize = 255;

/// A name that can be written to a disk as one component of a path, as it is: UTF-8 of 1 to
/// [`NAME_BYTES`] bytes, not `.` or `..`, without `/`, zero bytes and other control characters
/// (which could move the cursor of whoever lists them). It does not look at what only some systems
/// refuse (`CON`, a colon, a backslash).
///
/// # Errors
/// [`Error::Name`], with what is wrong.
pub fn safe_name(name: &[u8]) -> Result<&str, Error> {
    let bad = |reason| Err(Error::name(&String::from_utf8_lossy(name), reason));
    let Ok(text) = std::str::from_utf8(name) else { return bad("it is not UTF-8") };
    match text {
        "" => bad("a name cannot be empty"),
        "." | ".." => bad("it has a meaning of its own"),
        _ if text.contains('/') => bad("a slash would lead elsewhere"),
        _ if text.chars().any(char::is_control) => bad("a control character"),
        _ if text.len() > NAME_BYTES => bad("it is longer than 255 bytes"),
        _ => Ok(text),
    }
}

/// Finds names of one directory that are one name where case does not count, as on many disks.
/// Case is that of Unicode; letters that can be put together in two ways are not made equal.
#[derive(Clone, Debug, Default)]
pub struct CaseClashes(HashMap<String, String>);

impl CaseClashes {
    /// No names yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a name, and answers the one before it that it clashes with.
    pub fn add(&mut self, name: &str) -> Option<&str> {
        let lower = name.to_lowercase();
        match self.0.entry(lower) {
            std::collections::hash_map::Entry::Occupied(before) => Some(before.into_mut()),
            std::collections::hash_map::Entry::Vacant(free) => {
                free.insert(name.to_string());
                None
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_names_pass_as_they_are() {
        let long = "x".repeat(NAME_BYTES);
        for name in ["a", "...", ".hidden", "a b", "é", "-rf", "a\\b", "C:", &long] {
            assert_eq!(safe_name(name.as_bytes()), Ok(name));
        }
    }

    #[test]
    fn names_that_lead_elsewhere_or_are_no_names_are_refused() {
        let long = [b'x'; NAME_BYTES + 1];
        let two = "é".repeat(128);
        for name in [
            &b""[..],
            b".",
            b"..",
            b"/",
            b"a/b",
            b"../a",
            b"a\0",
            b"a\nb",
            b"\x1b[2J",
            b"\x7f",
            b"\xff",
            b"\xc2\x85",
            &long,
            two.as_bytes(),
        ] {
            assert!(matches!(safe_name(name), Err(Error::Name { .. })), "{name:x?}");
        }
    }

    #[test]
    fn names_that_differ_in_case_only_clash() {
        let mut clashes = CaseClashes::new();
        assert_eq!(clashes.add("Read.me"), None);
        assert_eq!(clashes.add("ÉTÉ"), None);
        assert_eq!(clashes.add("other"), None);
        assert_eq!(clashes.add("READ.ME"), Some("Read.me"));
        assert_eq!(clashes.add("été"), Some("ÉTÉ"));
        assert_eq!(clashes.add("été"), Some("ÉTÉ"));
    }
}
