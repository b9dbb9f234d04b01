//! What happened to each job, for whoever waits: from the start, then as it happens.

use futures::{StreamExt, stream::BoxStream};
use identity::canonical;
use protocol::{JobEvent, JobId};
use std::{
    collections::{HashMap, HashSet, VecDeque},
    sync::{Arc, Mutex},
};
use tokio::sync::watch;

/// Ended jobs whose events are kept; older ones are told from the record of the job.
const ENDED: usize = 256;

/// The events of all jobs of this home.
#[derive(Default)]
pub(crate) struct Hub {
    logs: Mutex<Logs>,
    /// Whether what happened before the start is in place.
    restored: watch::Sender<bool>,
}

#[derive(Default)]
struct Logs {
    by_job: HashMap<JobId, Arc<Log>>,
    ended: VecDeque<JobId>,
}

/// All events of a job; they end after `Finished`, or with what could not be heard here.
pub(crate) type Told = BoxStream<'static, Result<JobEvent, Missed>>;

/// The rest of a job happened while this machine was behind; its receipt has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Missed;

struct Log {
    events: Mutex<Vec<JobEvent>>,
    /// How many events there are, and whether more can come.
    length: watch::Sender<(usize, More)>,
}

/// Whether more events can come.
#[derive(Clone, Copy, PartialEq, Eq)]
enum More {
    Awaited,
    Finished,
    Missed,
}

impl Log {
    fn new() -> Arc<Self> {
        Arc::new(Self { events: Mutex::default(), length: watch::channel((0, More::Awaited)).0 })
    }

    fn push(&self, event: JobEvent) {
        let finished = matches!(event, JobEvent::Finished { .. });
        let more = if finished { More::Finished } else { More::Awaited };
        let mut events = self.events.lock().expect("nobody panics while holding events");
        events.push(event);
        self.length.send_replace((events.len(), more));
    }

    fn is_awaited(&self) -> bool {
        self.length.borrow().1 == More::Awaited
    }

    fn miss(&self) {
        self.length.send_modify(|(_, more)| *more = More::Missed);
    }
}

impl Hub {
    /// Adds an event.
    pub(crate) fn tell(&self, job: JobId, event: JobEvent) {
        let ended = matches!(event, JobEvent::Finished { .. });
        let mut logs = self.logs.lock().expect("nobody panics while holding the logs");
        logs.by_job.entry(job).or_insert_with(Log::new).push(event);
        if ended {
            logs.ended.push_back(job);
        }
        while logs.ended.len() > ENDED {
            let Some(oldest) = logs.ended.pop_front() else { break };
            logs.by_job.remove(&oldest);
        }
    }

    /// Puts events in place that happened before this process started.
    pub(crate) fn restore(&self, job: JobId, events: Vec<JobEvent>) {
        let known = self.logs.lock().expect("nobody panics while holding the logs");
        if known.by_job.contains_key(&job) {
            return;
        }
        drop(known);
        events.into_iter().for_each(|event| self.tell(job, event));
    }

    /// A state was taken from another machine, and these are the jobs that go on in it. What is
    /// missing of their events is added. The other jobs have ended meanwhile: whoever waits for one
    /// is told that the rest was missed, and finds it in the receipt.
    pub(crate) fn catch_up(&self, live: Vec<(JobId, Vec<JobEvent>)>) {
        let ids: HashSet<_> = live.iter().map(|(job, _)| *job).collect();
        let mut logs = self.logs.lock().expect("nobody panics while holding the logs");
        logs.by_job.retain(|job, log| {
            let missed = log.is_awaited() && !ids.contains(job);
            if missed {
                log.miss();
            }
            !missed
        });
        drop(logs);
        for (job, events) in live {
            self.add_missing(job, events);
        }
    }

    fn add_missing(&self, job: JobId, events: Vec<JobEvent>) {
        let known = {
            let mut logs = self.logs.lock().expect("nobody panics while holding the logs");
            let log = logs.by_job.entry(job).or_insert_with(Log::new);
            let known = log.events.lock().expect("nobody panics while holding events");
            known.iter().map(canonical::encode).collect::<HashSet<_>>()
        };
        for event in events {
            if !known.contains(&canonical::encode(&event)) {
                self.tell(job, event);
            }
        }
    }

    /// Everything that happened before this process started is in place.
    pub(crate) fn set_restored(&self) {
        self.restored.send_replace(true);
    }

    /// Waits until everything that happened before this process started is in place.
    pub(crate) async fn restored(&self) {
        let mut restored = self.restored.subscribe();
        // It cannot fail: the sender is here.
        drop(restored.wait_for(|restored| *restored).await);
    }

    /// All events of a job that goes on, also if the first of them is still on its way here.
    pub(crate) fn follow(&self, job: &JobId) -> Told {
        let mut logs = self.logs.lock().expect("nobody panics while holding the logs");
        stream_of(logs.by_job.entry(*job).or_insert_with(Log::new).clone())
    }

    /// All events of a job. `None` if nothing is known here.
    pub(crate) fn subscribe(&self, job: &JobId) -> Option<Told> {
        let logs = self.logs.lock().expect("nobody panics while holding the logs");
        logs.by_job.get(job).cloned().map(stream_of)
    }
}

fn stream_of(log: Arc<Log>) -> Told {
    let length = log.length.subscribe();
    let from = Some((log, length, 0));
    let next = move |from: Option<(Arc<Log>, watch::Receiver<_>, usize)>| async move {
        let (log, mut length, mut at) = from?;
        loop {
            let event = {
                let events = log.events.lock().expect("nobody panics while holding events");
                events.get(at).cloned()
            };
            if let Some(event) = event {
                at += 1;
                return Some((Ok(event), Some((log, length, at))));
            }
            let (count, more): (usize, More) = *length.borrow_and_update();
            if count > at {
                continue;
            }
            match more {
                More::Finished => return None,
                More::Missed => return Some((Err(Missed), None)),
                More::Awaited => length.changed().await.ok()?,
            }
        }
    };
    futures::stream::unfold(from, next).boxed()
}

#[cfg(test)]
mod tests {
    use super::*;
    use objects::{Cid, Codec};
    use protocol::TaskIndex;

    fn job(n: u8) -> JobId {
        JobId(Cid::of(Codec::Raw, &[n]))
    }

    fn finished() -> JobEvent {
        JobEvent::Finished { settled: 1, unsettled: 0, receipt: Cid::of(Codec::Raw, b"r") }
    }

    #[tokio::test]
    async fn a_late_listener_hears_everything_and_then_the_end() {
        let hub = Hub::default();
        let first = JobEvent::Final { tasks: vec![TaskIndex(0)], height: protocol::Height(3) };
        hub.tell(job(1), first.clone());
        let mut early = hub.subscribe(&job(1)).expect("known");
        assert_eq!(early.next().await, Some(Ok(first.clone())));
        hub.tell(job(1), finished());
        assert_eq!(early.next().await, Some(Ok(finished())));
        assert_eq!(early.next().await, None);
        let all: Vec<_> = hub.subscribe(&job(1)).expect("known").collect().await;
        assert_eq!(all, [Ok(first), Ok(finished())]);
        assert!(hub.subscribe(&job(2)).is_none());
    }

    #[tokio::test]
    async fn who_follows_before_the_first_event_hears_it_too() {
        let hub = Hub::default();
        let mut early = hub.follow(&job(1));
        hub.tell(job(1), finished());
        assert_eq!(early.next().await, Some(Ok(finished())));
        assert_eq!(early.next().await, None);
    }

    #[tokio::test]
    async fn what_was_missed_is_added_if_the_job_goes_on_and_said_if_it_ended() {
        let hub = Hub::default();
        let first = JobEvent::Disputed { task: TaskIndex(0) };
        let second = JobEvent::Final { tasks: vec![TaskIndex(0)], height: protocol::Height(3) };
        hub.tell(job(1), first.clone());
        hub.tell(job(2), first.clone());
        hub.tell(job(3), finished());
        let streams = [1, 2, 3].map(|n| hub.subscribe(&job(n)).expect("known"));
        let whole = vec![first.clone(), second.clone()];
        hub.catch_up(vec![(job(1), whole.clone()), (job(4), whole.clone())]);
        hub.tell(job(1), finished());
        hub.tell(job(4), finished());

        let [goes_on, ended, had_ended] = streams;
        let told: Vec<_> = goes_on.collect().await;
        assert_eq!(told, [Ok(first.clone()), Ok(second), Ok(finished())]);
        let told: Vec<_> = ended.collect().await;
        assert_eq!(told, [Ok(first), Err(Missed)]);
        let told: Vec<_> = had_ended.collect().await;
        assert_eq!(told, [Ok(finished())]);
        // Of one that was never heard of here, all is told.
        let told: Vec<_> = hub.subscribe(&job(4)).expect("known").collect().await;
        assert_eq!(told, [Ok(whole[0].clone()), Ok(whole[1].clone()), Ok(finished())]);
        // The receipt tells of it from here on.
        assert!(hub.subscribe(&job(2)).is_none());
        assert!(hub.subscribe(&job(3)).is_some());
    }

    #[tokio::test]
    async fn ended_jobs_are_forgotten_in_order() {
        let hub = Hub::default();
        let n = |i: usize| JobId(Cid::of(Codec::Raw, &i.to_be_bytes()));
        (0..ENDED + 5).for_each(|i| hub.tell(n(i), finished()));
        assert!(hub.subscribe(&n(4)).is_none());
        assert!(hub.subscribe(&n(5)).is_some());
    }
}
