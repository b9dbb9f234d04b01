//! Where a job stands in the queue, and which nodes fit it.

use super::{Facts, Said};
use crate::{out, text};
use api::{Factors, Misfit, Place};
use identity::PublicKey;
use protocol::draw::SkipReason;
use std::collections::BTreeMap;

/// Nodes in a table, at most.
const ROWS: usize = 40;

impl Facts<'_> {
    /// Nobody new is given a task of it.
    pub(super) fn paused(&self) -> Said {
        let summary = &self.detail.summary;
        let done = summary.agreed + summary.unsettled;
        let tasks = text::plural(summary.tasks as usize, "task");
        let expires = text::moment(self.detail.order.payload.expires);
        Said::new(format!(
            "Paused: nobody new is given a task of it, and what runs goes on; {done} of {tasks} \
             ended. The order is good until {expires}.",
        ))
        .next(format!("polity job resume {}", self.id()))
    }

    /// Why not more of it is at work: others go first, its submitter has enough, nobody fits.
    pub(super) fn place_in_queue(&self) -> Option<Said> {
        let all = [self.ahead(), self.capped(), self.late_for(), self.who_fits()];
        all.into_iter().flatten().reduce(|first, then| first.and(Some(then)))
    }

    fn ahead(&self) -> Option<Said> {
        let ahead = self.detail.placing.ahead.filter(|ahead| *ahead > 0)?;
        let priority = self.detail.order.payload.terms.priority;
        let jobs = text::plural(ahead as usize, "job");
        let verb = if ahead == 1 { "goes" } else { "go" };
        Some(
            Said::new(format!(
                "In the queue {jobs} {verb} before it: its priority is {priority}. One that waits \
                 for long goes first now and then, so that it never starves.{}",
                self.detail.placing.wait_ms.map_or_else(String::new, |ms| {
                    format!(" Its next task is expected to begin in {}.", self.lasting(ms))
                }),
            ))
            .next("make room with 'polity job pause JOB', of those in: polity job list"),
        )
    }

    fn capped(&self) -> Option<Said> {
        let cap = self.detail.placing.capped?;
        let replicas = text::plural(cap.replicas as usize, "replica");
        let allowed = text::number(cap.allowed);
        Some(
            Said::new(format!(
                "Its submitter has {replicas} at work and may have {allowed}: more of it \
                 begins as others end."
            ))
            .next("wait, or give back what is not needed: polity job cancel JOB"),
        )
    }

    /// Its deadline is past: it is done all the same.
    fn late_for(&self) -> Option<Said> {
        let deadline = self.detail.order.payload.terms.deadline?;
        let late = self.now() > deadline && !self.is_over();
        late.then(|| {
            let deadline = text::moment(deadline);
            Said::new(format!("Its deadline {deadline} is past; it goes on until it expires."))
        })
    }

    /// How many nodes fit, and why others do not.
    fn who_fits(&self) -> Option<Said> {
        let places = &self.detail.placing.nodes;
        let mut reasons: BTreeMap<&Misfit, Vec<PublicKey>> = BTreeMap::new();
        for place in places {
            if let Some(misfit) = &place.misfit {
                reasons.entry(misfit).or_default().push(place.node);
            }
        }
        if reasons.is_empty() {
            return None;
        }
        let fit = places.len() - reasons.values().map(Vec::len).sum::<usize>();
        let nodes = text::plural(places.len(), "node");
        let mut said = match fit {
            0 => format!("Of {nodes} none can be given a task of it now."),
            1 => format!("Of {nodes} 1 can be given tasks of it now."),
            fit => format!("Of {nodes} {fit} can be given tasks of it now."),
        };
        let mut reasons: Vec<_> = reasons.into_iter().collect();
        reasons.sort_by_key(|(_, nodes)| std::cmp::Reverse(nodes.len()));
        for (misfit, nodes) in &reasons {
            said.push_str(&format!(
                " {}: {}.",
                super::capital(&self.misfit(misfit)),
                self.list(nodes)
            ));
        }
        let enough = fit >= usize::from(self.detail.order.payload.verification.k);
        let next =
            reasons.iter().find_map(|(misfit, nodes)| way_out(misfit, nodes)).filter(|_| !enough);
        Some(Said { text: said, next })
    }

    /// Why a node is passed over, in words.
    fn misfit(&self, misfit: &Misfit) -> String {
        let needs = &self.detail.order.payload.terms.needs;
        match misfit {
            Misfit::Skipped { reason } => match reason {
                SkipReason::Refuted => "refuted by a verdict".into(),
                SkipReason::Sanctioned => "sanctioned since the draw".into(),
                SkipReason::Refused => "did not take the order".into(),
                SkipReason::NoResult => "had no result".into(),
                _ => "were asked, and did not answer in time".into(),
            },
            Misfit::Offline => "not connected".into(),
            Misfit::Returning => "gone a moment ago and waited for".into(),
            Misfit::Silent => "stopped answering".into(),
            Misfit::Busy => "busy with as much as they may be given".into(),
            Misfit::NotDrawn => "admitted after the draw".into(),
            Misfit::Barred => "sanctioned".into(),
            Misfit::Accused => "contradicted themselves in this job".into(),
            Misfit::Cordoned { reason } => format!("cordoned ({reason})"),
            Misfit::Window => "looked after by their owners now, or soon".into(),
            Misfit::Unknown => "have not said what they are".into(),
            Misfit::Label { name } => match needs.labels.get(name) {
                Some(value) => format!("without the label {name}={value}"),
                None => format!("without the label {name}"),
            },
            Misfit::Arch => {
                format!("not {}", needs.arch.as_deref().unwrap_or("the processor asked for"))
            }
            Misfit::Cpus => format!("fewer than {}", text::plural(needs.cpus.into(), "core")),
            Misfit::Memory => {
                let bytes = self.detail.order.payload.limits.memory_bytes;
                format!("less than {} of memory", text::size(bytes))
            }
            Misfit::Gpus => format!("fewer than {}", text::plural(needs.gpus.into(), "GPU")),
            Misfit::Disk => {
                format!("less than {} free on their disks", text::size(needs.disk_bytes))
            }
            Misfit::Owner => "of owners that the job does not name".into(),
            Misfit::Node => "not named by the job".into(),
            Misfit::Far => match needs.near_ms {
                Some(ms) => format!("further away than {ms} ms"),
                None => "too far away".into(),
            },
            Misfit::Class => format!("may not see {} data", needs.class),
        }
    }

    /// Every factor of every node, and those that are passed over with the reason.
    pub(crate) fn nodes_table(&self) -> String {
        let placing = &self.detail.placing;
        if placing.nodes.is_empty() {
            return "No node was looked at: every replica is drawn, or the job is done.\n".into();
        }
        let weights = placing.weights.unwrap_or_default();
        let head =
            ["NODE", "OWNER", "SCORE", "SPEED", "LOAD", "HISTORY", "LATENCY", "LOCALITY", "PRICE"];
        let mut rows = vec![vec!["(weight)".to_string(), String::new(), "1000".into()]];
        rows[0].extend(weights.named().map(|(_, weight)| weight.to_string()));
        rows.extend(placing.nodes.iter().take(ROWS).map(|place| self.row(place)));
        let mut table = out::table(&head, &rows);
        for place in placing.nodes.iter().take(ROWS) {
            if let Some(misfit) = &place.misfit {
                let said = self.misfit(misfit);
                table.push_str(&format!("…{} is passed over: {said}\n", place.node.short()));
            }
        }
        let more = placing.nodes.len().saturating_sub(ROWS);
        if more > 0 {
            table.push_str(&format!("… and {}\n", text::plural(more, "more node")));
        }
        table
    }

    fn row(&self, place: &Place) -> Vec<String> {
        let owner = self.names.owner(&place.node).map(|(_, name)| name).unwrap_or_default();
        let score = place.score.map_or("-".into(), |score| score.to_string());
        let mut row = vec![format!("…{}", place.node.short()), text::cut(owner, 12), score];
        let factors = place.factors.as_ref().map(Factors::named);
        row.extend((0..6).map(|at| factors.map_or("-".into(), |all| all[at].1.to_string())));
        row
    }
}

/// What helps, where something does.
fn way_out(misfit: &Misfit, nodes: &[PublicKey]) -> Option<String> {
    let first = nodes.first().map(PublicKey::short).unwrap_or_default();
    Some(match misfit {
        Misfit::Offline => {
            "start them with 'polity up' on their machines, and see: polity node list".into()
        }
        Misfit::Cordoned { .. } => format!("polity node uncordon {first}"),
        Misfit::Unknown => format!("see what it says of itself: polity node describe {first}"),
        Misfit::Label { name } => {
            format!("give a node that label, in its config.toml: labels = {{ {name} = \"…\" }}")
        }
        Misfit::Barred => "polity ledger sanctions".into(),
        Misfit::Arch
        | Misfit::Cpus
        | Misfit::Memory
        | Misfit::Gpus
        | Misfit::Disk
        | Misfit::Far => "ask for less: polity job cancel, then polity run … again".into(),
        Misfit::Owner | Misfit::Node | Misfit::Class => {
            "name further owners: polity job cancel, then polity run … --owner NAME".into()
        }
        Misfit::NotDrawn => "order it again: polity run …".into(),
        Misfit::Silent => "look on their machines: polity doctor".into(),
        Misfit::Skipped { .. } => "see what they said: polity job describe --tasks".into(),
        Misfit::Busy | Misfit::Window | Misfit::Accused | Misfit::Returning => return None,
    })
}
