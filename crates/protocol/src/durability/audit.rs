//! Asking a node to show that it has some bytes.

use identity::Digest;

/// What a node answers that has the bytes: nobody knows it before the challenge is said. It shows
/// that the node could get the bytes in the time that it took, not that they are on its disk.
pub fn answer_to(challenge: &Digest, bytes: &[u8]) -> Digest {
    Digest::of("polity keep audit", &[challenge.as_bytes(), bytes])
}
