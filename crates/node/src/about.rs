//! What nodes say of themselves to each other: version, engine, height, clock. Nobody relies on it;
//! it is there for people who look for what is wrong.

use crate::chain::Chain;
use api::AboutInfo;
use futures::StreamExt;
use identity::{Digest, PublicKey, canonical};
use protocol::{
    About, Time, limits,
    port::{
        Clock, Incoming, Offence, PeerEvent, Protocol, StreamError, Streams, read_frame,
        write_frame,
    },
};
use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard},
    time::Duration,
};
use tokio::{sync::Semaphore, task::JoinSet};

/// Questions about a node: an empty frame, and its answer.
const ABOUT: Protocol = Protocol("/polity/about/1");
/// Peers that are answered at once.
const STREAMS: usize = 32;
/// Peers that are asked at once.
const ASKED: usize = 16;
/// How long a peer may take to ask or to answer.
const PATIENCE: Duration = Duration::from_secs(5);
/// Pause before peers are asked again.
const AGAIN_MS: u64 = 60_000;
/// First pause before those are asked again that said nothing: some have only just begun.
const SOON_MS: u64 = 500;

/// What this node says, and what it hears. A cheap copy.
#[derive(Clone)]
pub(crate) struct Abouts {
    pub(crate) chain: Chain,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) streams: Arc<dyn Streams>,
    /// Version and configuration of its engine.
    pub(crate) engine: Digest,
    pub(crate) heard: Heard,
}

/// What peers last said, as long as they are connected.
#[derive(Clone, Default)]
pub(crate) struct Heard(Arc<Mutex<BTreeMap<PublicKey, AboutInfo>>>);

impl Heard {
    fn lock(&self) -> MutexGuard<'_, BTreeMap<PublicKey, AboutInfo>> {
        self.0.lock().expect("nobody panics while holding what peers said")
    }

    /// What a peer last said.
    pub(crate) fn of(&self, peer: &PublicKey) -> Option<AboutInfo> {
        self.lock().get(peer).cloned()
    }
}

impl Abouts {
    /// Answers peers and asks them, until the network closes.
    pub(crate) async fn run(self) -> Result<(), StreamError> {
        let incoming = self.streams.accept(ABOUT)?;
        tokio::select! {
            () = self.answer_all(incoming) => {}
            () = self.ask_all() => {}
        }
        Ok(())
    }

    fn own(&self) -> About {
        About {
            version: env!("CARGO_PKG_VERSION").into(),
            engine: self.engine,
            height: self.chain.ledger().tip().height,
            clock: self.clock.now(),
        }
    }

    async fn answer_all(&self, mut incoming: protocol::port::Events<Incoming>) {
        let mut answering = JoinSet::new();
        loop {
            tokio::select! {
                next = incoming.next() => {
                    let Some(next) = next else { return };
                    if answering.len() < STREAMS {
                        answering.spawn(self.clone().answer(next));
                    } else {
                        self.streams.penalise(next.peer, Offence::Flooding);
                    }
                }
                Some(_) = answering.join_next() => {}
            }
        }
    }

    async fn answer(self, Incoming { peer, mut stream }: Incoming) {
        let talk = async {
            let question = read_frame(&mut stream, 0).await;
            match question {
                Ok(Some(_)) => write_frame(&mut stream, &canonical::encode(&self.own())).await,
                Err(error) if error.kind() == std::io::ErrorKind::InvalidData => {
                    self.streams.penalise(peer, Offence::Oversized);
                    Ok(())
                }
                _ => Ok(()),
            }
        };
        // Who asked and went away does not want to know.
        let _gone = tokio::time::timeout(PATIENCE, talk).await;
    }

    /// Asks whoever comes, all that are there once in a while, and the silent ones more often at
    /// first.
    async fn ask_all(&self) {
        let mut events = self.streams.events();
        let places = Arc::new(Semaphore::new(ASKED));
        let mut asking = JoinSet::new();
        let after = |ms| self.clock.until(self.clock.now().after_ms(ms));
        let (mut again, mut pause_ms) = (after(AGAIN_MS), SOON_MS);
        let mut soon = after(pause_ms);
        loop {
            let peers = tokio::select! {
                next = events.next() => match next {
                    None => return,
                    Some(PeerEvent::Up(peer)) => {
                        if pause_ms > SOON_MS {
                            (soon, pause_ms) = (after(SOON_MS), SOON_MS);
                        }
                        vec![peer]
                    }
                    Some(PeerEvent::Down(peer)) => {
                        self.heard.lock().remove(&peer);
                        continue;
                    }
                },
                () = &mut again => {
                    again = after(AGAIN_MS);
                    self.streams.peers()
                }
                () = &mut soon => {
                    pause_ms = (2 * pause_ms).min(AGAIN_MS);
                    soon = after(pause_ms);
                    let heard = self.heard.lock();
                    self.streams.peers().into_iter().filter(|peer| !heard.contains_key(peer)).collect()
                }
                Some(_) = asking.join_next() => continue,
            };
            for peer in peers {
                let (abouts, places) = (self.clone(), places.clone());
                asking.spawn(async move {
                    let Ok(_place) = places.acquire().await else { return };
                    abouts.ask(peer).await;
                });
            }
        }
    }

    async fn ask(&self, peer: PublicKey) {
        let talk = async {
            let mut stream = self.streams.open(peer, ABOUT).await.map_err(std::io::Error::other)?;
            let asked = self.clock.now();
            write_frame(&mut stream, &[]).await?;
            let answer = read_frame(&mut stream, limits::ABOUT_BYTES).await?;
            Ok::<_, std::io::Error>((answer, asked, self.clock.now()))
        };
        let (answer, asked, heard) = match tokio::time::timeout(PATIENCE, talk).await {
            Ok(Ok((Some(answer), asked, heard))) => (answer, asked, heard),
            Ok(Err(error)) if error.kind() == std::io::ErrorKind::InvalidData => {
                return self.streams.penalise(peer, Offence::Oversized);
            }
            // A node of an earlier version does not answer; it is asked again later.
            _ => return tracing::debug!(peer = %peer.short(), "says nothing of itself"),
        };
        let about: Option<About> = canonical::decode(&answer, limits::ABOUT_BYTES).ok();
        match about.filter(About::is_plain) {
            // It may have gone meanwhile.
            Some(about) if self.streams.peers().contains(&peer) => {
                self.heard.lock().insert(peer, info(about, asked, heard));
            }
            Some(_) => {}
            None => self.streams.penalise(peer, Offence::Malformed),
        }
    }
}

/// What was said between these two moments: the answer is taken to be from the middle of them.
fn info(about: About, asked: Time, heard: Time) -> AboutInfo {
    let within_ms = heard.since_ms(asked).div_ceil(2);
    let middle = asked.after_ms(within_ms);
    let ahead_ms = i128::from(about.clock.0) - i128::from(middle.0);
    AboutInfo {
        version: about.version,
        engine: about.engine,
        height: about.height,
        ahead_ms: i64::try_from(ahead_ms).unwrap_or(if ahead_ms < 0 { i64::MIN } else { i64::MAX }),
        within_ms,
        at: heard,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures::AsyncWriteExt;
    use identity::{NetworkId, SecretKey, Signed};
    use protocol::{Founder, Genesis, Params, port::Answer};
    use sim::{log::MemoryLog, streams::Mesh};

    /// A clock that stands.
    struct Stopped(Time);

    impl Clock for Stopped {
        fn now(&self) -> Time {
            self.0
        }

        fn until(&self, _: Time) -> Answer<'static, ()> {
            Box::pin(std::future::pending())
        }
    }

    fn key(n: u8) -> SecretKey {
        SecretKey::from_seed([n; 32])
    }

    async fn node(mesh: &Mesh, n: u8, clock: u64) -> Abouts {
        let founder = Founder { node: key(101).public(), name: "1".into(), addresses: Vec::new() };
        let founder = Signed::new(founder, NetworkId::FOUNDING, &key(1));
        let genesis =
            Genesis::found("about".into(), Time(1), vec![founder], 1, Params::default()).unwrap();
        Abouts {
            chain: Chain::open(genesis, Arc::new(MemoryLog::new())).await.unwrap(),
            clock: Arc::new(Stopped(Time(clock))),
            streams: mesh.node(key(n).public()),
            engine: Digest([n; 32]),
            heard: Heard::default(),
        }
    }

    /// Asks until there is an answer: the other side accepts once it has run.
    async fn hear(asker: &Abouts, peer: PublicKey) -> AboutInfo {
        loop {
            asker.ask(peer).await;
            if let Some(about) = asker.heard.of(&peer) {
                return about;
            }
            tokio::task::yield_now().await;
        }
    }

    #[tokio::test]
    async fn a_peer_tells_its_version_its_engine_and_how_far_its_clock_is_off() {
        let mesh = Mesh::new();
        let slow = node(&mesh, 101, 1_000_000).await;
        let fast = node(&mesh, 102, 8_200_000).await;
        let serving = tokio::spawn(fast.clone().run());
        let told = hear(&slow, key(102).public()).await;
        assert_eq!((told.ahead_ms, told.within_ms), (7_200_000, 0));
        assert_eq!(told.engine, Digest([102; 32]));
        assert_eq!(told.version, env!("CARGO_PKG_VERSION"));
        serving.abort();

        let serving = tokio::spawn(slow.run());
        assert_eq!(hear(&fast, key(101).public()).await.ahead_ms, -7_200_000);
        serving.abort();
        assert_eq!(mesh.offences(), []);
    }

    #[tokio::test]
    async fn nonsense_is_an_offence_on_both_sides() {
        let mesh = Mesh::new();
        let asker = node(&mesh, 101, 1).await;
        let liar = mesh.node(key(102).public());
        let mut incoming = liar.accept(ABOUT).unwrap();
        let answering = tokio::spawn(async move {
            let about = About {
                version: "\x1b[31mred".into(),
                engine: Digest([1; 32]),
                height: protocol::Height(1),
                clock: Time(1),
            };
            let mut stream = incoming.next().await.unwrap().stream;
            write_frame(&mut stream, &canonical::encode(&about)).await.unwrap();
            let mut stream = incoming.next().await.unwrap().stream;
            stream.write_all(&u32::MAX.to_be_bytes()).await.unwrap();
            stream.flush().await.unwrap();
        });
        asker.ask(key(102).public()).await;
        asker.ask(key(102).public()).await;
        answering.await.unwrap();
        let kinds: Vec<_> = mesh.offences().into_iter().map(|(_, _, offence)| offence).collect();
        assert_eq!(kinds, [Offence::Malformed, Offence::Oversized]);
        assert_eq!(asker.heard.of(&key(102).public()), None);
    }
}
