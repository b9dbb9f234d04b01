//! What this node counts and measures, in the text form that Prometheus reads (exposition format,
//! version 0.0.4).

use crate::home::Home;
use protocol::{JobEvent, Priority, ToWorker, Unsettled};
use std::{
    fmt::{Display, Write},
    fs,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};
use work::{Effect, Totals, Work};

/// Upper bounds of buckets, in microseconds: from what a scheduler decides in to what a network
/// needs.
const BOUNDS_US: [u64; 15] = [
    50, 100, 250, 500, 1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 100_000, 250_000, 1_000_000,
    5_000_000, 30_000_000,
];

/// How long something took, how often.
#[derive(Debug, Default)]
pub(crate) struct Histogram {
    /// How many were not above each bound, and above the one before it; the last one is of the rest.
    buckets: [AtomicU64; BOUNDS_US.len() + 1],
    sum_us: AtomicU64,
}

impl Histogram {
    /// Counts one more.
    pub(crate) fn saw(&self, took: Duration) {
        let us = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        let at = BOUNDS_US.iter().position(|bound| us <= *bound).unwrap_or(BOUNDS_US.len());
        self.buckets[at].fetch_add(1, Ordering::Relaxed);
        self.sum_us.fetch_add(us, Ordering::Relaxed);
    }
}

/// What is counted as it happens.
#[derive(Debug, Default)]
pub(crate) struct Metrics {
    /// What the scheduler took for an input after which replicas were given out.
    decision: Histogram,
    /// From an entry that is proposed to the queue's log to its effect on the queue.
    commit: Histogram,
    /// From a block that is proposed to the block that is final here, by both clocks.
    finality: Histogram,
    succeeded: AtomicU64,
    failed: AtomicU64,
    disputed: AtomicU64,
    /// By [`UNSETTLED`].
    unsettled: [AtomicU64; UNSETTLED.len()],
}

/// Why tasks end without agreement, as labels.
const UNSETTLED: [&str; 9] = [
    "dissent",
    "undecided",
    "refuted",
    "expired",
    "no_candidates",
    "cancelled",
    "refused_by_ledger",
    "after",
    "poison",
];

fn place(why: &Unsettled) -> usize {
    match why {
        Unsettled::Dissent => 0,
        Unsettled::Undecided => 1,
        Unsettled::Refuted => 2,
        Unsettled::Expired => 3,
        Unsettled::NoCandidates => 4,
        Unsettled::Cancelled => 5,
        Unsettled::RefusedByLedger => 6,
        Unsettled::After(_) => 7,
        Unsettled::Poison => 8,
    }
}

impl Metrics {
    /// Counts what happened to a job.
    pub(crate) fn happened(&self, event: &JobEvent) {
        let (counter, count) = match event {
            JobEvent::Agreed { outcome, .. } if outcome.end.is_success() => (&self.succeeded, 1),
            JobEvent::Agreed { .. } => (&self.failed, 1),
            JobEvent::Disputed { .. } => (&self.disputed, 1),
            JobEvent::Unsettled { why, .. } => (&self.unsettled[place(why)], 1),
            JobEvent::UnsettledRange { why, count, .. } => {
                (&self.unsettled[place(why)], u64::from(*count))
            }
            _ => return,
        };
        counter.fetch_add(count, Ordering::Relaxed);
    }

    /// Counts how long the scheduler took, if it gave something out.
    pub(crate) fn decided(&self, took: Duration, effects: &[Effect]) {
        let gives = |effect: &Effect| {
            matches!(effect, Effect::Send { message: ToWorker::Assign { .. }, .. })
        };
        if effects.iter().any(gives) {
            self.decision.saw(took);
        }
    }

    /// Counts how long it took to tell the queue something, if it was told.
    pub(crate) fn told<E>(&self, begun: Instant, told: &Result<(), E>) {
        if told.is_ok() {
            self.commit.saw(begun.elapsed());
        }
    }

    /// Everything, as it is now.
    pub(crate) async fn text(&self, home: &Home) -> String {
        let (totals, _) = home.cluster.look(Work::totals);
        let store = home.store.status().await.ok();
        let tip = home.chain.ledger().tip().clone();
        let mut text = Text::default();
        self.queue(&mut text, &totals);
        text.histogram(
            ("polity_decision_seconds", "What the scheduler took for what gave replicas out"),
            &self.decision,
        );
        text.histogram(
            ("polity_commit_seconds", "From proposing to the queue's log to its effect there"),
            &self.commit,
        );
        text.gauge(("polity_ledger_height", "Height of the last final block"), tip.height.0);
        let age_ms = home.clock.now().since_ms(tip.time);
        let age = ("polity_ledger_age_seconds", "Time since the last final block was proposed");
        text.gauge(age, seconds(age_ms * 1_000));
        text.histogram(
            ("polity_finality_seconds", "From proposing a block to its finality here"),
            &self.finality,
        );
        let peers = home.streams.peers().len();
        text.gauge(("polity_peers", "Nodes of the polity that are connected"), peers);
        if let Some(store) = store {
            text.gauge(("polity_store_bytes", "Bytes of blobs in the store"), store.blob_bytes);
            let packs = ("polity_store_pack_bytes", "Bytes of the files that hold them");
            text.gauge(packs, store.pack_bytes);
            let free = ("polity_store_free_bytes", "Free bytes on the disk of the store");
            text.gauge(free, store.free_bytes);
        }
        process(&mut text);
        text.0
    }

    fn queue(&self, text: &mut Text, totals: &Totals) {
        text.head("polity_jobs", "Jobs whose receipts are not stored yet", "gauge");
        text.line("polity_jobs", &[("state", "paused")], totals.paused);
        text.line("polity_jobs", &[("state", "active")], totals.jobs - totals.paused);
        text.head("polity_tasks_queued", "Tasks that nobody was asked for", "gauge");
        for (priority, count) in Priority::ALL.iter().zip(totals.queued_by_priority) {
            text.line("polity_tasks_queued", &[("priority", &priority.to_string())], count);
        }
        text.gauge(("polity_tasks_running", "Tasks that are worked on"), totals.running);
        let agreed = ("polity_tasks_agreed", "Tasks that were agreed on, and wait for the ledger");
        text.gauge(agreed, totals.agreed);
        let done = "polity_tasks_done_total";
        text.head(done, "Tasks that ended since this node started, by result", "counter");
        let get = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        text.line(done, &[("result", "success")], get(&self.succeeded));
        text.line(done, &[("result", "failure")], get(&self.failed));
        for (why, counter) in UNSETTLED.iter().zip(&self.unsettled) {
            text.line(done, &[("result", why)], get(counter));
        }
        let disputed = "polity_tasks_disputed_total";
        text.head(disputed, "Tasks whose outcomes differed since this node started", "counter");
        text.line(disputed, &[], get(&self.disputed));
        let copies = "polity_tasks_copied_total";
        text.head(copies, "Second copies of what took long", "counter");
        text.line(copies, &[], totals.copies);
    }
}

/// Measures how long blocks take to become final, as long as the node runs.
pub(crate) async fn count_blocks(home: Home, metrics: Arc<Metrics>) -> anyhow::Result<()> {
    let mut head = home.chain.head();
    while head.changed().await.is_ok() {
        head.borrow_and_update();
        let proposed = home.chain.ledger().tip().time;
        let took_ms = home.clock.now().since_ms(proposed);
        metrics.finality.saw(Duration::from_millis(took_ms));
    }
    Ok(())
}

/// What the operating system says of this process; elsewhere than on Linux nothing.
fn process(text: &mut Text) {
    /// Bytes of a page of memory on the machines that this runs on, as `getconf PAGESIZE` says it.
    const PAGE_BYTES: u64 = 4_096;
    let pages = fs::read_to_string("/proc/self/statm").ok();
    let resident = pages.as_deref().and_then(|text| text.split(' ').nth(1)?.parse::<u64>().ok());
    if let Some(pages) = resident {
        let help = "Memory of this process that is in use";
        text.gauge(("process_resident_memory_bytes", help), pages * PAGE_BYTES);
    }
    if let Ok(open) = fs::read_dir("/proc/self/fd") {
        text.gauge(("process_open_fds", "Files and connections that are open"), open.count());
    }
}

/// Microseconds as seconds, exactly.
fn seconds(us: u64) -> String {
    let text = format!("{}.{:06}", us / 1_000_000, us % 1_000_000);
    text.trim_end_matches('0').trim_end_matches('.').to_string()
}

/// Lines of the text form. Labels are words of this file: nothing in them has to be escaped.
#[derive(Default)]
struct Text(String);

impl Text {
    fn push(&mut self, line: std::fmt::Arguments<'_>) {
        self.0.write_fmt(line).expect("text can be written to memory");
        self.0.push('\n');
    }

    fn head(&mut self, name: &str, help: &str, kind: &str) {
        self.push(format_args!("# HELP {name} {help}\n# TYPE {name} {kind}"));
    }

    fn line(&mut self, name: &str, labels: &[(&str, &str)], value: impl Display) {
        let labels: Vec<_> =
            labels.iter().map(|(name, value)| format!("{name}=\"{value}\"")).collect();
        match labels.as_slice() {
            [] => self.push(format_args!("{name} {value}")),
            labels => self.push(format_args!("{name}{{{}}} {value}", labels.join(","))),
        }
    }

    fn gauge(&mut self, (name, help): (&str, &str), value: impl Display) {
        self.head(name, help, "gauge");
        self.line(name, &[], value);
    }

    fn histogram(&mut self, (name, help): (&str, &str), histogram: &Histogram) {
        self.head(name, help, "histogram");
        let (bucket, mut count) = (format!("{name}_bucket"), 0);
        for (at, counter) in histogram.buckets.iter().enumerate() {
            count += counter.load(Ordering::Relaxed);
            let bound = BOUNDS_US.get(at).map_or("+Inf".into(), |bound| seconds(*bound));
            self.line(&bucket, &[("le", &bound)], count);
        }
        let sum = seconds(histogram.sum_us.load(Ordering::Relaxed));
        self.line(&format!("{name}_sum"), &[], sum);
        self.line(&format!("{name}_count"), &[], count);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use protocol::TaskIndex;

    #[test]
    fn buckets_count_everything_up_to_their_bound() {
        let histogram = Histogram::default();
        for us in [10, 50, 51, 5_000_000, 99_000_000] {
            histogram.saw(Duration::from_micros(us));
        }
        let mut text = Text::default();
        text.histogram(("x_seconds", "How long"), &histogram);
        let lines: Vec<_> = text.0.lines().collect();
        assert_eq!(lines[..2], ["# HELP x_seconds How long", "# TYPE x_seconds histogram"]);
        assert_eq!(lines[2], "x_seconds_bucket{le=\"0.00005\"} 2");
        assert_eq!(lines[3], "x_seconds_bucket{le=\"0.0001\"} 3");
        assert_eq!(lines[lines.len() - 4], "x_seconds_bucket{le=\"30\"} 4");
        assert_eq!(lines[lines.len() - 3], "x_seconds_bucket{le=\"+Inf\"} 5");
        assert_eq!(lines[lines.len() - 2], "x_seconds_sum 104.000111");
        assert_eq!(lines[lines.len() - 1], "x_seconds_count 5");
    }

    #[test]
    fn a_decision_is_what_gives_something_out() {
        let metrics = Metrics::default();
        let to = identity::PublicKey([1; 32]);
        let job = protocol::JobId(objects::Cid::of(objects::Codec::Raw, b"job"));
        let closed = Effect::Send { to, message: ToWorker::Close { job, tasks: Vec::new() } };
        metrics.decided(Duration::from_micros(60), &[closed, Effect::Finished { job }]);
        let count = || metrics.decision.buckets.iter().map(|b| b.load(Ordering::Relaxed)).sum();
        let before: u64 = count();
        let payload = protocol::Job {
            network: identity::NetworkId::FOUNDING,
            home: to,
            program: job.0,
            table: job.0,
            tasks: 1,
            seed: identity::Digest([0; 32]),
            limits: protocol::Limits::default(),
            placement: protocol::Placement::Fast,
            verification: protocol::Verification { k: 1, n: 1 },
            issued: protocol::Time(0),
            expires: protocol::Time(1),
            engine: identity::Digest([0; 32]),
            nonce: identity::Digest([0; 32]),
            terms: protocol::Terms::default(),
        };
        let key = identity::SecretKey::from_seed([1; 32]);
        let order = identity::Signed::new(payload, identity::NetworkId::FOUNDING, &key);
        let message = ToWorker::Assign { order, drawn: protocol::Height(1), replicas: Vec::new() };
        metrics.decided(Duration::from_micros(60), &[Effect::Send { to, message }]);
        assert_eq!((before, count()), (0, 1));
    }

    #[test]
    fn tasks_are_counted_by_their_result() {
        let metrics = Metrics::default();
        let task = TaskIndex(1);
        metrics.happened(&JobEvent::Unsettled { task, why: Unsettled::Poison });
        let why = Unsettled::Cancelled;
        metrics.happened(&JobEvent::UnsettledRange { from: task, count: 999, why });
        metrics.happened(&JobEvent::Disputed { task });
        metrics.happened(&JobEvent::Paused);
        let mut text = Text::default();
        let totals =
            Totals { jobs: 3, paused: 1, queued_by_priority: [0, 0, 7, 0, 0], ..Totals::default() };
        metrics.queue(&mut text, &totals);
        for line in [
            "polity_jobs{state=\"active\"} 2",
            "polity_tasks_queued{priority=\"normal\"} 7",
            "polity_tasks_done_total{result=\"success\"} 0",
            "polity_tasks_done_total{result=\"cancelled\"} 999",
            "polity_tasks_done_total{result=\"poison\"} 1",
            "polity_tasks_disputed_total 1",
        ] {
            assert!(text.0.lines().any(|other| other == line), "{line} in {}", text.0);
        }
    }

    #[test]
    fn a_process_says_what_it_uses() {
        let mut text = Text::default();
        process(&mut text);
        assert!(
            text.0.contains("process_resident_memory_bytes ") || cfg!(not(target_os = "linux"))
        );
        assert_eq!([seconds(0), seconds(1_500_000), seconds(50)], ["0", "1.5", "0.00005"]);
    }
}
