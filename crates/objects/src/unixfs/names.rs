//! Which names a directory may hold.

use crate::Error;

/// What is wrong with a name in a directory.
pub(crate) fn fault(name: &str) -> Option<&'static str> {
    match name {
        "" => Some("a name cannot be empty"),
        "." | ".." => Some("it has a meaning of its own"),
        name if name.contains(['/', '\0']) => Some("a slash or a zero byte"),
        _ => None,
    }
}

/// Checks a name that is to be written or looked up.
pub(crate) fn check(name: &str) -> Result<(), Error> {
    fault(name).map_or(Ok(()), |reason| Err(Error::name(name, reason)))
}
