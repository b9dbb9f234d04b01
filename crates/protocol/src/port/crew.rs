//! Work in pieces, and who does it.

use std::sync::OnceLock;

/// Whoever does pieces of work that need nothing of one another: one after the other, or several
/// at once.
pub trait Crew: Sync {
    /// Calls `work` once with every number below `count`, in whichever order, and returns when all
    /// is done.
    fn each(&self, count: usize, work: &(dyn Fn(usize) + Sync));
}

/// One piece after the other, by whoever asks.
#[derive(Clone, Copy, Debug, Default)]
pub struct Alone;

impl Crew for Alone {
    fn each(&self, count: usize, work: &(dyn Fn(usize) + Sync)) {
        (0..count).for_each(work);
    }
}

impl dyn Crew + '_ {
    /// What `work` makes of each item, in their order.
    ///
    /// # Panics
    /// If the crew does not do every piece once.
    pub fn map<T: Sync, R: Send + Sync>(
        &self,
        items: &[T],
        work: impl Fn(&T) -> R + Sync,
    ) -> Vec<R> {
        let done: Vec<OnceLock<R>> = items.iter().map(|_| OnceLock::new()).collect();
        self.each(items.len(), &|at| {
            let first = done[at].set(work(&items[at])).is_ok();
            assert!(first, "piece {at} is done once");
        });
        done.into_iter().map(|one| one.into_inner().expect("every piece is done")).collect()
    }
}
