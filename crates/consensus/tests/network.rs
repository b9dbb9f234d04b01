//! Validators over streams in memory: agreement, loss, return, and refusal.

#![allow(clippy::unwrap_used)]

mod support;

use commonware_codec::{Copying, DecodeExt, Encode};
use commonware_consensus::{
    simplex::{
        scheme::ed25519::Scheme,
        types::{Notarize, Proposal, Vote},
    },
    types::{Epoch, Round, View},
};
use commonware_cryptography::{ed25519, sha256};
use commonware_utils::ordered::Set;
use consensus::{Error, Event, create_journal, journal_exists};
use futures::{AsyncReadExt, AsyncWriteExt};
use protocol::port::{Offence, Protocol, Streams, write_frame};
use protocol::{Certificate, NamedTx};
use std::fs;
use support::{Network, chain::tx, guard};

#[tokio::test(flavor = "multi_thread")]
async fn four_validators_agree_on_transactions_submitted_anywhere() {
    let network = Network::started(4);
    let digests: Vec<_> = (0..40).map(|n| network.submit(n as usize % 4, n)).collect();
    for digest in digests {
        network.all_have(&[0, 1, 2, 3], digest).await;
    }
    let network = network.finish().await;
    for place in 0..4 {
        let blocks = network.chains[place].blocks();
        let txs: usize = blocks.iter().map(|entry| entry.block.txs.len()).sum();
        assert_eq!(txs, 40, "each transaction once");
        assert!(network.assert_certified(place) > 0);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn one_validator_alone_is_a_chain() {
    let network = Network::started(1);
    for number in 0..3 {
        let digest = network.submit(0, number);
        network.all_have(&[0], digest).await;
    }
    let network = network.finish().await;
    assert_eq!(network.assert_certified(0), network.chains[0].blocks().len());
}

#[tokio::test(flavor = "multi_thread")]
async fn three_go_on_without_the_fourth_which_returns_and_catches_up() {
    let mut network = Network::started(4);
    let digest = network.submit(3, 0);
    network.all_have(&[0, 1, 2, 3], digest).await;
    network.stop(3).await;
    let left_at = network.chains[3].height();

    let mut number = 1;
    while network.chains[0].height() < left_at + 220 {
        let digest = network.submit(number as usize % 3, number);
        guard("three go on", network.chains[0].has(digest)).await;
        number += 1;
    }
    network.start(3);
    let height = network.chains[0].height();
    guard("it catches up", network.chains[3].reaches(height)).await;
    let digest = network.submit(3, number);
    network.all_have(&[0, 1, 2, 3], digest).await;
    let network = network.finish().await;
    assert!(network.chains[3].height() > left_at + 220);
    assert!(network.assert_certified(3) > 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn all_four_restart_from_their_journals_and_go_on_with_one_chain() {
    let mut network = Network::started(4);
    let mut number = 0;
    for _ in 0..3 {
        for _ in 0..10 {
            let digest = network.submit(number as usize % 4, number);
            network.all_have(&[0, 1, 2, 3], digest).await;
            number += 1;
        }
        // Work under way when they go down; whether it survives is theirs to agree on.
        for place in 0..4 {
            network.submit(place, 1_000_000 + number + place as u64);
        }
        for place in 0..4 {
            network.stop(place).await;
        }
        network.assert_one_chain();
        for place in 0..4 {
            network.try_start(place, true).expect("the journals are there");
        }
    }
    let digest = network.submit(0, number);
    network.all_have(&[0, 1, 2, 3], digest).await;
    network.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_validator_without_its_journal_does_not_vote_again() {
    let mut network = Network::started(4);
    let digest = network.submit(0, 1);
    network.all_have(&[0, 1, 2, 3], digest).await;
    network.stop(2).await;
    assert!(journal_exists(&network.dir(2)).unwrap());

    fs::remove_dir_all(network.dir(2).join("engine")).unwrap();
    assert!(!journal_exists(&network.dir(2)).unwrap());
    let refused = network.try_start(2, false).expect_err("it voted before");
    assert!(matches!(refused, Error::JournalMissing { .. }), "{refused}");

    fs::remove_dir_all(network.dir(2)).unwrap();
    let refused = network.try_start(2, true).expect_err("there was a journal");
    assert!(matches!(refused, Error::JournalMissing { .. }), "{refused}");
    create_journal(&network.dir(2)).unwrap();
    assert!(journal_exists(&network.dir(2)).unwrap(), "a new one, for a new key");

    let digest = network.submit(0, 2);
    network.all_have(&[0, 1, 3], digest).await;
    network.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stale_transaction_leaves_the_pools_and_the_chain_goes_on() {
    let network = Network::started(4);
    for chain in &network.chains {
        chain.refuse(tx(7).digest());
    }
    network.submit(0, 7);
    let digest = network.submit(1, 8);
    network.all_have(&[0, 1, 2, 3], digest).await;
    let network = network.finish().await;
    let stale = tx(7).digest();
    let blocks = network.chains[0].blocks();
    assert!(blocks.iter().flat_map(|entry| &entry.block.txs).all(|tx| tx.digest() != stale));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_ledger_that_fails_stops_its_validator_and_no_other() {
    let mut network = Network::new(4);
    network.chains[1].fail_at(2);
    for place in 0..4 {
        network.start(place);
    }
    for number in 0..4 {
        let digest = network.submit(0, number);
        network.all_have(&[0, 2, 3], digest).await;
    }
    let dead = network.handles[1].take().unwrap();
    let reason = guard("it says that it is dead", dead.failed()).await;
    assert!(reason.contains("told to fail"), "{reason}");
    assert!(dead.submit(NamedTx::new(tx(9))).await.is_err());
    assert!(matches!(dead.shutdown().await, Err(Error::Stopped(_))));
    network.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn strangers_and_oversized_frames_are_refused_and_counted() {
    let mut network = Network::started(4);
    let digest = network.submit(0, 1);
    network.all_have(&[0, 1, 2, 3], digest).await;
    let validator = network.keys[0].public();
    let votes = Protocol("/polity/bft-votes/1");

    let stranger = support::chain::key(99).public();
    let port = network.mesh.port(stranger);
    let mut stream = port.open(validator, votes).await.unwrap();
    let mut welcome = [0];
    let closed = guard("the stream closes", stream.read(&mut welcome)).await;
    assert!(matches!(closed, Ok(0) | Err(_)), "a stranger is not welcome");
    assert!(network.mesh.offences().contains(&(validator, stranger, Offence::Malformed)));

    // A validator turns against the others with a frame that is too large.
    network.stop(3).await;
    let traitor = network.keys[3].public();
    let port = network.mesh.port(traitor);
    let mut stream = port.open(validator, votes).await.unwrap();
    guard("a validator is welcome", stream.read_exact(&mut welcome)).await.unwrap();
    let sent = write_frame(&mut *stream, &vec![0; 1 << 20]).await;
    let event = guard("it is blocked", network.events[0].as_mut().unwrap().recv()).await;
    assert_eq!(event, Some(Event::Blocked(traitor)), "{sent:?}");
    assert!(network.mesh.offences().contains(&(validator, traitor, Offence::Oversized)));

    // And is not welcome any more, while the rest goes on.
    let mut again = port.open(validator, votes).await.unwrap();
    let closed = guard("the stream closes", again.read(&mut welcome)).await;
    assert!(matches!(closed, Ok(0) | Err(_)));
    again.close().await.ok();
    let digest = network.submit(1, 2);
    network.all_have(&[0, 1, 2], digest).await;
    network.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_validator_that_sends_what_is_no_transaction_is_blocked() {
    let mut network = Network::started(4);
    network.stop(3).await;
    let (validator, traitor) = (network.keys[0].public(), network.keys[3].public());
    let port = network.mesh.port(traitor);
    let mut stream = port.open(validator, Protocol("/polity/bft-mempool/2")).await.unwrap();
    guard("it is welcome", stream.read_exact(&mut [0])).await.unwrap();
    write_frame(&mut *stream, b"not a transaction").await.unwrap();
    let event = guard("it is blocked", network.events[0].as_mut().unwrap().recv()).await;
    assert_eq!(event, Some(Event::Blocked(traitor)));
    network.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_votes_of_one_validator_in_one_view_become_evidence() {
    let mut network = Network::new(4);
    for place in 0..3 {
        network.start(place);
    }
    let digest = network.submit(0, 1);
    network.all_have(&[0, 1, 2], digest).await;

    let private = ed25519::PrivateKey::decode(Copying(network.keys[3].seed())).unwrap();
    let keys = network.keys.iter().map(|key| ed25519::PublicKey::decode(Copying(&key.public().0)));
    let set = Set::try_from(keys.collect::<Result<Vec<_>, _>>().unwrap()).unwrap();
    let namespace = Certificate::namespace(network.settings.network);
    let scheme = Scheme::signer(&namespace, set, private).expect("a validator");
    let vote = |payload: u8| {
        let round = Round::new(Epoch::new(0), View::new(1));
        let proposal = Proposal::new(round, View::new(0), sha256::Digest([payload; 32]));
        Vote::Notarize(Notarize::sign(&scheme, proposal).unwrap()).encode()
    };

    let (validator, traitor) = (network.keys[0].public(), network.keys[3].public());
    let port = network.mesh.port(traitor);
    let mut stream = port.open(validator, Protocol("/polity/bft-votes/1")).await.unwrap();
    guard("it is welcome", stream.read_exact(&mut [0])).await.unwrap();
    for payload in [1, 2] {
        write_frame(&mut *stream, &vote(payload)).await.unwrap();
    }
    let events = network.events[0].as_mut().unwrap();
    let evidence = guard("evidence", async {
        loop {
            match events.recv().await.expect("it runs") {
                Event::Evidence(evidence) => return evidence,
                Event::Blocked(_) => {}
            }
        }
    })
    .await;
    let named = evidence.check(network.settings.network);
    assert_eq!(named, Ok(traitor), "it convinces anybody");
    network.finish().await;
}
