//! A rate: so many per second on average, so many at once after a quiet time.

use std::time::{Duration, Instant};

/// The generic cell rate algorithm (ITU-T I.371): one instant instead of a bucket of tokens.
pub(crate) struct Pace {
    /// Between two, on average.
    interval: Duration,
    /// How far ahead of the average one may be.
    slack: Duration,
    /// When the next one is due on average.
    due: Instant,
}

impl Pace {
    pub(crate) fn new(per_second: u32, burst: u32, now: Instant) -> Self {
        let interval = Duration::from_secs(1) / per_second.max(1);
        Self { interval, slack: interval * burst.saturating_sub(1), due: now }
    }

    /// When the next one may go.
    pub(crate) fn ready(&self) -> Instant {
        self.due.checked_sub(self.slack).unwrap_or(self.due)
    }

    /// One goes now.
    pub(crate) fn take(&mut self, now: Instant) {
        self.due = self.due.max(now) + self.interval;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_goes_at_once_and_the_rest_at_the_rate() {
        let start = Instant::now() + Duration::from_secs(100);
        let mut pace = Pace::new(10, 3, start);
        let mut sent_ms = Vec::new();
        let mut now = start;
        for _ in 0..6 {
            now = now.max(pace.ready());
            pace.take(now);
            sent_ms.push((now - start).as_millis());
        }
        assert_eq!(sent_ms, [0, 0, 0, 100, 200, 300]);
        now += Duration::from_secs(60);
        for _ in 0..3 {
            assert!(pace.ready() <= now);
            pace.take(now);
        }
        assert!(pace.ready() > now);
    }
}
