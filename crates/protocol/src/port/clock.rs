//! Time, as an argument.

use super::Answer;
use crate::Time;

/// The clock of this machine; implemented by `node`, faked in `sim`.
pub trait Clock: Send + Sync + 'static {
    /// Now.
    fn now(&self) -> Time;

    /// Resolves at `at` or later.
    fn until(&self, at: Time) -> Answer<'static, ()>;

    /// Resolves in so many milliseconds or later.
    fn pause(&self, ms: u64) -> Answer<'static, ()> {
        self.until(self.now().after_ms(ms))
    }
}
