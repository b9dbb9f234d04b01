//! Drives the mind while this node leads: opens its time in office, and ticks when a deadline comes.

use crate::{
    Error, Replicated,
    engine::{Command, LeaderId, Member, Types},
    fault::Fault,
    record,
    replica::Replica,
    voice::say,
    wire::Wire,
};
use identity::PublicKey;
use openraft::{
    Instant, Raft, ServerState, async_runtime::watch::WatchReceiver, errors::Fatal,
    metrics::RaftServerMetrics, type_config::alias::WatchReceiverOf,
};
use protocol::{Time, port::Clock};
use std::{sync::Arc, time::Duration};
use tokio::sync::watch;

pub(crate) type Engine<M> = Raft<Types, Replica<M>>;

/// Pause before a time in office is opened again that could not be.
const SOON: Duration = Duration::from_millis(5);
/// Pause between two looks at who has answered.
const LOOK: Duration = Duration::from_millis(100);

/// What this node is in its cluster.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Role {
    /// Another one leads, or nobody.
    Follows(Option<PublicKey>),
    /// This node leads, and its mind knows.
    Leads(LeaderId),
    /// The engine has stopped.
    Stopped,
}

/// The task behind a cluster's handle.
pub(crate) struct Driver<M: Replicated> {
    pub(crate) engine: Engine<M>,
    pub(crate) wire: Arc<Wire>,
    pub(crate) me: Member,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) deadline: watch::Receiver<Option<Time>>,
    pub(crate) role: watch::Sender<Role>,
    pub(crate) fault: Fault,
    /// Whether the engine is asked to end.
    pub(crate) stop: watch::Receiver<bool>,
    /// Time between two ticks, at least.
    pub(crate) tick_ms: u64,
    /// How long the last answer of a majority may be ago while this node leads.
    pub(crate) quorum: Duration,
}

type ServerMetrics = WatchReceiverOf<Types, RaftServerMetrics<Types>>;

impl<M: Replicated> Driver<M> {
    /// Drives until the engine stops.
    pub(crate) async fn run(mut self) {
        let mut metrics = self.engine.server_metrics();
        let mut earliest = Time::default();
        let mut grown = false;
        loop {
            if !grown && self.wire.is_grown() {
                self.engine.runtime_config().elect(true);
                grown = true;
            }
            let role = self.role_in(&metrics.borrow_watched());
            if let Role::Leads(leader) = role
                && *self.role.borrow() != role
            {
                // Until the mind knows, others are told that nobody leads.
                self.become_role(Role::Follows(None));
                match self.tell(leader, M::lead(self.me.0), true, &mut metrics).await {
                    Ok(()) => tracing::info!(term = leader.term, "leads its cluster"),
                    // Another change of leaders is on its way, or the end; or the engine tells of
                    // an election a little before it acts on it.
                    Err(error) => {
                        tracing::debug!(term = leader.term, %error, "does not lead yet");
                        tokio::select! {
                            biased;
                            changed = metrics.changed() => if changed.is_err() { break },
                            () = tokio::time::sleep(SOON) => {}
                        }
                        continue;
                    }
                }
            }
            self.become_role(role);
            let leads = matches!(role, Role::Leads(_));
            let elected = metrics.borrow_watched().state == ServerState::Leader;
            // The first answer of a majority comes soon after an election.
            let pause = if elected && !leads { SOON } else { LOOK };
            tokio::select! {
                biased;
                // It comes once in a while only, and must come however busy the engine is.
                () = due(&mut self.deadline, &*self.clock, earliest), if leads => {
                    earliest = self.clock.now().after_ms(self.tick_ms);
                    self.tick(role, &mut metrics).await;
                }
                changed = metrics.changed() => if changed.is_err() { break },
                () = tokio::time::sleep(pause) => {}
            }
        }
        self.report_end();
    }

    fn become_role(&self, role: Role) {
        self.role.send_if_modified(|known| std::mem::replace(known, role) != role);
    }

    fn role_in(&self, metrics: &RaftServerMetrics<Types>) -> Role {
        let vote = metrics.vote;
        if self.wire.behind().is_some() {
            return Role::Follows(None);
        }
        if metrics.state == ServerState::Leader
            && vote.committed
            && vote.leader_id.node_id == self.me
        {
            // Without a majority nothing is decided: it would be no help to say that it leads.
            let heard = self.is_heard(metrics);
            return if heard { Role::Leads(vote.leader_id) } else { Role::Follows(None) };
        }
        Role::Follows(metrics.current_leader.map(|m| m.0).filter(|leader| *leader != self.me.0))
    }

    /// Whether a majority of the voters has answered a moment ago.
    fn is_heard(&self, metrics: &RaftServerMetrics<Types>) -> bool {
        let alone = metrics.membership_config.membership().voter_ids().count() < 2;
        let acked = self.engine.data_metrics().borrow_watched().last_quorum_acked;
        alone || acked.is_some_and(|acked| acked.elapsed() <= self.quorum)
    }

    async fn tick(&self, role: Role, metrics: &mut ServerMetrics) {
        let Role::Leads(leader) = role else { return };
        if let Err(error) = self.tell(leader, M::tick(), false, metrics).await {
            // The engine says the same in its metrics, which are looked at next.
            tracing::debug!(%error, "a tick was not taken");
        }
    }

    /// Tells the mind, and waits as long as this node leads.
    async fn tell(
        &self,
        leader: LeaderId,
        input: M::Input,
        leads: bool,
        metrics: &mut ServerMetrics,
    ) -> Result<(), Error> {
        let input = record::input_bytes(&input);
        let command = Command::Input { at: self.clock.now(), leads, input };
        let over = async {
            loop {
                tokio::select! {
                    biased;
                    changed = metrics.changed() => if changed.is_err() { return },
                    () = tokio::time::sleep(LOOK) => {}
                }
                if self.role_in(&metrics.borrow_watched()) != Role::Leads(leader) {
                    return;
                }
            }
        };
        tokio::select! {
            biased;
            said = say(&self.engine, &self.fault, leader, command) => said.map(drop),
            () = over => Err(Error::Unknown),
        }
    }

    /// The engine ended: by itself, it has a reason. One that broke does not get to say it.
    fn report_end(&self) {
        let end = self.engine.metrics().borrow_watched().running_state.clone();
        match end {
            Ok(()) | Err(Fatal::Stopped) if *self.stop.borrow() => {}
            Ok(()) | Err(Fatal::Stopped) => self.fault.report("its engine broke"),
            Err(fatal) => self.fault.report(fatal),
        }
        self.become_role(Role::Stopped);
    }
}

/// Resolves when the deadline has come, but not before `earliest`: a mind that asks for ticks in
/// the past must not turn into a busy loop.
async fn due(deadline: &mut watch::Receiver<Option<Time>>, clock: &dyn Clock, earliest: Time) {
    loop {
        let at = *deadline.borrow_and_update();
        let come = async {
            match at {
                Some(at) => clock.until(at.max(earliest)).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            biased;
            () = come => return,
            // Without a replica no deadline changes; the engine's end is seen elsewhere.
            changed = deadline.changed() => if changed.is_err() {
                std::future::pending::<()>().await;
            },
        }
    }
}
