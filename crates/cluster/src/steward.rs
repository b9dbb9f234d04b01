//! The leader's care for its cluster: who votes, who goes, who leads next.

use crate::{
    Error, Replicated,
    driver::Role,
    engine::{Command, LeaderId, Member},
    voice::Voice,
    voters::{self, Candidate},
    wire::{Answer, Ask},
};
use identity::PublicKey;
use openraft::{
    ChangeMembers, Instant, RaftMetrics,
    async_runtime::watch::WatchReceiver,
    errors::{ChangeMembershipError, ClientWriteError, RaftError},
};
use protocol::port::Clock;
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

/// Pause between two looks at the members.
const LOOK_MS: u64 = 500;
/// How many entries a member may lack and still count as caught up.
const LAG: u64 = 2_000;

/// By what voters are chosen.
#[derive(Clone)]
pub(crate) struct Choice {
    /// How many vote, at most.
    pub(crate) most: usize,
    /// Labels that name failure domains, the widest first.
    pub(crate) domains: Arc<[String]>,
    /// How long a voter may be silent before another one gets its seat.
    pub(crate) replace_ms: u64,
    /// How long a member may be silent and still count as there.
    pub(crate) silence_ms: u64,
    /// How long a change of leaders may take.
    pub(crate) election_ms: u64,
}

/// How often a change is tried that others come before.
const CHANGES: u32 = 8;

type Metrics = RaftMetrics<crate::engine::Types>;

/// The members as the leader sees them.
fn candidates(metrics: &Metrics, me: Member, silence_ms: u64) -> Vec<Candidate> {
    let membership = metrics.membership_config.membership();
    let voters: BTreeSet<Member> = membership.voter_ids().collect();
    let last = metrics.last_log_index.unwrap_or(0);
    let candidate = |(member, tags): (&Member, &crate::engine::Tags)| {
        let has = metrics.replication.as_ref().and_then(|all| *all.get(member)?);
        let caught_up = has.is_some_and(|id| id.index + LAG >= last);
        let silent = silent_ms(metrics, member);
        let ready = *member == me || (caught_up && silent.is_some_and(|ms| ms <= silence_ms));
        Candidate {
            key: member.0,
            votes: voters.contains(member),
            ready,
            leaving: false,
            labels: tags.0.clone(),
        }
    };
    membership.nodes().map(candidate).collect()
}

/// Whether the last change of members is made.
pub(crate) fn is_at_rest(metrics: &Metrics) -> bool {
    let last = &metrics.membership_config;
    last.membership().get_joint_config().len() == 1
        && last.log_id() == metrics.committed_membership_config.log_id()
}

/// How long a member has not answered the leader.
pub(crate) fn silent_ms(metrics: &Metrics, member: &Member) -> Option<u64> {
    let heard = metrics.heartbeat.as_ref()?.get(member)?.as_ref()?;
    u64::try_from(heard.elapsed().as_millis()).ok()
}

/// Looks after the voters while this node leads, until the cluster ends.
pub(crate) async fn run<M: Replicated>(voice: Voice<M>, clock: Arc<dyn Clock>) {
    let mut role = voice.role.clone();
    let mut away = BTreeSet::new();
    loop {
        if role.wait_for(|role| !matches!(role, Role::Follows(_))).await.is_err() {
            return;
        }
        if matches!(*role.borrow_and_update(), Role::Stopped) {
            return;
        }
        voice.tell_who_is_away(&mut away);
        if let Err(error) = voice.look_after_voters().await {
            // The next look sees what became of it.
            tracing::info!(%error, "the voters stay as they are for now");
        }
        let pause = clock.pause(LOOK_MS);
        tokio::select! {
            biased;
            () = pause => {}
            changed = role.changed() => if changed.is_err() { return },
        }
    }
}

impl<M: Replicated> Voice<M> {
    fn me(&self) -> Member {
        Member(self.wire.me)
    }

    /// Says once of every member that it does not answer, and once that it does again.
    fn tell_who_is_away(&self, away: &mut BTreeSet<PublicKey>) {
        let metrics = self.engine.metrics().borrow_watched().clone();
        for (member, _) in metrics.membership_config.membership().nodes() {
            let silent = silent_ms(&metrics, member);
            let is_away =
                *member != self.me() && silent.is_none_or(|ms| ms > self.choice.silence_ms);
            if is_away && away.insert(member.0) {
                tracing::warn!(member = %member.0.short(), "a member of the cluster does not answer");
            } else if !is_away && away.remove(&member.0) {
                tracing::info!(member = %member.0.short(), "a member of the cluster answers again");
            }
        }
    }

    async fn look_after_voters(&self) -> Result<(), Error> {
        let metrics = self.engine.metrics().borrow_watched().clone();
        self.settle_voters(&metrics, None).await
    }

    /// Gives the seats to those who should vote, without one who goes.
    async fn settle_voters(&self, metrics: &Metrics, goes: Option<PublicKey>) -> Result<(), Error> {
        let membership = metrics.membership_config.membership();
        if !is_at_rest(metrics) {
            return Err(Error::UnderWay);
        }
        let mut all = candidates(metrics, self.me(), self.choice.silence_ms);
        for candidate in &mut all {
            candidate.leaving = Some(candidate.key) == goes;
        }
        let patient = |key: &PublicKey| {
            let silent = silent_ms(metrics, &Member(*key));
            silent.is_none_or(|ms| ms <= self.choice.replace_ms)
        };
        let by = (self.choice.most, &*self.choice.domains);
        let wanted = voters::choose(&all, self.wire.me, by, patient);
        let now: BTreeSet<_> = membership.voter_ids().map(|member| member.0).collect();
        if wanted == now {
            return Ok(());
        }
        tracing::info!(from = now.len(), to = wanted.len(), "other members vote from now on");
        let wanted: BTreeSet<_> = wanted.into_iter().map(Member).collect();
        let changed = self.engine.change_membership(wanted, true).await;
        changed.map(drop).map_err(|error| self.not_changed(error))
    }

    fn not_changed(
        &self,
        error: RaftError<crate::engine::Types, ClientWriteError<crate::engine::Types>>,
    ) -> Error {
        match error {
            RaftError::APIError(ClientWriteError::ForwardToLeader(to)) => {
                Error::NotLeader { leader: to.leader_id.map(|member| member.0) }
            }
            RaftError::APIError(ClientWriteError::ChangeMembershipError(
                ChangeMembershipError::InProgress(_),
            )) => Error::UnderWay,
            RaftError::APIError(other) => Error::Members(other.to_string()),
            RaftError::Fatal(_) => self.fault.error(),
        }
    }

    /// Lets another member lead: this one, or the one that has most.
    pub(crate) async fn hand_over(&self, to: Option<PublicKey>) -> Result<(), Error> {
        match self.leads() {
            Ok(_) => {}
            Err(Error::NotLeader { leader: Some(leader) }) if leader != self.wire.me => {
                if to == Some(leader) {
                    return Ok(());
                }
                return self.ask_to_manage(leader, &Ask::HandOver { to }).await;
            }
            Err(error) => return Err(error),
        }
        let metrics = self.engine.metrics().borrow_watched().clone();
        let all = candidates(&metrics, self.me(), self.choice.silence_ms);
        let has =
            |key: &PublicKey| metrics.replication.as_ref().and_then(|a| *a.get(&Member(*key))?);
        let best = match to {
            Some(to) if to == self.wire.me => return Ok(()),
            Some(to) => match all.iter().find(|candidate| candidate.key == to) {
                Some(candidate) if candidate.votes && candidate.ready => to,
                Some(candidate) if candidate.votes => {
                    return Err(Error::Members(format!("{to} does not answer, or lags behind")));
                }
                _ => return Err(Error::Members(format!("{to} is no voter of this cluster"))),
            },
            None => {
                let fit = all.iter().filter(|c| c.votes && c.ready && c.key != self.wire.me);
                let best = fit.max_by_key(|candidate| has(&candidate.key));
                best.map(|candidate| candidate.key)
                    .ok_or_else(|| Error::Members("no other voter is there to lead".to_string()))?
            }
        };
        let mut role = self.role.clone();
        self.engine
            .trigger()
            .transfer_leader(Member(best))
            .await
            .map_err(|_| self.fault.error())?;
        let over = role.wait_for(|role| !matches!(role, Role::Leads(_)));
        let patience = Duration::from_millis(self.choice.election_ms * 4);
        match tokio::time::timeout(patience, over).await {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(_)) => Err(self.fault.error()),
            Err(_) => {
                Err(Error::Members(format!("{best} did not begin to lead in time; try again")))
            }
        }
    }

    /// Takes a member out, once no other change is under way. It is not done long after it was asked
    /// for: whoever asked would not expect it any more.
    pub(crate) async fn remove(&self, node: PublicKey) -> Result<(), Error> {
        let over = self.clock.pause(self.choice.election_ms * 20);
        let mut over = std::pin::pin!(over);
        for _ in 0..CHANGES {
            match self.try_to_remove(node).await {
                Err(Error::UnderWay) => tokio::select! {
                    biased;
                    rest = self.at_rest() => rest?,
                    () = &mut over => break,
                },
                done => return done,
            }
        }
        Err(Error::UnderWay)
    }

    /// Waits until no change of members is under way.
    async fn at_rest(&self) -> Result<(), Error> {
        let mut metrics = self.engine.metrics();
        while !is_at_rest(&metrics.borrow_and_update()) {
            metrics.changed().await.map_err(|_| self.fault.error())?;
        }
        Ok(())
    }

    /// Whoever leads has another one lead first.
    async fn try_to_remove(&self, node: PublicKey) -> Result<(), Error> {
        let leader = match self.leads() {
            Ok(leader) => leader,
            Err(Error::NotLeader { leader: Some(leader) }) if leader != self.wire.me => {
                return self.ask_to_manage(leader, &Ask::Remove { node }).await;
            }
            Err(error) => return Err(error),
        };
        if node == self.wire.me {
            self.hand_over(None).await?;
            let mut role = self.role.clone();
            let led = role.wait_for(
                |role| matches!(role, Role::Follows(Some(leader)) if *leader != self.wire.me),
            );
            let leader = match led.await.map(|role| *role) {
                Ok(Role::Follows(Some(leader))) => leader,
                _ => return Err(self.fault.error()),
            };
            return self.ask_to_manage(leader, &Ask::Remove { node }).await;
        }
        let metrics = self.engine.metrics().borrow_watched().clone();
        if metrics.membership_config.membership().get_node(&Member(node)).is_none() {
            if self.state.read().is_removed(&node) {
                return Err(Error::Members(format!("{node} is no member of this cluster")));
            }
            // It could come at any time.
            return self.set_removed(leader, node, true).await;
        }
        let settled = async {
            self.settle_voters(&metrics, Some(node)).await?;
            let gone = ChangeMembers::RemoveNodes(BTreeSet::from([Member(node)]));
            let changed = self.engine.change_membership(gone, true).await;
            changed.map(drop).map_err(|error| self.not_changed(error))
        };
        settled.await?;
        self.wire.seen.forget(&node);
        Ok(())
    }

    /// A node that was removed may be let in again.
    pub(crate) async fn let_in(&self, node: PublicKey) -> Result<(), Error> {
        match self.leads() {
            Ok(_) if !self.state.read().is_removed(&node) => Ok(()),
            Ok(leader) => self.set_removed(leader, node, false).await,
            Err(Error::NotLeader { leader: Some(leader) }) if leader != self.wire.me => {
                self.ask_to_manage(leader, &Ask::LetIn { node }).await
            }
            Err(error) => Err(error),
        }
    }

    async fn set_removed(
        &self,
        leader: LeaderId,
        node: PublicKey,
        removed: bool,
    ) -> Result<(), Error> {
        self.say_as(leader, Command::Removed { node, removed }).await.map(drop)
    }

    /// Takes note of a member's labels.
    pub(crate) async fn label(
        &self,
        node: PublicKey,
        labels: BTreeMap<String, String>,
    ) -> Result<(), Error> {
        let set = BTreeMap::from([(Member(node), crate::engine::Tags(labels))]);
        let changed = self.engine.change_membership(ChangeMembers::SetNodes(set), true).await;
        changed.map(drop).map_err(|error| self.not_changed(error))
    }

    async fn ask_to_manage(&self, leader: PublicKey, ask: &Ask) -> Result<(), Error> {
        match self.ask(leader, ask).await? {
            Answer::Managed => Ok(()),
            Answer::NotLeader { leader } => Err(Error::NotLeader { leader }),
            Answer::Refused { reason } => Err(Error::Members(reason)),
            other => Err(Error::Unreachable { member: leader, reason: other.reason() }),
        }
    }
}
