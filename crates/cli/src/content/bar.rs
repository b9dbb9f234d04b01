//! How a person sees bytes go by: a bar on a terminal, nothing elsewhere.

use crate::{out::Out, text};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::time::{Duration, Instant};

/// Tells about bytes.
pub(crate) struct Bar {
    bar: Option<ProgressBar>,
    started: Instant,
}

impl Bar {
    /// A bar for `of_bytes`, or for a number that is not known.
    pub(crate) fn new(out: Out, of_bytes: Option<u64>) -> Self {
        let bar = out.terminal.then(|| {
            let target = ProgressDrawTarget::stderr_with_hz(10);
            let bar = ProgressBar::with_draw_target(of_bytes, target);
            bar.set_style(style(of_bytes.is_some()));
            bar.enable_steady_tick(Duration::from_millis(500));
            bar
        });
        Self { bar, started: Instant::now() }
    }

    /// More bytes went by.
    pub(crate) fn add(&self, bytes: u64) {
        if let Some(bar) = &self.bar {
            bar.inc(bytes);
        }
    }

    /// So many bytes went by, of so many.
    pub(crate) fn set(&self, bytes: u64, of_bytes: Option<u64>) {
        let Some(bar) = &self.bar else { return };
        if of_bytes.is_some() && bar.length() != of_bytes {
            bar.set_style(style(true));
            bar.set_length(of_bytes.unwrap_or_default());
        }
        bar.set_position(bytes);
    }

    /// Ends the bar and answers how long it was there.
    pub(crate) fn close(&self) -> Duration {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
        self.started.elapsed()
    }
}

fn style(is_bounded: bool) -> ProgressStyle {
    let template = match is_bounded {
        true => {
            "{elapsed:>4} {bar:20} {binary_bytes} of {binary_total_bytes}, {binary_bytes_per_sec}"
        }
        false => "{elapsed:>4} {spinner} {binary_bytes}, {binary_bytes_per_sec}",
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
    fn a_rate_is_told_where_it_says_something() {
        assert_eq!(rate(2 << 30, Duration::from_secs(2)), "2.0 GiB in 2.0 s (1.0 GiB/s)");
        assert_eq!(rate(5, Duration::from_millis(3)), "5 B in 3 ms");
    }
}
