//! The file that a copy of what a cluster agreed on is kept in.
//!
//! First [`MAGIC`], then the length of the head (u32, big endian), the head (canonical DAG-CBOR of
//! a signed [`BackupHead`]), the state in which the cluster began, and the state. Nothing follows.

use identity::{Digest, NetworkId, PublicKey, Sign, Signed, canonical};
use protocol::Time;
use serde::{Deserialize, Serialize};
use std::io::{self, Read};

/// How the file begins.
pub const MAGIC: &[u8; 24] = b"polity cluster backup 1\n";
/// Bytes of a head, at most: a thousand members are most of it.
pub const HEAD_BYTES: usize = 64 << 10;
/// Bytes of one piece, of which the digest is made: every piece but the last has so many.
pub const PIECE_BYTES: usize = 1 << 20;
/// Bytes of either state, at most.
pub const STATE_BYTES: u64 = 1 << 30;

/// What is in a copy, and how to see that it is whole.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BackupHead {
    /// The network.
    pub network: NetworkId,
    /// The cluster's name among all clusters.
    pub cluster: Digest,
    /// What its owner calls it.
    pub name: String,
    /// The term of the last entry that is in it.
    pub term: u64,
    /// The last entry that is in it.
    pub index: u64,
    /// When that was said, by the clock of the member that led.
    pub at: Time,
    /// When the copy was made, by the clock of the node that signed.
    pub made: Time,
    /// The members, sorted.
    pub members: Vec<PublicKey>,
    /// Jobs that had not ended.
    pub jobs: u64,
    /// Bytes of the state in which the cluster began.
    pub origin_bytes: u64,
    /// Bytes of the state.
    pub state_bytes: u64,
    /// The digest of both, one after the other, in pieces: see [`digest_of`].
    pub digest: Digest,
}

impl Sign for BackupHead {
    const DOMAIN: &'static str = "cluster-backup";
}

/// Why a file is not a copy that can be used.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    /// It cannot be read.
    #[error("{0}")]
    Io(#[from] io::Error),
    /// It is something else, or of a later version.
    #[error("this is no copy of a cluster that this version knows")]
    Foreign,
    /// It says something that cannot be.
    #[error("the copy is damaged: {0}")]
    Damaged(String),
    /// It is of another network.
    #[error("the copy is of the network {of}, this is {ours}")]
    Network {
        /// Its network.
        of: NetworkId,
        /// The network that was expected.
        ours: NetworkId,
    },
}

/// A copy that was read and holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Backup {
    /// What it says of itself, and who signed that.
    pub head: Signed<BackupHead>,
    /// The state in which the cluster began.
    pub origin: Vec<u8>,
    /// The state.
    pub state: Vec<u8>,
}

/// The digest of the bytes of a copy.
pub fn digest_of(origin: &[u8], state: &[u8]) -> Digest {
    let mut pieces = Pieces::default();
    pieces.push(origin);
    pieces.push(state);
    pieces.finish()
}

/// How the file begins, up to the states.
///
/// # Errors
/// [`BackupError::Damaged`] if the head has more bytes than [`HEAD_BYTES`].
pub fn encode_head(head: &Signed<BackupHead>) -> Result<Vec<u8>, BackupError> {
    let encoded = canonical::encode(head);
    let length = u32::try_from(encoded.len()).ok().filter(|_| encoded.len() <= HEAD_BYTES);
    let length = length.ok_or_else(|| damaged("its head is too large"))?;
    Ok([&MAGIC[..], &length.to_be_bytes(), &encoded].concat())
}

/// Reads a copy whole, and checks signature, lengths and digest. Who signed it is for the caller to
/// judge.
///
/// # Errors
/// [`BackupError`].
pub fn read(file: &mut impl Read, network: NetworkId) -> Result<Backup, BackupError> {
    let head = read_head(file, network)?;
    let (mut pieces, mut states) = (Pieces::default(), [Vec::new(), Vec::new()]);
    let sizes = [head.payload.origin_bytes, head.payload.state_bytes];
    for (state, size_bytes) in states.iter_mut().zip(sizes) {
        copy(file, size_bytes, |bytes| {
            pieces.push(bytes);
            state.extend_from_slice(bytes);
        })?;
    }
    at_end(file, pieces, &head)?;
    let [origin, state] = states;
    Ok(Backup { head, origin, state })
}

/// As [`read`], but keeps nothing of the states.
///
/// # Errors
/// [`BackupError`].
pub fn check(file: &mut impl Read, network: NetworkId) -> Result<Signed<BackupHead>, BackupError> {
    let head = read_head(file, network)?;
    let mut pieces = Pieces::default();
    copy(file, head.payload.origin_bytes, |bytes| pieces.push(bytes))?;
    copy(file, head.payload.state_bytes, |bytes| pieces.push(bytes))?;
    at_end(file, pieces, &head)?;
    Ok(head)
}

fn read_head(file: &mut impl Read, network: NetworkId) -> Result<Signed<BackupHead>, BackupError> {
    let mut begin = [0; MAGIC.len() + 4];
    file.read_exact(&mut begin).map_err(cut)?;
    let Some(length) = begin.strip_prefix(&MAGIC[..]) else { return Err(BackupError::Foreign) };
    let length = length.try_into().map(u32::from_be_bytes).unwrap_or(u32::MAX) as usize;
    if length > HEAD_BYTES {
        return Err(damaged("its head is too large"));
    }
    let mut bytes = vec![0; length];
    file.read_exact(&mut bytes).map_err(cut)?;
    let head: Signed<BackupHead> =
        canonical::decode(&bytes, HEAD_BYTES).map_err(|error| damaged(error.to_string()))?;
    let of = head.payload.network;
    if of != network {
        return Err(BackupError::Network { of, ours: network });
    }
    head.check(network).map_err(|error| damaged(error.to_string()))?;
    if head.payload.origin_bytes.max(head.payload.state_bytes) > STATE_BYTES {
        return Err(damaged("it says that it is larger than any copy"));
    }
    Ok(head)
}

/// Reads so many bytes, a piece at a time.
fn copy(
    file: &mut impl Read,
    size_bytes: u64,
    mut take: impl FnMut(&[u8]),
) -> Result<(), BackupError> {
    let mut rest = size_bytes;
    let mut piece = vec![0; PIECE_BYTES];
    while rest > 0 {
        let size = usize::try_from(rest).unwrap_or(PIECE_BYTES).min(PIECE_BYTES);
        file.read_exact(&mut piece[..size]).map_err(cut)?;
        take(&piece[..size]);
        rest -= size as u64;
    }
    Ok(())
}

fn at_end(
    file: &mut impl Read,
    pieces: Pieces,
    head: &Signed<BackupHead>,
) -> Result<(), BackupError> {
    if file.read(&mut [0])? > 0 {
        return Err(damaged("something follows its end"));
    }
    if pieces.finish() != head.payload.digest {
        return Err(damaged("its bytes are not those that were signed"));
    }
    Ok(())
}

fn damaged(reason: impl Into<String>) -> BackupError {
    BackupError::Damaged(reason.into())
}

fn cut(error: io::Error) -> BackupError {
    match error.kind() {
        io::ErrorKind::UnexpectedEof => damaged("it ends before its end"),
        _ => BackupError::Io(error),
    }
}

/// Makes the digest of bytes that come in any portions.
struct Pieces {
    hasher: identity::Hasher,
    begun: Vec<u8>,
}

impl Default for Pieces {
    fn default() -> Self {
        Self { hasher: identity::Hasher::new("polity cluster backup"), begun: Vec::new() }
    }
}

impl Pieces {
    fn push(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            let (now, rest) = bytes.split_at(bytes.len().min(PIECE_BYTES - self.begun.len()));
            self.begun.extend_from_slice(now);
            if self.begun.len() == PIECE_BYTES {
                self.hasher.part(&self.begun);
                self.begun.clear();
            }
            bytes = rest;
        }
    }

    fn finish(mut self) -> Digest {
        if !self.begun.is_empty() {
            self.hasher.part(&self.begun);
        }
        self.hasher.finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use identity::SecretKey;

    const NETWORK: NetworkId = NetworkId(Digest([7; 32]));

    fn file(origin: &[u8], state: &[u8]) -> Vec<u8> {
        let head = BackupHead {
            network: NETWORK,
            cluster: Digest([1; 32]),
            name: "home".into(),
            term: 3,
            index: 1_234,
            at: Time(5),
            made: Time(6),
            members: vec![PublicKey([2; 32])],
            jobs: 1,
            origin_bytes: origin.len() as u64,
            state_bytes: state.len() as u64,
            digest: digest_of(origin, state),
        };
        let head = Signed::new(head, NETWORK, &SecretKey::from_seed([1; 32]));
        [encode_head(&head).unwrap(), origin.to_vec(), state.to_vec()].concat()
    }

    #[test]
    fn a_copy_that_is_whole_is_read_as_it_was_written() {
        let (origin, state) = (vec![1; 300], vec![2; PIECE_BYTES * 2 + 5]);
        let file = file(&origin, &state);
        let backup = read(&mut &file[..], NETWORK).unwrap();
        assert_eq!((&backup.origin, &backup.state), (&origin, &state));
        assert_eq!(check(&mut &file[..], NETWORK).unwrap(), backup.head);
    }

    #[test]
    fn a_copy_that_was_altered_anywhere_or_cut_is_refused() {
        let file = file(b"first", b"then");
        for at in 0..file.len() {
            let mut altered = file.clone();
            altered[at] ^= 1;
            assert!(read(&mut &altered[..], NETWORK).is_err(), "byte {at}");
            assert!(check(&mut &file[..at], NETWORK).is_err(), "{at} bytes");
        }
        let longer = [&file[..], b"x"].concat();
        assert!(matches!(check(&mut &longer[..], NETWORK), Err(BackupError::Damaged(_))));
    }

    #[test]
    fn a_copy_of_another_network_is_refused() {
        let other = NetworkId(Digest([8; 32]));
        let refused = check(&mut &file(b"", b"")[..], other);
        assert!(matches!(refused, Err(BackupError::Network { .. })));
    }
}
