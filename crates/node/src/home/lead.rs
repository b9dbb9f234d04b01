//! What the leader of a cluster does, as long as this node is it.

use super::{Home, HomeError, passing};
use cluster::Leading;
use futures::StreamExt;
use identity::PublicKey;
use protocol::{Profile, port::PeerEvent};
use std::collections::BTreeMap;
use tokio::task::JoinSet;
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
                    self.clock.until(self.clock.now().after_ms(super::AGAIN_MS)).await;
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

    async fn watch_peers(self) -> Result<(), HomeError> {
        let mut events = self.streams.events();
        while let Some(event) = events.next().await {
            let input = match event {
                PeerEvent::Up(peer) => Input::Connected(peer),
                PeerEvent::Down(peer) => Input::Disconnected(peer),
            };
            self.cluster.propose(input).await?;
        }
        Ok(())
    }

    /// Tells what nodes measured of themselves, this one and its peers.
    async fn watch_profiles(self) -> Result<(), HomeError> {
        let (mut own, mut news) = (self.own.watch(), self.heard.news());
        let mut told: BTreeMap<PublicKey, Profile> = BTreeMap::new();
        loop {
            news.borrow_and_update();
            let mine = own.borrow_and_update().clone();
            let mine = mine.into_iter().map(|signed| (signed.by, signed.payload, None));
            let theirs = self.heard.profiles().into_iter().map(|(node, profile, rtt_ms)| {
                (node, profile, Some(u32::try_from(rtt_ms).unwrap_or(u32::MAX)))
            });
            for (node, profile, rtt_ms) in mine.chain(theirs) {
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
            }
        }
    }
}
