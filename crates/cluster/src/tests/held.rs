//! What is left when a majority is lost, and what goes on from it.

use super::{
    alone,
    clock::Hands,
    key,
    probe::Probe,
    society::{Society, until},
    tally::{Tally, Told},
};
use crate::{Begin, Config, Error, Held, Image, Leading, Parts, start};
use protocol::{Time, port::Log};
use std::{collections::BTreeMap, sync::Arc};

/// The log of a cluster of one that goes on from there.
async fn alone_with(held: Held<Tally>, me: u8) -> Arc<Probe> {
    let log = Probe::new();
    let labels = BTreeMap::from([("zone".to_string(), "north".to_string())]);
    held.begin_alone(&*log, key(me), labels, (Time(1_000), 7)).await.unwrap();
    log
}

fn found() -> Begin {
    Begin::Found { name: "home".into() }
}

#[tokio::test]
async fn another_node_goes_on_from_a_copy_as_a_cluster_of_its_own() {
    for config in [Config { snapshot_entries: 20, ..Config::default() }, Config::default()] {
        let log = Probe::new();
        let node = super::Node::start(&config, &log).await;
        for number in 0..50 {
            node.tell(Told::Add(number)).await;
        }
        let (image, count) = node.cluster.image(|tally| tally.added.len()).await.unwrap();
        assert_eq!(count, 50);
        let before = node.cluster.status();
        node.tell(Told::Add(1_000)).await;
        drop(node);

        let held = Held::<Tally>::of(image).unwrap();
        assert_eq!((held.mind.added.len(), held.index), (50, before.applied));
        let log = alone_with(held, 2).await;
        let clock = Arc::new(Hands::at(0));
        let parts = alone(&config, Tally::default(), log.clone(), clock);
        let parts = Parts { me: key(2), streams: sim::streams::Mesh::new().node(key(2)), ..parts };
        let (cluster, _effects) = start(parts).await.unwrap();
        cluster.propose(Told::Add(2_000)).await.unwrap();
        let added = cluster.read(|tally| tally.added.clone()).await.unwrap();
        assert_eq!(added, (0..50).chain([2_000]).collect::<Vec<_>>());
        let status = cluster.status();
        assert_ne!(status.cluster, before.cluster);
        assert_eq!((status.name, status.members.len()), (before.name, 1));
        assert_eq!(status.members[0].labels["zone"], "north");
        cluster.shutdown().await.unwrap();
    }
}

#[tokio::test]
async fn a_log_is_read_with_its_snapshot_and_what_follows_it() {
    let config = Config { snapshot_entries: 20, keep_entries: 0, ..Config::default() };
    let log = Probe::new();
    let node = super::Node::start(&config, &log).await;
    for number in 0..90 {
        node.tell(Told::Add(number)).await;
    }
    log.begins_after(20).await;
    let tally = node.tally().await;
    let last = node.cluster.status().last;
    node.cluster.shutdown().await.unwrap();
    let held = Held::<Tally>::read(&*log, key(1)).await.unwrap().unwrap();
    assert_eq!((held.mind, held.index, held.members), (tally, last, [(key(1), true)].into()));
    let foreign = Held::<Tally>::read(&*log, key(2)).await.map(|_| ());
    assert_eq!(foreign, Err(Error::Foreign { owner: key(1), me: key(2) }));
    assert!(Held::<Tally>::read(&*Probe::new(), key(1)).await.unwrap().is_none());
}

#[tokio::test]
async fn a_log_in_use_is_not_begun_anew() {
    let log = Probe::new();
    let node = super::Node::start(&Config::default(), &log).await;
    let (image, ()) = node.cluster.image(|_| ()).await.unwrap();
    drop(node);
    let held = Held::<Tally>::of(image.clone()).unwrap();
    let begun = held.begin_alone(&*log, key(1), BTreeMap::new(), (Time(1), 1)).await;
    assert!(matches!(begun, Err(Error::Unreadable { .. })));
    let odd = Image { index: image.index + 1, ..image };
    assert!(matches!(Held::<Tally>::of(odd), Err(Error::Unreadable { .. })));
}

#[tokio::test]
async fn who_is_lost_and_comes_back_is_told_and_is_no_majority_with_others() {
    let society = Society::new();
    let members = society.of(3).await;
    members[0].add(100).await;
    members[2].add(200).await;
    let logs: Vec<_> = members.iter().map(|member| member.log.clone()).collect();
    let known = members[2].added();
    drop(members);

    let held = Held::<Tally>::read(&*logs[2], key(3)).await.unwrap().unwrap();
    assert_eq!((&held.mind.added, held.members.len()), (&known, 3));
    let former = held.cluster;
    let third = society.start(3, found(), alone_with(held, 3).await).await;
    third.add(300).await;
    assert_eq!(third.voters(), 1);

    // The others come back, and cannot see each other at first.
    society.part(&[1], &[2]);
    let first = society.start(1, found(), logs[0].fork()).await;
    let second = society.start(2, found(), logs[1].fork()).await;
    let into = third.cluster.status().cluster.unwrap();
    for lost in [&first, &second] {
        let mut behind = lost.cluster.behind();
        let told = *behind.wait_for(Option::is_some).await.unwrap();
        let told = told.unwrap();
        assert_eq!((told.by, told.into, told.at), (key(3), into, Time(1_000)));
        assert!(told.to_string().contains("join that one with an empty directory"), "{told}");
        assert_eq!(lost.cluster.status().cluster, Some(former));
    }
    society.heal(&[1], &[2]);
    for lost in [&first, &second] {
        let read = lost.cluster.read(|_| ()).await;
        assert!(matches!(&read, Err(error) if error.may_pass()), "{read:?}");
    }

    // New members know everything, and vote.
    let seeds = vec![key(1), key(3)];
    let fourth = society.start(4, Begin::Join { seeds: seeds.clone() }, Probe::new()).await;
    let fifth = society.start(5, Begin::Join { seeds }, Probe::new()).await;
    until([&third, &fourth, &fifth], || third.voters() == 3).await;
    fifth.add(400).await;
    let all = fourth.cluster.read(|tally| tally.added.clone()).await.unwrap();
    assert!([100, 200, 300, 400].iter().all(|number| all.contains(number)), "{all:?}");
}

#[tokio::test]
async fn the_only_voter_that_was_lost_and_comes_back_does_not_lead() {
    let society = Society::new();
    let first = society.start(1, found(), Probe::new()).await;
    let second = society.join(2).await;
    first.add(100).await;
    assert_eq!(second.cluster.read(|tally| tally.added.len()).await.unwrap(), 2);
    let logs = [first.log.clone(), second.log.clone()];
    drop((first, second));
    let held = Held::<Tally>::read(&*logs[1], key(2)).await.unwrap().unwrap();
    let second = society.start(2, found(), alone_with(held, 2).await).await;
    second.add(200).await;
    let first = society.start(1, found(), logs[0].fork()).await;
    first.cluster.behind().wait_for(Option::is_some).await.unwrap();
    let mut leads = first.cluster.leads();
    while leads.now() != Leading::No(None) {
        assert!(leads.changed().await);
    }
    assert!(first.cluster.propose(Told::Add(300)).await.is_err());
    assert!(second.cluster.read(|tally| tally.added.contains(&200)).await.unwrap());
}

#[tokio::test]
async fn a_member_that_follows_and_comes_back_hears_that_it_was_left_behind() {
    let society = Society::new();
    let mut members = society.of(3).await;
    members.push(society.join(4).await);
    members[0].add(100).await;
    until(&members, || members[3].added().contains(&100)).await;
    let logs: Vec<_> = members.iter().map(|member| member.log.clone()).collect();
    drop(members);
    let held = Held::<Tally>::read(&*logs[0], key(1)).await.unwrap().unwrap();
    let _first = society.start(1, found(), alone_with(held, 1).await).await;
    let follows = society.start(4, found(), logs[3].fork()).await;
    let mut behind = follows.cluster.behind();
    let told = behind.wait_for(Option::is_some).await.unwrap().unwrap();
    assert_eq!(told.by, key(1));
}

#[tokio::test]
async fn a_cluster_that_was_never_lost_goes_on_when_somebody_says_that_it_was() {
    let society = Society::new();
    let mut members = society.of(3).await;
    members[0].add(100).await;
    let third = members.pop().unwrap();
    let log = third.log.clone();
    drop(third);
    let held = Held::<Tally>::read(&*log, key(3)).await.unwrap().unwrap();
    let late = Time(u64::MAX);
    let log = Probe::new();
    held.begin_alone(&*log, key(3), BTreeMap::new(), (late, 7)).await.unwrap();
    let third = society.start(3, found(), log).await;
    third.add(300).await;
    for number in 200..220 {
        members[0].add(number).await;
        members[1].add(number + 100).await;
    }
    assert!(members.iter().all(|member| member.cluster.behind().borrow().is_none()));
}

#[tokio::test]
async fn a_cluster_that_was_recovered_twice_tells_members_of_both() {
    let log = Probe::new();
    let node = super::Node::start(&Config::default(), &log).await;
    let (image, ()) = node.cluster.image(|_| ()).await.unwrap();
    drop(node);
    let once = alone_with(Held::of(image).unwrap(), 2).await;
    let held = Held::<Tally>::read(&*once, key(2)).await.unwrap().unwrap();
    let twice = alone_with(held, 2).await;
    let belongs = twice.value(crate::store::BELONGS).await.unwrap().unwrap();
    assert_eq!(crate::record::belongs_of(&belongs).unwrap().former.len(), 2);
}
