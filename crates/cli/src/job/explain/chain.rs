//! What waits for the ledger, and whether the ledger goes on.

use super::{Facts, NAMED, Said, capital};
use crate::text;
use api::{DisputeState, NodeInfo, Step, TaskDetail, Trouble};
use protocol::Certificate;

impl Facts<'_> {
    /// The order waits for its draw.
    pub(super) fn undrawn(&self) -> Said {
        if self.detail.order.payload.placement == protocol::Placement::Fast {
            return Said::new("It was held, and is not any more: the last beacon draws its nodes.");
        }
        let said = match self.detail.ordered {
            None => "The order is sealed: it waits to be put on the ledger, and the beacon of \
                the block after it draws the nodes."
                .to_string(),
            Some(height) => format!(
                "The order is sealed and on the ledger since height {height}: it waits for the \
                 beacon of height {}, which draws the nodes.",
                height.next(),
            ),
        };
        Said::new(said).and(Some(self.ledger(Step::Order)))
    }

    /// Enough nodes agree, and the ledger has not accepted it yet.
    pub(super) fn unaccepted(&self, how: &str) -> Said {
        let offered = self.detail.offered.map(|at| self.ago(at));
        let offered = match offered {
            Some(ago) => format!("it was offered to the validators {ago} ago"),
            None => "it is offered to the validators with the next ones".into(),
        };
        Said::new(format!("Enough nodes agree ({how}), and it is not final yet: {offered}."))
            .and(Some(self.ledger(Step::Publish)))
    }

    /// How the ledger goes on, for something that waits for it.
    pub(super) fn ledger(&self, step: Step) -> Said {
        let (height, age) = (self.status.height, self.ago(self.status.head_time));
        let (seen, all) = (self.validators(true).count(), self.status.validators as usize);
        let quorum = Certificate::quorum(all);
        let last = format!("the last block here, {height}, is {age} old");
        if seen < quorum {
            let mut away: Vec<_> = self.validators(false).map(|node| self.owner(node)).collect();
            away.sort();
            away.truncate(NAMED);
            let away = away.join(", ");
            let itself = if self.status.validator { ", itself among them" } else { "" };
            return Said::new(format!(
                "The ledger stands: a block needs {quorum} of the {all} validators, and this node \
                 sees {seen}{itself}; {last}. Away: {away}."
            ))
            .next("start them with 'polity up' on their machines, and see: polity doctor");
        }
        Said::new(format!("{}.", capital(&last))).and(self.trouble(step))
    }

    /// The validators that are connected, or those that are not.
    fn validators(&self, connected: bool) -> impl Iterator<Item = &NodeInfo> {
        self.nodes.iter().filter(move |node| node.validator && node.connected == connected)
    }

    /// What came in the way of a step the last time.
    pub(super) fn trouble(&self, step: Step) -> Option<Said> {
        let Trouble { at, reason, .. } = self.detail.troubles.iter().find(|t| t.step == step)?;
        let ago = self.ago(*at);
        let said = Said::new(format!("The last try, {ago} ago, failed: {reason}."));
        Some(said.next("polity doctor"))
    }

    /// Every task has ended; the receipt is being written.
    pub(super) fn unwritten(&self) -> Said {
        Said::new("Every task has ended, and the receipt is being written.")
            .and(self.trouble(Step::Receipt))
    }

    /// How far the dispute about a task is, after `said`; of several tasks without heights.
    pub(super) fn dispute(&self, task: &TaskDetail, alone: bool, said: Said) -> Said {
        let open = "polity ledger disputes";
        match &task.dispute {
            None | Some(DisputeState::Filed { refused: None }) => said
                .and(Some(Said::new("The dispute about them waits for a block of the ledger.")))
                .and(Some(self.ledger(Step::Dispute))),
            Some(DisputeState::Filed { refused: Some(reason) }) => said.and(Some(
                Said::new(format!("The ledger did not take the dispute: {reason}.")).next(open),
            )),
            Some(DisputeState::Open { opened, deadline, rulings, quorum, validators }) => {
                let deadline = text::moment(*deadline);
                let more = Said::new(format!(
                    "A dispute is open since height {opened}: {rulings} of {validators} validators \
                     have ruled, and {quorum} must find the same until {deadline} (block time)."
                ));
                let seen = self.validators(true).count();
                let stands = (seen < *quorum as usize).then(|| self.ledger(Step::Dispute));
                said.and(Some(more)).and(stands).or_next(open)
            }
            Some(DisputeState::Decided { height, refuted, .. }) => {
                let at = height.filter(|_| alone).map(|height| format!(" at height {height}"));
                let at = at.unwrap_or_default();
                let refuted = self.list(refuted);
                let more = Said::new(format!("A verdict{at} refutes {refuted}."));
                said.and(Some(more.next("polity ledger evidence")))
            }
            Some(DisputeState::Undecided { height }) => {
                let at = height.filter(|_| alone).map(|height| format!(", at height {height}"));
                let at = at.unwrap_or_default();
                let more =
                    format!("The validators could not decide{at}: nobody is sanctioned for it.");
                said.and(Some(Said::new(more).next(open)))
            }
        }
    }
}
