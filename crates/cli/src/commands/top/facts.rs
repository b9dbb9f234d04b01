//! What is shown: the last answers of the node, and how they changed.

use crate::text;
use api::{ClusterInfo, JobState, JobSummary, NodeInfo, Status, Totals};
use protocol::{JobId, Priority, Time};
use serde_json::{Value, json};
use std::{
    collections::{HashMap, VecDeque},
    time::Duration,
};

/// Rates that are remembered: as many as a wide terminal has columns.
const SAMPLES: usize = 240;

/// What a node answered.
#[derive(Clone, Debug)]
pub(super) struct Answer {
    pub(super) status: Status,
    pub(super) nodes: Vec<NodeInfo>,
    pub(super) jobs: Vec<JobSummary>,
    /// Why it does not know its jobs, if it does not.
    pub(super) unknown: Option<String>,
    pub(super) cluster: ClusterInfo,
}

/// What is known.
#[derive(Clone, Debug, Default)]
pub(super) struct Facts {
    last: Option<Answer>,
    /// Tasks of each job that had ended.
    ended: HashMap<JobId, u32>,
    at: Time,
    /// Thousandths of tasks in a second, the latest last.
    rates: VecDeque<u64>,
    /// Why the node did not answer, if it did not.
    lost: Option<String>,
}

impl Facts {
    /// Takes an answer. Jobs that are not known now are those of the answer before.
    pub(super) fn take(&mut self, mut answer: Answer) {
        if answer.unknown.is_some() {
            if let Some(last) = self.last.take() {
                answer.jobs = last.jobs;
            }
            (self.last, self.lost) = (Some(answer), None);
            return;
        }
        let ended = |job: &JobSummary| (job.job, job.agreed + job.unsettled);
        let now: HashMap<_, _> = answer.jobs.iter().map(ended).collect();
        if self.last.is_some() {
            let before = |job: &JobId| self.ended.get(job).copied().unwrap_or(0);
            let fresh = now.iter().map(|(job, count)| u64::from(count.saturating_sub(before(job))));
            let ms = answer.status.clock.since_ms(self.at).max(1);
            self.rates.push_back(fresh.sum::<u64>() * 1_000_000 / ms);
            if self.rates.len() > SAMPLES {
                self.rates.pop_front();
            }
        }
        (self.at, self.ended) = (answer.status.clock, now);
        (self.last, self.lost) = (Some(answer), None);
    }

    /// The node did not answer.
    pub(super) fn lose(&mut self, reason: String) {
        self.lost = Some(reason);
    }

    pub(super) fn answer(&self) -> Option<&Answer> {
        self.last.as_ref()
    }

    /// Thousandths of tasks that ended in each second, the latest last.
    pub(super) fn rates(&self) -> impl DoubleEndedIterator<Item = u64> + ExactSizeIterator + '_ {
        self.rates.iter().copied()
    }

    /// The node, the ledger, and how fresh they are.
    pub(super) fn title(&self) -> String {
        let Some(Answer { status, .. }) = &self.last else { return "polity top".into() };
        let since = text::lasting(Duration::from_millis(status.clock.since_ms(status.head_time)));
        let peers = text::plural(status.peers as usize, "peer");
        format!(
            "{} · node …{} · {peers} · height {}, {since} ago · {}",
            status.network_name,
            status.node.short(),
            text::number(status.height.0),
            text::moment(status.clock),
        )
    }

    /// Who leads the cluster, and who votes.
    pub(super) fn cluster(&self) -> String {
        let Some(Answer { cluster, .. }) = &self.last else { return String::new() };
        let there = |member: &&api::MemberInfo| member.connected;
        let (votes, follow): (Vec<_>, Vec<_>) =
            cluster.members.iter().partition(|member| member.votes);
        let leads = cluster.leader.map_or_else(
            || "nobody leads".to_string(),
            |leader| format!("…{} leads", leader.short()),
        );
        let mut line = format!(
            "cluster {}: {leads}, {} of {} voters are there",
            text::cut(&cluster.name, 16),
            votes.iter().copied().filter(there).count(),
            votes.len(),
        );
        if !follow.is_empty() {
            line += &format!(", {} follow", follow.len());
        }
        line
    }

    /// What is wrong, if something is.
    pub(super) fn trouble(&self) -> Option<String> {
        if let Some(lost) = &self.lost {
            let at = self.last.as_ref().map_or(self.at, |answer| answer.status.clock);
            return Some(format!(
                "the node does not answer; this is of {}: {lost}",
                text::moment(at)
            ));
        }
        let unknown = self.last.as_ref()?.unknown.as_ref()?;
        let known = match self.at {
            Time(0) => "jobs are not known".to_string(),
            at => format!("jobs are those of {}", text::moment(at)),
        };
        Some(format!("{known}: {unknown}"))
    }

    fn totals(&self) -> Totals {
        self.last.as_ref().map(|answer| answer.status.totals.clone()).unwrap_or_default()
    }

    /// Tasks that wait, by priority.
    pub(super) fn queue(&self) -> Vec<(String, u64)> {
        let queued = Priority::ALL.into_iter().zip(self.totals().queued);
        queued.map(|(priority, count)| (priority.to_string(), count)).collect()
    }

    /// What is under way.
    pub(super) fn work(&self) -> String {
        let Totals { running, agreed, paused, .. } = self.totals();
        let [running, agreed, paused] = [running, agreed, paused].map(text::number);
        format!("running {running}, agreed {agreed}, paused jobs {paused}")
    }

    /// Tasks per second: now, and the most that was seen.
    pub(super) fn throughput(&self) -> (String, String) {
        let shown = |rate: u64| format!("{}.{}", text::number(rate / 1_000), rate % 1_000 / 100);
        let now = self.rates.back().copied().unwrap_or(0);
        (shown(now), shown(self.rates.iter().copied().max().unwrap_or(0)))
    }

    /// The same as JSON.
    pub(super) fn json(&self) -> Value {
        let Some(Answer { status, nodes, jobs, unknown, cluster }) = &self.last else {
            return Value::Null;
        };
        let running: Vec<_> = jobs.iter().filter(|job| job.state == JobState::Running).collect();
        let running = unknown.is_none().then_some(running);
        json!({ "status": status, "nodes": nodes, "jobs": running, "cluster": cluster })
    }
}

/// How a node is, in a word.
pub(super) fn state(node: &NodeInfo, now: Time) -> &'static str {
    let load = node.load.as_ref();
    let in_window = |(from, until): &(Time, Time)| *from <= now && now < *until;
    match load {
        _ if node.barred_until.is_some() => "barred",
        _ if !node.connected => "away",
        Some(load) if load.cordon.is_some() => "cordoned",
        Some(load) if load.windows.iter().any(in_window) => "window",
        _ => "up",
    }
}

/// Replicas at work of those that it may have.
pub(super) fn load(node: &NodeInfo) -> String {
    node.load.as_ref().map_or("-".into(), |load| format!("{}/{}", load.used, load.slots))
}

/// Millions of units of fuel in a second.
pub(super) fn speed(node: &NodeInfo) -> String {
    let fuel_ms = node.load.as_ref().and_then(|load| load.fuel_ms);
    fuel_ms.map_or("-".into(), |fuel_ms| format!("{} M/s", text::number(fuel_ms / 1_000)))
}

/// How long a message takes to it and back.
pub(super) fn distance(node: &NodeInfo) -> String {
    node.rtt_ms.map_or("-".into(), |ms| format!("{ms} ms"))
}

/// Jobs under way, the most urgent first.
pub(super) fn under_way(jobs: &[JobSummary]) -> Vec<&JobSummary> {
    let mut under_way: Vec<_> = jobs.iter().filter(|job| job.state == JobState::Running).collect();
    under_way.sort_by_key(|job| (job.priority, job.deadline.unwrap_or(Time(u64::MAX)), job.issued));
    under_way
}

/// How a job is, in a word.
pub(super) fn job_state(job: &JobSummary) -> &'static str {
    match () {
        () if job.paused => "paused",
        () if job.running > 0 => "running",
        () => "waiting",
    }
}
