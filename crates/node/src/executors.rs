//! Further executors in this process: for the ledger each is a node of its own, of the same owner.
//!
//! They have their own keys, roles and statements, and every replica of theirs really runs. They
//! share engine, store and chain, and nothing is said to them over the network.

use crate::{
    chain::{Chain, Submit},
    join,
};
use anyhow::Context;
use cli::data::DataDir;
use futures::{FutureExt, StreamExt, future, stream};
use identity::{PublicKey, SecretKey};
use protocol::{
    InvitationKind,
    port::{
        Answer, Clock, Events, Incoming, Offence, PeerEvent, Protocol, Stream, StreamError, Streams,
    },
};
use std::sync::Arc;

/// How long the invitations of executors are good, unless the genesis wants less.
const LIFETIME_MS: u64 = 3_600_000;

/// The keys of the executors beside the node's own, made where they are missing.
///
/// # Errors
/// If there is one that cannot be used, or none can be made.
pub(crate) fn keys(data: &DataDir, executors: u8) -> anyhow::Result<Vec<SecretKey>> {
    (2..=executors)
        .map(|number| {
            let mut entropy = [0; 32];
            getrandom::fill(&mut entropy).context("no randomness")?;
            Ok(data.executor_key_or_new(number, entropy)?)
        })
        .collect()
}

/// Has those admitted that are not: the owner invites them, as machines of its own.
///
/// # Errors
/// If they can never be admitted.
pub(crate) async fn admit(
    keys: &[SecretKey],
    owner: Option<&SecretKey>,
    (chain, clock): (&Chain, &dyn Clock),
    streams: &Arc<dyn Streams>,
    submit: &Submit,
) -> anyhow::Result<()> {
    let ledger = chain.ledger();
    let (roster, params) = (ledger.roster(), ledger.params());
    let strangers: Vec<_> = keys.iter().filter(|k| roster.node(&k.public()).is_none()).collect();
    if strangers.is_empty() {
        return Ok(());
    }
    let owner = owner.context(
        "further executors are admitted with the owner's key, and owner.key is not here; take \
         'executors' out of config.toml",
    )?;
    let name = roster.owner(&owner.public()).map(|record| record.name.clone());
    let name = name.context("the owner is not admitted yet; its executors cannot be")?;
    let lifetime_ms = params.invitation_lifetime_ms.min(LIFETIME_MS);
    let expires = ledger.tip().time.max(clock.now()).after_ms(lifetime_ms);
    let mut admissions = Vec::with_capacity(strangers.len());
    for key in strangers {
        let mut seed = [0; 32];
        getrandom::fill(&mut seed).context("no randomness")?;
        let (once, kind) = (SecretKey::from_seed(seed), InvitationKind::Machine);
        let line = join::invite(chain, owner, once, kind, expires, Vec::new());
        let admission = join::admission(&line, None, key, name.clone())?;
        admissions.push(join::join(chain, clock, streams, submit, admission));
    }
    future::try_join_all(admissions).await?;
    Ok(())
}

/// The network as the home sees it: executors of this process are peers that are always there.
/// What is said to them goes by [`crate::post::Post`].
pub(crate) struct Beside {
    pub(crate) network: Arc<dyn Streams>,
    pub(crate) executors: Vec<PublicKey>,
}

impl Streams for Beside {
    fn me(&self) -> PublicKey {
        self.network.me()
    }

    fn open(
        &self,
        peer: PublicKey,
        protocol: Protocol,
    ) -> Answer<'static, Result<Stream, StreamError>> {
        if self.executors.contains(&peer) {
            return future::ready(Err(StreamError::Unsupported(peer, protocol))).boxed();
        }
        self.network.open(peer, protocol)
    }

    fn accept(&self, protocol: Protocol) -> Result<Events<Incoming>, StreamError> {
        self.network.accept(protocol)
    }

    fn peers(&self) -> Vec<PublicKey> {
        self.executors.iter().copied().chain(self.network.peers()).collect()
    }

    fn events(&self) -> Events<PeerEvent> {
        let there: Vec<_> = self.executors.iter().copied().map(PeerEvent::Up).collect();
        stream::iter(there).chain(self.network.events()).boxed()
    }

    fn know(&self, peer: PublicKey, addresses: Vec<String>) {
        self.network.know(peer, addresses);
    }

    fn penalise(&self, peer: PublicKey, offence: Offence) {
        if self.executors.contains(&peer) {
            // It is this very program.
            tracing::error!(peer = %peer.short(), ?offence, "an executor of this process offends");
        } else {
            self.network.penalise(peer, offence);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use sim::streams::Mesh;

    fn key(n: u8) -> PublicKey {
        SecretKey::from_seed([n; 32]).public()
    }

    #[tokio::test]
    async fn executors_of_this_process_are_peers_that_are_always_there() {
        let mesh = Mesh::new();
        let network: Arc<dyn Streams> = mesh.node(key(1));
        mesh.node(key(9));
        let beside = Beside { network, executors: vec![key(2), key(3)] };
        assert_eq!(beside.me(), key(1));
        assert_eq!(beside.peers(), [key(2), key(3), key(9)]);
        let told: Vec<_> = beside.events().take(3).collect().await;
        assert_eq!(told, [key(2), key(3), key(9)].map(PeerEvent::Up));
        // They are told everything in memory; whoever opens a stream to one learns so at once.
        let opened = beside.open(key(2), Protocol("/polity/test/1")).await;
        assert!(matches!(opened, Err(StreamError::Unsupported(peer, _)) if peer == key(2)));
    }

    #[test]
    fn keys_are_made_once() {
        let dir = tempfile::tempdir().unwrap();
        let data = DataDir::at(dir.path());
        let public = |keys: Vec<SecretKey>| keys.iter().map(SecretKey::public).collect::<Vec<_>>();
        let two = public(keys(&data, 3).unwrap());
        assert_eq!(two.len(), 2);
        assert_eq!(public(keys(&data, 3).unwrap()), two);
        assert_eq!(public(keys(&data, 4).unwrap())[..2], two[..]);
        assert!(keys(&data, 1).unwrap().is_empty());
    }
}
