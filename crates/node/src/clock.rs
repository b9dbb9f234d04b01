//! The clock of this machine.

use protocol::{
    Time,
    port::{Answer, Clock},
};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// System time. It never steps back while the node runs.
pub(crate) struct SystemClock {
    started: std::time::Instant,
    at_start: Time,
}

impl SystemClock {
    pub(crate) fn new() -> Self {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let at_start = Time(u64::try_from(since.as_millis()).unwrap_or(u64::MAX));
        Self { started: std::time::Instant::now(), at_start }
    }
}

impl Clock for SystemClock {
    fn now(&self) -> Time {
        let elapsed = u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.at_start.after_ms(elapsed)
    }

    fn until(&self, at: Time) -> Answer<'static, ()> {
        let wait = Duration::from_millis(at.since_ms(self.now()));
        Box::pin(tokio::time::sleep(wait))
    }
}
