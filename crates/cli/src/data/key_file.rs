//! Secret keys in files: three lines of text, readable by their owner only.

use super::{Error, check_private, create_new, read_bounded};
use data_encoding::BASE32_NOPAD;
use identity::{PublicKey, SecretKey};
use std::{io, path::Path};
use zeroize::Zeroizing;

const FILE_BYTES: u64 = 4096;

/// Reads the key of this kind; `None` if there is no file.
pub(super) fn read(path: &Path, kind: &str) -> Result<Option<SecretKey>, Error> {
    if !super::exists(path)? {
        return Ok(None);
    }
    check_private(path)?;
    let bytes = read_bounded(path, FILE_BYTES).map_err(|error| Error::io(path, error))?;
    let bytes = Zeroizing::new(bytes);
    parse(&bytes, kind)
        .map(Some)
        .map_err(|reason| Error::Malformed { path: path.into(), reason: reason.into() })
}

/// Reads the key of this kind, or makes one of `entropy` if there is no file.
pub(super) fn read_or_new(path: &Path, kind: &str, entropy: [u8; 32]) -> Result<SecretKey, Error> {
    if let Some(key) = read(path, kind)? {
        return Ok(key);
    }
    let key = SecretKey::from_seed(entropy);
    match create_new(path, text(&key, kind).as_bytes(), 0o600) {
        Ok(()) => Ok(key),
        // Somebody else was faster: theirs is the key.
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            read(path, kind)?.ok_or_else(|| Error::io(path, error))
        }
        Err(error) => Err(Error::io(path, error)),
    }
}

fn text(key: &SecretKey, kind: &str) -> Zeroizing<String> {
    let secret = Zeroizing::new(BASE32_NOPAD.encode(key.seed()).to_ascii_lowercase());
    let public = key.public();
    Zeroizing::new(format!(
        "polity {kind} key 1: secret, whoever reads this file is this {kind}\n\
         public {public}\nsecret {}\n",
        secret.as_str()
    ))
}

fn parse(bytes: &[u8], kind: &str) -> Result<SecretKey, &'static str> {
    let text = std::str::from_utf8(bytes).map_err(|_| "it is no text")?;
    let mut lines = text.lines();
    let head = lines.next().unwrap_or_default();
    if !head.starts_with(&format!("polity {kind} key 1:")) {
        return Err("its first line does not say that it is such a key of version 1");
    }
    let public: PublicKey = lines
        .next()
        .and_then(|line| line.strip_prefix("public "))
        .and_then(|text| text.parse().ok())
        .ok_or("its second line is no public key")?;
    let seed = lines
        .next()
        .and_then(|line| line.strip_prefix("secret "))
        .and_then(|text| BASE32_NOPAD.decode(text.to_ascii_uppercase().as_bytes()).ok())
        .map(Zeroizing::new)
        .ok_or("its third line is no secret key")?;
    let seed = Zeroizing::new(
        <[u8; 32]>::try_from(seed.as_slice()).map_err(|_| "its secret is cut short")?,
    );
    if lines.next().is_some() {
        return Err("it has more than three lines");
    }
    let key = SecretKey::from_seed(*seed);
    if key.public() == public { Ok(key) } else { Err("its public key is not that of its secret") }
}
