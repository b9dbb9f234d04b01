//! How a person sees bytes, or tasks, go by: a bar on a terminal, nothing elsewhere.

use crate::{out::Out, text};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::time::{Duration, Instant};

/// What goes by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Unit {
    Bytes,
    Tasks,
}

/// Tells about what goes by.
pub(crate) struct Bar {
    unit: Unit,
    bar: Option<ProgressBar>,
    started: Instant,
}

impl Bar {
    /// A bar for `of_bytes`, or for a number that is not known.
    pub(crate) fn new(out: Out, of_bytes: Option<u64>) -> Self {
        Self::of(Unit::Bytes, out, of_bytes)
    }

    /// A bar for tasks, of a number that is not known yet.
    pub(crate) fn of_tasks(out: Out) -> Self {
        Self::of(Unit::Tasks, out, None)
    }

    fn of(unit: Unit, out: Out, all: Option<u64>) -> Self {
        let bar = out.terminal.then(|| {
            let target = ProgressDrawTarget::stderr_with_hz(10);
            let bar = ProgressBar::with_draw_target(all, target);
            bar.set_style(style(unit, all.is_some()));
            bar.enable_steady_tick(Duration::from_millis(500));
            bar
        });
        Self { unit, bar, started: Instant::now() }
    }

    /// More went by.
    pub(crate) fn add(&self, more: u64) {
        if let Some(bar) = &self.bar {
            bar.inc(more);
        }
    }

    /// So much went by, of so much.
    pub(crate) fn set(&self, done: u64, all: Option<u64>) {
        let Some(bar) = &self.bar else { return };
        if all.is_some() && bar.length() != all {
            bar.set_style(style(self.unit, true));
            bar.set_length(all.unwrap_or_default());
        }
        bar.set_position(done);
    }

    /// Ends the bar and answers how long it was there.
    pub(crate) fn close(&self) -> Duration {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
        self.started.elapsed()
    }
}

fn style(unit: Unit, is_bounded: bool) -> ProgressStyle {
    let template = match (unit, is_bounded) {
        (Unit::Bytes, true) => {
            "{elapsed:>4} {bar:20} {binary_bytes} of {binary_total_bytes}, {binary_bytes_per_sec}"
        }
        (Unit::Bytes, false) => "{elapsed:>4} {spinner} {binary_bytes}, {binary_bytes_per_sec}",
        (Unit::Tasks, true) => "{elapsed:>4} {bar:20} {human_pos} of {human_len} tasks",
        (Unit::Tasks, false) => "{elapsed:>4} {spinner}",
    };
    ProgressStyle::with_template(template).expect("the template is right")
}

/// `4.0 GiB in 2.0 s (2.0 GiB/s)`.
pub(crate) fn rate(bytes: u64, time: Duration) -> String {
    let size = text::size(bytes);
    let lasting = text::lasting(time);
    let seconds = time.as_secs_f64();
    // Of so little it says nothing.
    if seconds < 0.1 || bytes == 0 {
        return format!("{size} in {lasting}");
    }
    format!("{size} in {lasting} ({}/s)", text::size((bytes as f64 / seconds) as u64))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_bar_has_a_style() {
        for unit in [Unit::Bytes, Unit::Tasks] {
            for is_bounded in [true, false] {
                style(unit, is_bounded);
            }
        }
    }

    #[test]
    fn a_rate_is_told_where_it_says_something() {
        assert_eq!(rate(2 << 30, Duration::from_secs(2)), "2.0 GiB in 2.0 s (1.0 GiB/s)");
        assert_eq!(rate(5, Duration::from_millis(3)), "5 B in 3 ms");
    }
}
