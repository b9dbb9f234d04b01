//! Who is next: submitters take turns, so that one who asks for much does not keep others waiting.

use identity::PublicKey;
use std::{
    collections::{BTreeMap, VecDeque},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};
use tokio::sync::Notify;

/// A bounded queue for each submitter, and whose turn it is. A cheap copy.
pub(super) struct Turns<T>(Arc<Shared<T>>);

struct Shared<T> {
    line: Mutex<Line<T>>,
    /// Something may be taken out.
    ready: Notify,
}

impl<T> Clone for Turns<T> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<T> Turns<T> {
    /// Room for so many, of which one submitter may have `at_once` taken out at a time.
    pub(super) fn new(room: usize, at_once: usize) -> Self {
        let line =
            Line { room, at_once, length: 0, shares: BTreeMap::new(), turns: VecDeque::new() };
        Self(Arc::new(Shared { line: Mutex::new(line), ready: Notify::new() }))
    }

    /// Lines something up, or gives it back if its submitter has its share.
    pub(super) fn push(&self, submitter: PublicKey, item: T) -> Result<(), T> {
        self.lock().push(submitter, item)?;
        self.0.ready.notify_one();
        Ok(())
    }

    /// The next one, once there is one. Its submitter has it until the [`Turn`] is dropped.
    pub(super) async fn next(&self) -> (T, Turn<T>) {
        loop {
            if let Some(next) = self.look() {
                return next;
            }
            self.0.ready.notified().await;
        }
    }

    /// The next one, if there is one.
    fn look(&self) -> Option<(T, Turn<T>)> {
        let mut line = self.lock();
        let (submitter, item) = line.next()?;
        // Of two calls while nobody listened, one is remembered: whoever heard it passes it on.
        if !line.turns.is_empty() {
            self.0.ready.notify_one();
        }
        Some((item, Turn { turns: self.clone(), submitter }))
    }

    fn lock(&self) -> MutexGuard<'_, Line<T>> {
        self.0.line.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Something that was taken out; it is done when this is dropped.
pub(super) struct Turn<T> {
    turns: Turns<T>,
    submitter: PublicKey,
}

impl<T> Drop for Turn<T> {
    fn drop(&mut self) {
        if self.turns.lock().done(&self.submitter) {
            self.turns.0.ready.notify_one();
        }
    }
}

/// What one submitter has here.
struct Share<T> {
    waiting: VecDeque<T>,
    /// Taken out, and not done.
    out: usize,
    /// Whether it has a turn.
    in_line: bool,
}

/// Who waits for what.
struct Line<T> {
    room: usize,
    at_once: usize,
    length: usize,
    shares: BTreeMap<PublicKey, Share<T>>,
    /// Submitters that may take something out, each once; the first is next.
    turns: VecDeque<PublicKey>,
}

impl<T> Line<T> {
    /// A submitter may have half of the room that others leave, so there is always some for one who
    /// has nothing yet. (Dynamic thresholds with α = 1: Choudhury and Hahne, IEEE/ACM Transactions on
    /// Networking 6(2), 1998.)
    fn push(&mut self, submitter: PublicKey, item: T) -> Result<(), T> {
        let left = self.room - self.length;
        let has = self.shares.get(&submitter).map_or(0, |share| share.waiting.len());
        if has >= left {
            return Err(item);
        }
        let new = || Share { waiting: VecDeque::new(), out: 0, in_line: false };
        self.shares.entry(submitter).or_insert_with(new).waiting.push_back(item);
        self.length += 1;
        self.line_up(submitter);
        Ok(())
    }

    fn next(&mut self) -> Option<(PublicKey, T)> {
        let submitter = self.turns.pop_front()?;
        let share = self.shares.get_mut(&submitter)?;
        share.in_line = false;
        let item = share.waiting.pop_front()?;
        share.out += 1;
        self.length -= 1;
        self.line_up(submitter);
        Some((submitter, item))
    }

    /// Whether its submitter may take something out that it could not before.
    fn done(&mut self, submitter: &PublicKey) -> bool {
        let Some(share) = self.shares.get_mut(submitter) else { return false };
        share.out -= 1;
        if share.waiting.is_empty() && share.out == 0 {
            self.shares.remove(submitter);
            return false;
        }
        self.line_up(*submitter)
    }

    /// Gives a submitter a turn, behind all others, if it has none and may have one.
    fn line_up(&mut self, submitter: PublicKey) -> bool {
        let at_once = self.at_once;
        let Some(share) = self.shares.get_mut(&submitter) else { return false };
        let may = !share.in_line && !share.waiting.is_empty() && share.out < at_once;
        if may {
            share.in_line = true;
            self.turns.push_back(submitter);
        }
        may
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures::FutureExt;
    use std::pin::pin;

    fn key(n: u8) -> PublicKey {
        PublicKey([n; 32])
    }

    fn drained(line: &mut Line<u32>) -> Vec<u32> {
        std::iter::from_fn(|| line.next().map(|(_, item)| item)).collect()
    }

    fn line(room: usize, at_once: usize) -> Line<u32> {
        Line { room, at_once, length: 0, shares: BTreeMap::new(), turns: VecDeque::new() }
    }

    #[test]
    fn whoever_asks_for_little_is_served_among_those_who_ask_for_much() {
        let mut line = line(100, 100);
        for item in 0..10 {
            assert_eq!(line.push(key(1), item), Ok(()));
        }
        assert_eq!((line.push(key(2), 100), line.push(key(2), 101)), (Ok(()), Ok(())));
        assert_eq!(drained(&mut line), [0, 100, 1, 101, 2, 3, 4, 5, 6, 7, 8, 9]);
    }

    #[test]
    fn there_is_room_for_one_who_has_nothing_yet() {
        let mut line = line(64, 64);
        let greedy = (0..64).take_while(|item| line.push(key(1), *item).is_ok()).count();
        assert_eq!(greedy, 32);
        assert_eq!(line.push(key(1), 7), Err(7), "what does not fit comes back");
        let second = (0..64).take_while(|item| line.push(key(2), *item).is_ok()).count();
        assert_eq!(second, 16);
        assert_eq!(line.push(key(3), 0), Ok(()));
    }

    #[test]
    fn no_more_are_out_than_one_may_have() {
        let mut line = line(64, 2);
        for item in 0..4 {
            line.push(key(1), item).expect("there is room");
        }
        line.push(key(2), 9).expect("there is room");
        assert_eq!(drained(&mut line), [0, 9, 1]);
        assert!(line.done(&key(1)), "another one may be taken out");
        assert_eq!(drained(&mut line), [2]);
        assert!(!line.done(&key(2)), "it has nothing else");
    }

    #[tokio::test]
    async fn whoever_waits_gets_what_comes_and_what_comes_free() {
        let turns = Turns::new(8, 1);
        let waiting = tokio::spawn({
            let turns = turns.clone();
            async move {
                let (first, turn) = turns.next().await;
                let next = tokio::spawn(async move { turns.next().await.0 });
                drop(turn);
                (first, next.await.expect("it ends"))
            }
        });
        turns.push(key(1), 1).expect("there is room");
        turns.push(key(1), 2).expect("there is room");
        assert_eq!(waiting.await.expect("it ends"), (1, 2));
    }

    #[test]
    fn whoever_is_woken_wakes_the_next_one_while_there_is_more() {
        let turns = Turns::new(16, 4);
        // Both have looked, and found nothing; neither listens yet.
        let mut first = pin!(turns.0.ready.notified());
        let mut second = pin!(turns.0.ready.notified());
        turns.push(key(1), 1).expect("there is room");
        turns.push(key(1), 2).expect("there is room");
        assert!(first.as_mut().now_or_never().is_some());
        assert!(second.as_mut().now_or_never().is_none(), "one call is remembered");
        let taken = turns.look().map(|(item, _)| item);
        assert_eq!(taken, Some(1));
        assert!(second.as_mut().now_or_never().is_some(), "and passed on");
    }

    /// Whatever happens: nothing is lost, nothing comes twice, each submitter's come in order, and
    /// nobody's room is taken by others.
    #[test]
    fn everything_that_was_taken_in_comes_out_once() {
        for seed in 0..2_000 {
            let mut random = sim::Random::new(seed);
            let mut line = line(16, 3);
            let (mut taken, mut came, mut out) = (Vec::new(), Vec::new(), Vec::new());
            for number in 0..400 {
                let who = key(random.below(4) as u8);
                match random.below(3) {
                    0 => {
                        let has = line.shares.get(&who).map_or(0, |share| share.waiting.len());
                        match line.push(who, number) {
                            Ok(()) => taken.push((who, number)),
                            Err(_) => assert!(has > 0 || line.length == 16, "seed {seed}"),
                        }
                    }
                    1 => {
                        if let Some((who, item)) = line.next() {
                            out.push(who);
                            came.push((who, item));
                        }
                    }
                    _ if out.is_empty() => {}
                    _ => {
                        line.done(&out.swap_remove(random.place(out.len())));
                    }
                }
            }
            loop {
                for who in out.drain(..) {
                    line.done(&who);
                }
                let Some((who, item)) = line.next() else { break };
                out.push(who);
                came.push((who, item));
            }
            taken.sort_by_key(|(who, _)| *who);
            came.sort_by_key(|(who, _)| *who);
            assert_eq!(taken, came, "seed {seed}");
            assert!(line.shares.is_empty() && line.length == 0, "seed {seed}");
        }
    }
}
