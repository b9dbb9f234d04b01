//! Who is connected, and the story of comings and goings for whoever listens.

use futures::{StreamExt, stream};
use identity::PublicKey;
use protocol::port::{Events, PeerEvent};
use std::collections::{BTreeMap, VecDeque};
use tokio::sync::watch;

/// A peer's presence, from the first connection to the end of the last.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Session {
    /// Different for each presence of any peer.
    pub(crate) number: u64,
    /// Whether the peer is on this machine.
    pub(crate) loopback: bool,
}

/// The peers that are connected now.
pub(crate) type Sessions = BTreeMap<PublicKey, Session>;

/// Peers coming and going; starts with an `Up` for each that is there. A slow listener holds
/// nothing up and loses nothing: it gets the difference between what it knows and what is.
pub(crate) fn events(mut sessions: watch::Receiver<Sessions>) -> Events<PeerEvent> {
    let known = sessions.borrow_and_update().clone();
    let pending = difference(&Sessions::new(), &known);
    let listener = Listener { sessions, known, pending };
    stream::unfold(listener, |mut listener| async move {
        let event = listener.next().await?;
        Some((event, listener))
    })
    .boxed()
}

struct Listener {
    sessions: watch::Receiver<Sessions>,
    known: Sessions,
    pending: VecDeque<PeerEvent>,
}

impl Listener {
    async fn next(&mut self) -> Option<PeerEvent> {
        loop {
            if let Some(event) = self.pending.pop_front() {
                return Some(event);
            }
            self.sessions.changed().await.ok()?;
            let now = self.sessions.borrow_and_update().clone();
            self.pending = difference(&self.known, &now);
            self.known = now;
        }
    }
}

fn difference(before: &Sessions, now: &Sessions) -> VecDeque<PeerEvent> {
    let same = |peer| before.get(peer).map(|s| s.number) == now.get(peer).map(|s| s.number);
    let gone = before.keys().filter(|peer| !same(peer)).map(|peer| PeerEvent::Down(*peer));
    let come = now.keys().filter(|peer| !same(peer)).map(|peer| PeerEvent::Up(*peer));
    gone.chain(come).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures::FutureExt;

    fn sessions(list: &[(u8, u64)]) -> Sessions {
        let session = |number| Session { number, loopback: true };
        list.iter().map(|(peer, number)| (PublicKey([*peer; 32]), session(*number))).collect()
    }

    fn drain(events: &mut Events<PeerEvent>) -> Vec<PeerEvent> {
        std::iter::from_fn(|| events.next().now_or_never().flatten()).collect()
    }

    #[test]
    fn a_slow_listener_learns_the_difference_also_of_a_quick_return() {
        let (tell, listen) = watch::channel(sessions(&[(1, 1), (2, 2)]));
        let mut events = events(listen);
        let [a, b, c] = [1, 2, 3].map(|n| PublicKey([n; 32]));
        assert_eq!(drain(&mut events), [PeerEvent::Up(a), PeerEvent::Up(b)]);
        tell.send_replace(sessions(&[(1, 1)]));
        tell.send_replace(sessions(&[(1, 1), (2, 3), (3, 4)]));
        let expected = [PeerEvent::Down(b), PeerEvent::Up(b), PeerEvent::Up(c)];
        assert_eq!(drain(&mut events), expected);
        drop(tell);
        assert_eq!(events.next().now_or_never(), Some(None), "the network closed");
    }
}
