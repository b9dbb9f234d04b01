//! Pieces of work on all cores of this machine.

use protocol::port::Crew;
use std::{
    sync::atomic::{AtomicUsize, Ordering},
    thread,
};

/// Threads, at most: more gain little, and each takes memory.
const MOST: usize = 8;

/// As many threads as there are cores, for as long as the work takes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Threads(usize);

impl Threads {
    /// One for each core.
    pub(crate) fn of_this_machine() -> Self {
        Self(thread::available_parallelism().map_or(1, usize::from).min(MOST))
    }
}

impl Crew for Threads {
    fn each(&self, count: usize, work: &(dyn Fn(usize) + Sync)) {
        let next = AtomicUsize::new(0);
        let go = || {
            loop {
                let at = next.fetch_add(1, Ordering::Relaxed);
                if at >= count {
                    return;
                }
                work(at);
            }
        };
        thread::scope(|scope| {
            // The caller works too.
            (1..self.0.min(count)).for_each(|_| drop(scope.spawn(go)));
            go();
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use protocol::port::Alone;
    use std::sync::Barrier;

    #[test]
    fn every_crew_does_every_piece_once_and_answers_in_order() {
        for crew in [&Alone as &dyn Crew, &Threads(1), &Threads(4), &Threads::of_this_machine()] {
            for count in [0, 1, 3, 1_000] {
                let done: Vec<_> = (0..count).map(|_| AtomicUsize::new(0)).collect();
                crew.each(count, &|at| {
                    done[at].fetch_add(1, Ordering::Relaxed);
                });
                assert!(done.iter().all(|times| times.load(Ordering::Relaxed) == 1), "{count}");
                let items: Vec<_> = (0..count).collect();
                let doubled: Vec<_> = items.iter().map(|at| at * 2).collect();
                assert_eq!(crew.map(&items, |at| at * 2), doubled);
            }
        }
    }

    /// Each piece waits until all others have begun.
    #[test]
    fn threads_work_at_the_same_time() {
        let all = Barrier::new(3);
        Threads(3).each(3, &|_| {
            all.wait();
        });
    }
}
