//! Who has what, where nobody knows everybody.

use super::Answer;
use identity::PublicKey;
use objects::Cid;

/// Why an object is not announced.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProvideError {
    /// There is nobody to tell.
    #[error("providers are not looked for here; set ipfs.dht in config.toml")]
    Off,
    /// More are announced already than is allowed.
    #[error("{limit} objects are announced already, which is the most")]
    Full {
        /// The bound.
        limit: usize,
    },
    /// The network is shutting down.
    #[error("the network is closed")]
    Closed,
}

/// Records of who has an object; implemented by `network`, which keeps them in a distributed hash
/// table (Kademlia). Only roots are worth a record: whoever has a root is asked for what is below.
pub trait Providers: Send + Sync + 'static {
    /// Says that this node has an object, now and again and again until [`Self::withdraw`]. The
    /// answer comes when it is noted, not when others have heard.
    fn provide(&self, cid: Cid) -> Answer<'static, Result<(), ProvideError>>;

    /// Says so no more. What others heard is forgotten with time.
    fn withdraw(&self, cid: Cid);

    /// Peers that say they have an object, at most a few; the network knows then how to reach them.
    /// None if nobody says so, or nobody answers in time.
    fn find(&self, cid: Cid) -> Answer<'static, Vec<PublicKey>>;
}
