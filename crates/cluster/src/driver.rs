//! Drives the mind while this node leads: opens its time in office, and ticks when a deadline comes.

use crate::{
    Error, Replicated,
    engine::{Command, LeaderId, Member, Types},
    fault::Fault,
    record,
    replica::Replica,
    voice::say,
};
use identity::PublicKey;
use openraft::{
    Raft, ServerState, async_runtime::watch::WatchReceiver, errors::Fatal,
    metrics::RaftServerMetrics,
};
use protocol::{Time, port::Clock};
use std::{sync::Arc, time::Duration};
use tokio::sync::watch;

pub(crate) type Engine<M> = Raft<Types, Replica<M>>;

/// Pause before a time in office is opened again that could not be.
const SOON: Duration = Duration::from_millis(5);

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
    pub(crate) me: Member,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) deadline: watch::Receiver<Option<Time>>,
    pub(crate) role: watch::Sender<Role>,
    pub(crate) fault: Fault,
    /// Time between two ticks, at least.
    pub(crate) tick_ms: u64,
}

impl<M: Replicated> Driver<M> {
    /// Drives until the engine stops.
    pub(crate) async fn run(mut self) {
        let mut metrics = self.engine.server_metrics();
        let mut earliest = Time::default();
        loop {
            let role = self.role_in(&metrics.borrow_watched());
            if let Role::Leads(leader) = role
                && *self.role.borrow() != role
            {
                // Until the mind knows, others are told that nobody leads.
                self.become_role(Role::Follows(None));
                match self.tell(leader, M::lead(self.me.0), true).await {
                    Ok(()) => tracing::info!(term = leader.term, "leads its cluster"),
                    // Another change of leaders is on its way, or the end; or the engine tells of
                    // an election a little before it acts on it.
                    Err(error) => {
                        tracing::debug!(term = leader.term, %error, "does not lead yet");
                        tokio::select! {
                            changed = metrics.changed() => if changed.is_err() { break },
                            () = tokio::time::sleep(SOON) => {}
                        }
                        continue;
                    }
                }
            }
            self.become_role(role);
            let leads = matches!(role, Role::Leads(_));
            tokio::select! {
                changed = metrics.changed() => if changed.is_err() { break },
                () = due(&mut self.deadline, &*self.clock, earliest), if leads => {
                    earliest = self.clock.now().after_ms(self.tick_ms);
                    self.tick(role).await;
                }
            }
        }
        self.report_end();
    }

    fn become_role(&self, role: Role) {
        self.role.send_if_modified(|known| std::mem::replace(known, role) != role);
    }

    fn role_in(&self, metrics: &RaftServerMetrics<Types>) -> Role {
        let vote = metrics.vote;
        if metrics.state == ServerState::Leader
            && vote.committed
            && vote.leader_id.node_id == self.me
        {
            return Role::Leads(vote.leader_id);
        }
        Role::Follows(metrics.current_leader.map(|m| m.0).filter(|leader| *leader != self.me.0))
    }

    async fn tick(&self, role: Role) {
        let Role::Leads(leader) = role else { return };
        if let Err(error) = self.tell(leader, M::tick(), false).await {
            // The engine says the same in its metrics, which are looked at next.
            tracing::debug!(%error, "a tick was not taken");
        }
    }

    async fn tell(&self, leader: LeaderId, input: M::Input, leads: bool) -> Result<(), Error> {
        let input = record::input_bytes(&input);
        let command = Command { at: self.clock.now(), leads, input };
        say(&self.engine, &self.fault, leader, command).await.map(drop)
    }

    /// The engine ended: by itself, it has a reason.
    fn report_end(&self) {
        let end = self.engine.metrics().borrow_watched().running_state.clone();
        match end {
            Ok(()) | Err(Fatal::Stopped) => {}
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
            () = come => return,
            // Without a replica no deadline changes; the engine's end is seen elsewhere.
            changed = deadline.changed() => if changed.is_err() {
                std::future::pending::<()>().await;
            },
        }
    }
}
