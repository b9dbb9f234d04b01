//! Whom a member follows and votes for. The engine asks for a term only: it would take entries, states
//! and ballots from whoever speaks, from a machine that was removed among them.
//!
//! What this node knows of members may be old. A peer that it does not know may have been let in
//! since; a peer that was removed, as far as it knows, may have been let in again and lead by now.
//! So the second one is followed only if a member that knows more says that it leads.

use super::{Answer, Ask, Line, Server, Silence};
use crate::{
    Replicated,
    engine::{LogId, Vote},
    lock::lock,
};
use futures::future;
use identity::PublicKey;
use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
};
use tokio::time::Instant;

/// Terms that a leader or a candidate may be ahead: each takes an election.
const AHEAD: u64 = 1 << 32;
/// Members that are asked about a peer.
const ASKED: usize = 16;

type Answers = BTreeMap<PublicKey, (Instant, bool)>;

/// What was said of peers a moment ago. A cheap copy.
#[derive(Clone, Default)]
pub(crate) struct Vouched(Arc<Mutex<Answers>>);

impl Vouched {
    fn with<T>(&self, f: impl FnOnce(&mut Answers) -> T) -> T {
        f(&mut lock(&self.0))
    }
}

impl<M: Replicated> Server<M> {
    pub(super) fn is_member(&self, peer: &PublicKey) -> bool {
        let engine = &self.voice.engine;
        engine.voter_ids().chain(engine.learner_ids()).any(|member| member.0 == *peer)
    }

    /// Whether a peer was removed, as far as this node knows.
    pub(super) fn is_removed(&self, peer: &PublicKey) -> bool {
        if self.is_member(peer) {
            return false;
        }
        let state = self.voice.state.read();
        let is_behind = self.last.is_some_and(|last| state.index() < last);
        state.is_removed(peer) || (is_behind && self.earlier.has(peer))
    }

    fn knows_nobody(&self) -> bool {
        let engine = &self.voice.engine;
        engine.voter_ids().chain(engine.learner_ids()).next().is_none()
    }

    /// Whether a peer is followed that speaks as the leader of this term.
    ///
    /// # Errors
    /// Why it is not.
    pub(super) async fn may_lead(&self, peer: PublicKey, vote: Vote) -> Result<(), Answer> {
        self.is_its_own(peer, vote)?;
        if self.is_trusted(peer).await {
            return Ok(());
        }
        if self.is_removed(&peer) {
            return Err(removed(peer));
        }
        let reason = "this node was just let in, and nobody it knows says that you lead".into();
        Err(Answer::Refused { reason })
    }

    /// Whether a peer gets a vote in this term, if its log is good enough.
    ///
    /// # Errors
    /// Why it does not.
    pub(super) fn may_stand(&self, peer: PublicKey, vote: Vote) -> Result<(), Answer> {
        self.is_its_own(peer, vote)?;
        if self.is_removed(&peer) {
            return Err(removed(peer));
        }
        if self.knows_nobody() && !self.wire().sponsors().contains(&peer) {
            let reason = "this node was just let in, and does not know you".into();
            return Err(Answer::Refused { reason });
        }
        Ok(())
    }

    fn is_its_own(&self, peer: PublicKey, vote: Vote) -> Result<(), Answer> {
        let refused = |reason: String| Err(Answer::Refused { reason });
        let leader = vote.leader_id;
        if leader.node_id.0 != peer {
            return refused(format!("{peer} speaks as {}", leader.node_id));
        }
        let (known, _) = self.wire().glance.standing();
        if leader.term > known.saturating_add(AHEAD) {
            return refused(format!("term {} is too far from {known}", leader.term));
        }
        Ok(())
    }

    /// Whether entries and states are taken from a peer.
    pub(super) async fn is_trusted(&self, peer: PublicKey) -> bool {
        // Whom it follows already may tell it of the time when it was removed itself.
        let follows = self.wire().glance.vote().filter(|vote| vote.committed);
        if follows.is_some_and(|vote| vote.leader_id.node_id.0 == peer) {
            return true;
        }
        // What it has heard so far may be of long ago.
        let is_new = !self.wire().is_grown();
        if is_new && self.wire().sponsors().contains(&peer) {
            return true;
        }
        if !self.is_removed(&peer) && (!is_new || self.is_member(&peer)) {
            return true;
        }
        self.is_vouched_for(peer).await
    }

    /// Whether somebody says that a peer leads who knows more than this node.
    async fn is_vouched_for(&self, peer: PublicKey) -> bool {
        let (now, fresh) = (Instant::now(), self.wire().patience * 4);
        let known = self.vouched.with(|all| {
            all.retain(|_, (at, _)| now.duration_since(*at) < fresh);
            let known = all.get(&peer).map(|(_, leads)| *leads);
            // Asked once at a time, however often it comes.
            all.entry(peer).or_insert((now, false));
            known
        });
        if let Some(leads) = known {
            return leads;
        }
        let engine = &self.voice.engine;
        let members = engine.voter_ids().chain(engine.learner_ids()).map(|member| member.0);
        let mut asked: Vec<PublicKey> = Vec::new();
        for other in self.wire().sponsors().into_iter().chain(members) {
            let fits = other != peer && other != self.wire().me && !self.is_removed(&other);
            if fits && !asked.contains(&other) && asked.len() < ASKED {
                asked.push(other);
            }
        }
        let asking = asked.into_iter().map(|member| self.says_that_leads(member, peer));
        let leads = future::join_all(asking).await.contains(&true);
        self.vouched.with(|all| all.insert(peer, (Instant::now(), leads)));
        leads
    }

    async fn says_that_leads(&self, member: PublicKey, peer: PublicKey) -> bool {
        let asking = async {
            let mut line = Line::open(self.wire(), member).await?;
            let standing = line.ask(self.wire(), &Ask::Standing).await?;
            Ok::<_, Silence>((standing, line.ask(self.wire(), &Ask::ReadIndex).await?))
        };
        let (_, mine) = self.wire().glance.standing();
        // One that has less than this node may not have heard of the removal.
        matches!(asking.await, Ok((Answer::Standing(its), Answer::NotLeader { leader }))
            if leader == Some(peer) && its.last.map(LogId::from) > mine)
    }
}

/// What a node is told that was removed.
pub(super) fn removed(node: PublicKey) -> Answer {
    let reason = format!(
        "this machine was removed from the cluster; whoever may, says: polity cluster add {node}"
    );
    Answer::Refused { reason }
}
