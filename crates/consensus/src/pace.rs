//! The engine's own time, which passes slowly while there is nothing to do.
//!
//! The engine wants one fixed leader timeout. Short, it makes an idle chain spin: a block, or a view
//! given up and journalled, every few hundred milliseconds for ever. Long, it makes a dead leader
//! stall everybody. So the engine's clock is stretched instead: its timers run at the speed of the
//! wall clock while this validator knows of a waiting transaction (or its ledger wants a block, or
//! a validator just connected), and `slowdown` times slower otherwise. A leader without work
//! proposes an empty block after ⅔ of the leader timeout of *this* time, which is the heartbeat of
//! the genesis in wall time; as soon as there is work, it proposes at once, and if it is dead, the
//! rest of its timeout passes at full speed.
//!
//! Safety does not depend on time, and validators need not agree on it: transactions reach all of
//! them within one message delay, and one that lags only votes later.

use crate::signal::Signal;
use commonware_utils::sync::Mutex;
use std::time::{Duration, SystemTime};

/// The rate of the engine's time.
pub(crate) struct Pace {
    slowdown: u32,
    state: Mutex<State>,
    changes: Signal,
}

struct State {
    /// Wall time up to which `engine` was computed.
    wall: SystemTime,
    /// The engine's time at `wall`.
    engine: SystemTime,
    /// Whether there is work.
    busy: bool,
    /// Until when time passes at full speed without work.
    awake_until: SystemTime,
}

impl Pace {
    pub(crate) fn new(now: SystemTime, slowdown: u32) -> Self {
        let state = State { wall: now, engine: now, busy: false, awake_until: now };
        Self { slowdown: slowdown.max(1), state: Mutex::new(state), changes: Signal::default() }
    }

    /// The engine's time.
    pub(crate) fn engine_time(&self, now: SystemTime) -> SystemTime {
        let mut state = self.state.lock();
        state.advance(now, self.slowdown);
        state.engine
    }

    /// Says whether there is work.
    pub(crate) fn set_busy(&self, now: SystemTime, busy: bool) {
        let mut state = self.state.lock();
        if state.busy != busy {
            state.advance(now, self.slowdown);
            state.busy = busy;
            drop(state);
            self.changes.raise();
        }
    }

    /// Lets time pass at full speed for a while, with or without work.
    pub(crate) fn awaken(&self, now: SystemTime, span: Duration) {
        let mut state = self.state.lock();
        state.advance(now, self.slowdown);
        state.awake_until = state.awake_until.max(now + span);
        drop(state);
        self.changes.raise();
    }

    /// Wall time until the engine's time is `deadline`, if nothing changes; `None` if it is.
    pub(crate) fn wall_until(&self, now: SystemTime, deadline: SystemTime) -> Option<Duration> {
        let mut state = self.state.lock();
        state.advance(now, self.slowdown);
        let need = deadline.duration_since(state.engine).ok().filter(|need| !need.is_zero())?;
        let fast = match state.busy {
            true => Duration::MAX,
            false => state.awake_until.duration_since(state.wall).unwrap_or_default(),
        };
        Some(match need.checked_sub(fast) {
            None => need,
            Some(slow) => fast.saturating_add(slow.saturating_mul(self.slowdown)),
        })
    }

    /// Raised whenever the rate changes.
    pub(crate) fn changes(&self) -> &Signal {
        &self.changes
    }
}

impl State {
    /// Brings the engine's time up to `now`. A wall clock that was set back stops it for a moment;
    /// it never runs backwards.
    fn advance(&mut self, now: SystemTime, slowdown: u32) {
        let passed = now.duration_since(self.wall).unwrap_or_default();
        let fast = match self.busy {
            true => passed,
            false => self.awake_until.duration_since(self.wall).unwrap_or_default().min(passed),
        };
        self.engine += fast + (passed - fast) / slowdown;
        self.wall = now;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn time_is_slow_without_work_and_full_with_it() {
        let start = SystemTime::UNIX_EPOCH + SECOND;
        let pace = Pace::new(start, 100);
        assert_eq!(pace.engine_time(start + 100 * SECOND), start + SECOND);
        pace.set_busy(start + 100 * SECOND, true);
        assert_eq!(pace.engine_time(start + 103 * SECOND), start + 4 * SECOND);
        pace.set_busy(start + 103 * SECOND, false);
        assert_eq!(pace.engine_time(start + 203 * SECOND), start + 5 * SECOND);
    }

    #[test]
    fn a_wait_is_as_long_as_time_will_take() {
        let start = SystemTime::UNIX_EPOCH;
        let pace = Pace::new(start, 100);
        let deadline = start + 3 * SECOND;
        assert_eq!(pace.wall_until(start, deadline), Some(300 * SECOND));
        pace.awaken(start, 2 * SECOND);
        assert_eq!(pace.wall_until(start, deadline), Some(102 * SECOND));
        pace.set_busy(start, true);
        assert_eq!(pace.wall_until(start, deadline), Some(3 * SECOND));
        assert_eq!(pace.wall_until(start + 3 * SECOND, deadline), None);
    }

    #[test]
    fn a_wall_clock_set_back_does_not_turn_time_back() {
        let start = SystemTime::UNIX_EPOCH + 100 * SECOND;
        let pace = Pace::new(start, 1);
        let before = pace.engine_time(start + SECOND);
        assert_eq!(pace.engine_time(start - SECOND), before);
        assert_eq!(pace.engine_time(start), before + SECOND);
    }

    #[test]
    fn a_change_of_pace_is_told() {
        let start = SystemTime::UNIX_EPOCH;
        let pace = Pace::new(start, 10);
        let told = || pace.changes().count();
        pace.set_busy(start, false);
        assert_eq!(told(), 0);
        pace.set_busy(start, true);
        assert_eq!(told(), 1);
        pace.awaken(start, SECOND);
        assert_eq!(told(), 2);
    }
}
