//! Who may have what.

use identity::PublicKey;
use objects::Cid;

/// Decides what is served to whom. Outputs of a task, for instance, are served only after the
/// reveal. Asked for every single blob, so it must be quick; a refusal looks to the peer as if the
/// blob were not here.
pub trait Serve: Send + Sync + 'static {
    /// Whether `peer` may have the blob. Compare digests where bytes are to be kept back: one and
    /// the same bytes have a CID under every codec.
    fn may_serve(&self, peer: PublicKey, cid: &Cid) -> bool;
}

impl<F: Fn(PublicKey, &Cid) -> bool + Send + Sync + 'static> Serve for F {
    fn may_serve(&self, peer: PublicKey, cid: &Cid) -> bool {
        self(peer, cid)
    }
}
