//! Several members, over streams in memory.

use super::{
    Said, key,
    probe::Probe,
    tally::{Tally, Told, Wish},
};
use crate::{Begin, Cluster, Config, Leading, Parts, start};
use identity::PublicKey;
use openraft::async_runtime::watch::WatchReceiver;
use protocol::{
    Time,
    port::{Answer, Clock},
};
use sim::streams::Mesh;
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};
use tokio::{sync::mpsc, task::JoinSet, time::Instant};

/// Time as it passes, which is quick here: see [`Society::new`].
pub(super) struct Passing(Instant);

/// How long anything may take.
const PATIENCE: Duration = Duration::from_secs(60);

impl Clock for Passing {
    fn now(&self) -> Time {
        Time(1_000 + u64::try_from(self.0.elapsed().as_millis()).unwrap())
    }

    fn until(&self, at: Time) -> Answer<'static, ()> {
        let at = self.0 + Duration::from_millis(at.0.saturating_sub(1_000));
        Box::pin(tokio::time::sleep_until(at))
    }
}

/// Nodes of one owner, and their network.
pub(super) struct Society {
    pub(super) mesh: Mesh,
    pub(super) clock: Arc<Passing>,
    lives: AtomicU64,
    config: Config,
}

pub(super) struct Member {
    pub(super) key: PublicKey,
    pub(super) cluster: Cluster<Tally>,
    pub(super) effects: mpsc::Receiver<Said<Wish>>,
    pub(super) log: Arc<Probe>,
}

impl Society {
    pub(super) fn new() -> Self {
        let config = Config {
            snapshot_entries: 200,
            keep_entries: 20,
            heartbeat_ms: 30,
            election_ms: 120,
            replace_ms: 1_000,
            ..Config::default()
        };
        let clock = Arc::new(Passing(Instant::now()));
        Self { mesh: Mesh::new(), clock, lives: AtomicU64::new(1), config }
    }

    fn parts(&self, n: u8, begin: Begin, log: &Arc<Probe>) -> Parts<Tally> {
        Parts {
            config: self.config.clone(),
            me: key(n),
            labels: BTreeMap::new(),
            initial: Tally { added: vec![u64::from(n)], ..Tally::default() },
            begin,
            log: log.clone(),
            clock: self.clock.clone(),
            streams: self.mesh.node(key(n)),
            // Key 99 is a stranger's.
            admits: Arc::new(|node| *node != key(99)),
            life: self.lives.fetch_add(1, Ordering::Relaxed),
        }
    }

    pub(super) async fn start(&self, n: u8, begin: Begin, log: Arc<Probe>) -> Member {
        let (cluster, effects) = start(self.parts(n, begin, &log)).await.unwrap();
        Member { key: key(n), cluster, effects, log }
    }

    pub(super) async fn found(&self) -> Member {
        self.start(1, Begin::Found { name: "home".into() }, Probe::new()).await
    }

    pub(super) async fn join(&self, n: u8) -> Member {
        self.start(n, Begin::Join { seeds: vec![key(1)] }, Probe::new()).await
    }

    /// So many members, all of which vote.
    pub(super) async fn of(&self, count: u8) -> Vec<Member> {
        let mut members = vec![self.found().await];
        for n in 2..=count {
            members.push(self.join(n).await);
        }
        let voters = usize::from(count);
        until(&members, || members.iter().all(|member| member.knows(voters))).await;
        members
    }

    pub(super) fn part(&self, one: &[u8], other: &[u8]) {
        for a in one {
            other.iter().for_each(|b| self.mesh.cut(key(*a), key(*b)));
        }
    }

    pub(super) fn heal(&self, one: &[u8], other: &[u8]) {
        for a in one {
            other.iter().for_each(|b| self.mesh.heal(key(*a), key(*b)));
        }
    }
}

impl Member {
    pub(super) fn voters(&self) -> usize {
        self.cluster.status().members.iter().filter(|member| member.votes).count()
    }

    /// Whether it knows that so many vote, for good.
    fn knows(&self, voters: usize) -> bool {
        self.cluster.status().at_rest && self.voters() == voters
    }

    fn leads(&self) -> bool {
        matches!(self.cluster.leads().now(), Leading::Yes(_))
    }

    /// What it has, whoever leads.
    pub(super) fn added(&self) -> Vec<u64> {
        self.cluster.look(|tally| tally.added.clone()).0
    }

    /// Says a number until it is acknowledged.
    pub(super) async fn add(&self, number: u64) {
        add(self.cluster.clone(), number).await;
    }
}

async fn add(cluster: Cluster<Tally>, number: u64) {
    let clock = Passing(Instant::now());
    let until = clock.now().after_ms(u64::try_from(PATIENCE.as_millis()).unwrap());
    cluster.insist(Told::Add(number), until).await.unwrap();
}

/// Waits until something holds that changes with one of the members.
pub(super) async fn until<'a>(
    members: impl IntoIterator<Item = &'a Member>,
    holds: impl Fn() -> bool,
) {
    let mut metrics: Vec<_> = members.into_iter().map(|member| member.cluster.metrics()).collect();
    let held = async {
        loop {
            for metrics in &mut metrics {
                drop(metrics.borrow_and_update());
            }
            if holds() {
                return;
            }
            let changes = metrics.iter_mut().map(|metrics| Box::pin(metrics.changed()));
            let (changed, ..) = futures::future::select_all(changes).await;
            assert!(changed.is_ok(), "the engine of a member ended");
        }
    };
    tokio::time::timeout(PATIENCE, held).await.expect("it never held");
}

pub(super) fn leader(members: &[Member]) -> &Member {
    members.iter().find(|member| member.leads()).expect("somebody leads")
}

#[tokio::test]
async fn members_that_join_vote_and_know_everything_from_the_first_state_on() {
    let society = Society::new();
    let first = society.found().await;
    for number in 100..110 {
        first.add(number).await;
    }
    let second = society.join(2).await;
    assert_eq!(first.voters(), 1);
    let third = society.join(3).await;
    until([&first, &second, &third], || first.voters() == 3).await;
    let expected: Vec<u64> = [1].into_iter().chain(100..110).collect();
    for member in [&first, &second, &third] {
        assert_eq!(member.cluster.read(|tally| tally.added.clone()).await.unwrap(), expected);
    }
    // Every member takes inputs, and has what it acknowledged.
    for (member, number) in [(&second, 200), (&third, 300), (&first, 400)] {
        member.add(number).await;
        assert!(member.added().contains(&number));
    }
    let all = first.cluster.read(|tally| tally.added.clone()).await.unwrap();
    assert_eq!(second.cluster.read(|tally| tally.added.clone()).await.unwrap(), all);
}

#[tokio::test]
async fn four_members_have_three_voters_and_one_takes_the_place_of_a_dead_one() {
    let society = Society::new();
    let mut members = Vec::from([society.found().await]);
    for n in 2..=4 {
        members.push(society.join(n).await);
    }
    until(&members, || members[0].voters() == 3).await;
    let dead = members.pop().unwrap();
    let dead = if dead.cluster.status().members.iter().any(|m| m.node == dead.key && m.votes) {
        dead
    } else {
        members.remove(2)
    };
    let number = dead.key.0[0];
    society.part(&[number], &[1, 2, 3, 4]);
    let votes = |key: PublicKey| {
        let status = members[0].cluster.status();
        status.members.iter().any(|member| member.node == key && member.votes)
    };
    until(&members, || !votes(dead.key) && members[0].voters() == 3).await;
}

#[tokio::test]
async fn another_member_leads_when_the_leader_is_gone_and_nothing_acknowledged_is_lost() {
    let society = Society::new();
    let mut members = society.of(3).await;
    for number in 100..150 {
        members[usize::try_from(number % 3).unwrap()].add(number).await;
    }
    let gone = members.iter().position(Member::leads).unwrap();
    let gone = members.remove(gone);
    let dead = gone.key.0[0];
    let rest: Vec<u8> = members.iter().map(|member| member.key.0[0]).collect();
    society.part(&[dead], &rest);
    let log = gone.log.fork();
    drop(gone);
    for number in 150..200 {
        members[0].add(number).await;
    }
    assert!(members.iter().any(Member::leads));
    let added = members[1].cluster.read(|tally| tally.added.clone()).await.unwrap();
    for number in 100..200 {
        assert!(added.contains(&number), "{number}");
    }
    // The dead one comes back with what it had, and catches up.
    society.heal(&[dead], &rest);
    let back = society.start(dead, Begin::Found { name: "other".into() }, log).await;
    until([&back], || back.added() == added).await;
    assert_eq!(back.cluster.status().cluster, members[0].cluster.status().cluster);
}

#[tokio::test]
async fn a_minority_acknowledges_nothing_answers_nothing_and_forgets_what_it_was_told() {
    let society = Society::new();
    let members = society.of(3).await;
    let old = leader(&members);
    let alone = old.key.0[0];
    let rest: Vec<u8> = (1..=3).filter(|n| *n != alone).collect();
    society.part(&[alone], &rest);
    let lonely = old.cluster.clone();
    let mut asked = JoinSet::new();
    asked.spawn(async move { lonely.propose(Told::Add(666)).await });
    let other = members.iter().find(|member| member.key != old.key).unwrap();
    other.add(777).await;
    // Nobody tells it that another one leads; without a majority it knows that it does not.
    let mut leads = old.cluster.leads();
    let ceases = async { while matches!(leads.now(), Leading::Yes(_)) && leads.changed().await {} };
    tokio::time::timeout(PATIENCE, ceases).await.expect("a leader without a majority leads on");
    assert_eq!(old.cluster.leader(), None);
    // Its look at what is here says how far that is; a linearizable one fails.
    assert!(!old.added().contains(&777));
    assert!(old.cluster.read(Tally::clone).await.is_err());
    society.heal(&[alone], &rest);
    assert!(asked.join_next().await.unwrap().unwrap().is_err());
    until(&members, || old.added().contains(&777)).await;
    assert!(members.iter().all(|member| !member.added().contains(&666)));
}

#[tokio::test]
async fn five_members_and_three_again_while_inputs_come_lose_and_repeat_nothing() {
    let society = Society::new();
    let mut members = society.of(3).await;
    let mut callers = JoinSet::new();
    for lane in 0..4_u64 {
        let cluster = members[usize::try_from(lane % 3).unwrap()].cluster.clone();
        callers.spawn(async move {
            for number in 0..100 {
                add(cluster.clone(), 1_000 * (lane + 1) + number).await;
            }
        });
    }
    members.push(society.join(4).await);
    members.push(society.join(5).await);
    until(&members, || members[0].voters() == 5).await;
    for gone in [5, 4] {
        members[0].cluster.remove(key(gone)).await.unwrap();
    }
    until(&members, || members[0].voters() == 3).await;
    callers.join_all().await;
    let added = members[2].cluster.read(|tally| tally.added.clone()).await.unwrap();
    let told: BTreeSet<u64> = added.iter().copied().filter(|number| *number >= 1_000).collect();
    assert_eq!(told.len(), 400);
    let removed = &members[4];
    let refused = removed.cluster.propose(Told::Add(1)).await;
    assert!(refused.is_err(), "{refused:?}");
}

#[tokio::test]
async fn the_leader_hands_over_and_can_be_removed() {
    let society = Society::new();
    let members = society.of(3).await;
    let first = leader(&members).key;
    members[0].cluster.hand_over(Some(key(3))).await.unwrap();
    until(&members, || members[2].leads()).await;
    members[0].cluster.hand_over(None).await.unwrap();
    until(&members, || members.iter().any(Member::leads) && !members[2].leads()).await;
    let wrong = members[0].cluster.hand_over(Some(key(77))).await.unwrap_err().to_string();
    assert!(wrong.contains("no voter"), "{wrong}");
    let leads = leader(&members).key;
    let other = members.iter().find(|member| member.key != leads).unwrap();
    other.cluster.remove(leads).await.unwrap();
    until([other], || other.cluster.status().members.len() == 2).await;
    other.add(5).await;
    assert!(first == key(1));
}

#[tokio::test]
async fn a_member_that_was_away_for_long_takes_a_snapshot_and_knows_that_it_missed_something() {
    let society = Society::new();
    let mut members = society.of(3).await;
    members[0].cluster.hand_over(Some(key(1))).await.unwrap();
    until(&members, || members[0].leads()).await;
    society.part(&[3], &[1, 2]);
    for number in 1_000..1_600 {
        members[0].add(number).await;
    }
    until(&members, || members[0].cluster.status().snapshot > 400).await;
    society.heal(&[3], &[1, 2]);
    until(&members, || members[2].added().len() == 601).await;
    let mut jumped = false;
    while let Ok(told) = members[2].effects.try_recv() {
        jumped |= told.jumped;
    }
    assert!(jumped);
}

#[tokio::test]
async fn followers_are_told_what_happened_once() {
    let society = Society::new();
    let mut members = society.of(3).await;
    for number in 100..120 {
        members[1].add(number).await;
    }
    let last = members[0].cluster.status().applied;
    let follower = members.iter_mut().find(|member| !member.leads()).unwrap();
    until([&*follower], || follower.cluster.status().applied >= last).await;
    let mut heard = Vec::new();
    while let Ok(told) = follower.effects.try_recv() {
        for wish in told.effects {
            let Wish::Added { number, .. } = wish else { panic!("{wish:?} is the leader's") };
            heard.push(number);
        }
    }
    assert_eq!(heard, (100..120).collect::<Vec<_>>());
}

#[tokio::test]
async fn a_stranger_and_a_member_of_another_cluster_are_not_listened_to() {
    let society = Society::new();
    let first = society.found().await;
    let second = society.start(2, Begin::Found { name: "home".into() }, Probe::new()).await;
    assert_ne!(first.cluster.status().cluster, second.cluster.status().cluster);
    // A copy of the second's directory that believes in the first's members.
    let mut joining = JoinSet::new();
    let parts = society.parts(99, Begin::Join { seeds: vec![key(1)] }, &Probe::new());
    joining.spawn(async move { start(parts).await.map(drop) });
    // It asks, is refused, and asks again.
    while society.mesh.opened(key(99)) < 3 {
        first.cluster.propose(Told::Text("meanwhile".into())).await.unwrap();
        tokio::task::yield_now().await;
    }
    assert!(joining.try_join_next().is_none(), "a stranger waits for ever");
    assert_eq!(first.cluster.status().members.len(), 1);
}

#[tokio::test]
async fn a_member_with_an_old_disk_is_told_nothing_more_and_the_cluster_goes_on() {
    let society = Society::new();
    let mut members = society.of(3).await;
    members[0].cluster.hand_over(Some(key(1))).await.unwrap();
    until(&members, || members[0].leads()).await;
    // The disk of the third as it was.
    let old = members[2].log.fork();
    for number in 100..150 {
        members[0].add(number).await;
    }
    let third = key(3);
    let has = |least: u64| {
        let status = members[0].cluster.status();
        status.members.iter().any(|m| m.node == third && m.has.is_some_and(|has| has >= least))
    };
    let last = members[0].cluster.status().last;
    until(&members, || has(last)).await;
    drop(members.pop());
    let back = society.start(3, Begin::Join { seeds: vec![key(1)] }, old).await;
    // It lacks what it had acknowledged: the leader tells it nothing more.
    let before = society.mesh.opened(key(1));
    while society.mesh.opened(key(1)) < before + 3 {
        members[0].add(5).await;
    }
    assert!(!back.added().contains(&149));
}
