//! What nodes say of themselves to each other: version, engine, height, clock, for people who look
//! for what is wrong; and what they measured of themselves, by which homes choose.

use crate::{
    chain::Chain,
    heard::{Heard, Said},
    measure::Own,
    places::{Places, Room},
};
use api::AboutInfo;
use futures::{StreamExt, stream};
use identity::{Digest, PublicKey, canonical};
use protocol::{
    About, Introduction, Profile, Time, limits,
    port::{
        Clock, Events, Incoming, Offence, PeerEvent, Protocol, StreamError, Streams, read_frame,
        write_frame,
    },
};
use std::{sync::Arc, time::Duration};
use tokio::{sync::Semaphore, task::JoinSet};

/// Questions about a node: an empty frame, and its answer, an [`Introduction`].
const ABOUT: Protocol = Protocol("/polity/about/2");
/// The same with an [`About`] for an answer: what nodes of earlier versions ask and know.
const PLAIN: Protocol = Protocol("/polity/about/1");
/// Streams that are answered at once.
const ROOM: Room = Room { streams: 32, strangers: 16, per_peer: 8 };
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
    pub(crate) me: PublicKey,
    pub(crate) chain: Chain,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) streams: Arc<dyn Streams>,
    /// Version and configuration of its engine.
    pub(crate) engine: Digest,
    /// What this node measured of itself.
    pub(crate) own: Own,
    pub(crate) heard: Heard,
}

impl Abouts {
    /// Answers peers and asks them, until the network closes.
    pub(crate) async fn run(self) -> Result<(), StreamError> {
        let with = |protocol| move |next: Incoming| (protocol, next);
        let whole = self.streams.accept(ABOUT)?.map(with(ABOUT));
        let plain = self.streams.accept(PLAIN)?.map(with(PLAIN));
        let incoming = stream::select(whole, plain).boxed();
        tokio::select! {
            () = self.answer_all(incoming) => {}
            () = self.ask_all() => {}
        }
        Ok(())
    }

    fn about(&self) -> About {
        About {
            version: env!("CARGO_PKG_VERSION").into(),
            engine: self.engine,
            height: self.chain.ledger().tip().height,
            clock: self.clock.now(),
        }
    }

    /// The answer to who asks in this protocol.
    fn answer_in(&self, protocol: Protocol) -> Vec<u8> {
        let about = self.about();
        if protocol == PLAIN {
            return canonical::encode(&about);
        }
        let profile = self.own.profile(&self.me);
        canonical::encode(&Introduction { about, profile })
    }

    async fn answer_all(&self, mut incoming: Events<(Protocol, Incoming)>) {
        let places = Places::new(self.streams.clone(), self.chain.is_admitted(), ROOM);
        let mut answering = JoinSet::new();
        loop {
            tokio::select! {
                next = incoming.next() => {
                    let Some((protocol, next)) = next else { return };
                    let Some(place) = places.take(next.peer) else { continue };
                    let answer = self.clone().answer(protocol, next);
                    answering.spawn(async move {
                        answer.await;
                        drop(place);
                    });
                }
                Some(_) = answering.join_next() => {}
            }
        }
    }

    async fn answer(self, protocol: Protocol, Incoming { peer, mut stream }: Incoming) {
        let talk = async {
            let question = read_frame(&mut stream, 0).await;
            match question {
                Ok(Some(_)) => write_frame(&mut stream, &self.answer_in(protocol)).await,
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
        let after = |ms| self.clock.pause(ms);
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
                        self.heard.remove(&peer);
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
                    let silent = |peer: &PublicKey| !self.heard.is_measured(peer);
                    self.streams.peers().into_iter().filter(silent).collect()
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
            let (protocol, opened) = match self.streams.open(peer, ABOUT).await {
                // A node of an earlier version.
                Err(StreamError::Unsupported(..)) => (PLAIN, self.streams.open(peer, PLAIN).await),
                opened => (ABOUT, opened),
            };
            let mut stream = opened.map_err(std::io::Error::other)?;
            let asked = self.clock.now();
            write_frame(&mut stream, &[]).await?;
            let answer = read_frame(&mut stream, limits::ABOUT_BYTES).await?;
            Ok::<_, std::io::Error>((protocol, answer, asked, self.clock.now()))
        };
        let (protocol, answer, asked, heard) = match tokio::time::timeout(PATIENCE, talk).await {
            Ok(Ok((protocol, Some(answer), asked, heard))) => (protocol, answer, asked, heard),
            Ok(Err(error)) if error.kind() == std::io::ErrorKind::InvalidData => {
                return self.streams.penalise(peer, Offence::Oversized);
            }
            // A node of an earlier version does not answer; it is asked again later.
            _ => return tracing::debug!(peer = %peer.short(), "says nothing of itself"),
        };
        match self.read(peer, protocol, &answer) {
            // It may have gone meanwhile.
            Some((about, profile)) if self.streams.peers().contains(&peer) => {
                let rtt_ms = heard.since_ms(asked);
                let about = info(about, asked, heard);
                self.heard.insert(peer, Said { about, profile, rtt_ms });
            }
            Some(_) => {}
            None => self.streams.penalise(peer, Offence::Malformed),
        }
    }

    /// An answer that can be shown to people, with a profile that holds and is the peer's own.
    fn read(
        &self,
        peer: PublicKey,
        protocol: Protocol,
        answer: &[u8],
    ) -> Option<(About, Option<Profile>)> {
        let introduction = match protocol {
            PLAIN => Introduction {
                about: canonical::decode(answer, limits::ABOUT_BYTES).ok()?,
                profile: None,
            },
            _ => canonical::decode(answer, limits::ABOUT_BYTES).ok()?,
        };
        let Introduction { about, profile } = introduction;
        let holds = profile.as_ref().is_none_or(|profile| {
            profile.by == peer && Profile::check(profile, self.chain.network()).is_ok()
        });
        (about.is_plain() && holds).then(|| (about, profile.map(|signed| signed.payload)))
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
    use protocol::{Founder, Genesis, Params, Speed, port::Answer};
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
        let chain = Chain::open(genesis, Arc::new(MemoryLog::new())).await.unwrap();
        let speed = Some(Speed { mflops: 5, memory_mib_s: 6, disk_mib_s: 7, fuel_ms: 8 });
        let profile = Profile { cores: u16::from(n), speed, ..Profile::default() };
        Abouts {
            me: key(n).public(),
            own: Own::of(vec![Signed::new(profile, chain.network(), &key(n))]),
            chain,
            clock: Arc::new(Stopped(Time(clock))),
            streams: mesh.node(key(n).public()),
            engine: Digest([n; 32]),
            heard: Heard::default(),
        }
    }

    /// Asks until there is an answer: the other side accepts once it has run.
    async fn hear(asker: &Abouts, peer: PublicKey) -> Said {
        loop {
            asker.ask(peer).await;
            if let Some(said) = asker.heard.of(&peer) {
                return said;
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
        let told = hear(&slow, key(102).public()).await.about;
        assert_eq!((told.ahead_ms, told.within_ms), (7_200_000, 0));
        assert_eq!(told.engine, Digest([102; 32]));
        assert_eq!(told.version, env!("CARGO_PKG_VERSION"));
        serving.abort();

        let serving = tokio::spawn(slow.run());
        assert_eq!(hear(&fast, key(101).public()).await.about.ahead_ms, -7_200_000);
        serving.abort();
        assert_eq!(mesh.offences(), []);
    }

    #[tokio::test]
    async fn a_peer_tells_what_it_measured_and_its_profile_is_its_own() {
        let mesh = Mesh::new();
        let asker = node(&mesh, 101, 1).await;
        let news = asker.heard.news();
        let peer = node(&mesh, 102, 1).await;
        let serving = tokio::spawn(peer.clone().run());
        let told = hear(&asker, key(102).public()).await;
        assert_eq!((told.profile.as_ref().unwrap().cores, told.rtt_ms), (102, 0));
        assert!(news.has_changed().unwrap());
        let expected = [(key(102).public(), told.profile.unwrap(), 0)];
        assert_eq!(asker.heard.profiles(), expected);
        serving.abort();
        let liar = node(&mesh, 103, 1).await;
        let honest = liar.answer_in(ABOUT);
        assert!(asker.read(key(103).public(), ABOUT, &honest).is_some());
        let stolen = peer.own.profile(&peer.me).unwrap();
        let mut changed = liar.own.profile(&liar.me).unwrap();
        changed.payload.cores += 1;
        for profile in [stolen, changed] {
            let said = Introduction { about: liar.about(), profile: Some(profile) };
            let said = canonical::encode(&said);
            assert_eq!(asker.read(key(103).public(), ABOUT, &said), None);
        }
        assert_eq!(mesh.offences(), []);
    }

    #[tokio::test]
    async fn nodes_of_earlier_versions_are_understood_and_understand() {
        let mesh = Mesh::new();
        let asker = node(&mesh, 101, 1).await;
        let old = mesh.node(key(102).public());
        let mut incoming = old.accept(PLAIN).unwrap();
        let said = canonical::encode(&asker.about());
        let answering = tokio::spawn(async move {
            let mut stream = incoming.next().await.unwrap().stream;
            read_frame(&mut stream, 0).await.unwrap();
            write_frame(&mut stream, &said).await.unwrap();
        });
        asker.ask(key(102).public()).await;
        answering.await.unwrap();
        assert_eq!(asker.heard.of(&key(102).public()).unwrap().profile, None);
        let answer = asker.answer_in(PLAIN);
        assert!(canonical::decode::<About>(&answer, limits::ABOUT_BYTES).is_ok());
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
