//! What the leader of a cluster does, as long as this node is it.

use super::{Home, HomeError, passing};
use crate::chain::Chain;
use cluster::Leading;
use futures::StreamExt;
use identity::PublicKey;
use protocol::{Height, Profile, port::PeerEvent};
use std::collections::{BTreeMap, BTreeSet};
use tokio::{sync::watch, task::JoinSet};
use work::Input;

impl Home {
    /// Begins whenever this node is elected, ends whenever another one is.
    pub(super) async fn lead_when_elected(self) -> Result<(), HomeError> {
        let mut leads = self.cluster.leads();
        let mut office: Option<(u64, JoinSet<Result<(), HomeError>>)> = None;
        loop {
            match (leads.now(), &office) {
                (Leading::Yes(term), Some((since, _))) if term == *since => {}
                (Leading::Yes(term), _) => office = Some((term, self.take_office())),
                (Leading::No(_), _) => office = None,
                (Leading::Ended, _) => return Ok(()),
            }
            let ended = async {
                match &mut office {
                    Some((_, roles)) => roles.join_next().await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                changed = leads.changed() => if !changed { return Ok(()) },
                Some(ended) = ended => {
                    passing(ended.map_err(super::panicked)?)?;
                    // It begins anew if this node still leads.
                    office = None;
                    self.clock.pause(super::AGAIN_MS).await;
                }
            }
        }
    }

    fn take_office(&self) -> JoinSet<Result<(), HomeError>> {
        let mut roles = JoinSet::new();
        roles.spawn(self.clone().watch_peers());
        roles.spawn(self.clone().watch_chain());
        roles.spawn(self.clone().watch_profiles());
        roles.spawn(self.clone().recall_objects());
        roles
    }

    /// Tells which nodes of the roster come and go: those, too, that were connected before they were
    /// admitted. Nothing is said of strangers.
    pub(super) async fn watch_peers(self) -> Result<(), HomeError> {
        let (mut events, mut admitted) = (self.streams.events(), Admitted::of(&self.chain));
        let mut told: BTreeSet<PublicKey> = BTreeSet::new();
        loop {
            let came: Vec<PublicKey> = tokio::select! {
                event = events.next() => match event {
                    None => return Ok(()),
                    Some(PeerEvent::Up(peer)) => vec![peer],
                    Some(PeerEvent::Down(peer)) => {
                        if told.remove(&peer) {
                            self.cluster.propose(Input::Disconnected(peer)).await?;
                        }
                        continue;
                    }
                },
                more = admitted.changed() => match more {
                    false => return Ok(()),
                    true => self.streams.peers().into_iter().filter(|p| !told.contains(p)).collect(),
                },
            };
            for peer in came.into_iter().filter(|peer| self.chain.admits(peer)) {
                told.insert(peer);
                self.cluster.propose(Input::Connected(peer)).await?;
            }
        }
    }

    /// Tells what nodes measured of themselves, this one and its peers that are in the roster.
    async fn watch_profiles(self) -> Result<(), HomeError> {
        let (mut own, mut news) = (self.own.watch(), self.heard.news());
        let mut admitted = Admitted::of(&self.chain);
        let mut told: BTreeMap<PublicKey, Profile> = BTreeMap::new();
        loop {
            news.borrow_and_update();
            let mine = own.borrow_and_update().clone();
            let mine = mine.into_iter().map(|signed| (signed.by, (signed.payload, None)));
            let theirs = self.heard.profiles().into_iter().map(|(node, profile, rtt_ms)| {
                (node, (profile, Some(u32::try_from(rtt_ms).unwrap_or(u32::MAX))))
            });
            // What a node says of itself counts before what others heard.
            let mut known: BTreeMap<_, _> = theirs.collect();
            known.extend(mine);
            known.retain(|node, _| self.chain.admits(node));
            told.retain(|node, _| known.contains_key(node));
            for (node, (profile, rtt_ms)) in known {
                if told.get(&node) == Some(&profile) {
                    continue;
                }
                told.insert(node, profile.clone());
                let profile = Box::new(profile);
                self.cluster.propose(Input::Profile { node, profile, rtt_ms }).await?;
            }
            tokio::select! {
                changed = own.changed() => if changed.is_err() { return Ok(()) },
                changed = news.changed() => if changed.is_err() { return Ok(()) },
                more = admitted.changed() => if !more { return Ok(()) },
            }
        }
    }
}

/// Waits for the roster to change.
struct Admitted {
    chain: Chain,
    head: watch::Receiver<Height>,
    since: Height,
}

impl Admitted {
    fn of(chain: &Chain) -> Self {
        let (head, since) = (chain.head(), chain.ledger().roster_since());
        Self { chain: chain.clone(), head, since }
    }

    /// False when the chain has ended.
    async fn changed(&mut self) -> bool {
        while self.head.changed().await.is_ok() {
            let since = self.chain.ledger().roster_since();
            if since != self.since {
                self.since = since;
                return true;
            }
        }
        false
    }
}
