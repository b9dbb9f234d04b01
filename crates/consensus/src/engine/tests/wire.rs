//! The simulated network with a place for a liar's tongue, and a record of the votes that arrive.

use crate::{convert::Key, engine::Net};
use bytes::Bytes;
use commonware_actor::{Feedback, Unreliable};
use commonware_p2p::{
    CheckedSender, LimitedSender, Message, Receiver, Recipients, Sender as _,
    simulated::{self, Control, Manager},
};
use commonware_runtime::{IoBuf, IoBufs, deterministic::Context as Sim};
use std::{
    num::NonZeroUsize,
    sync::{Arc, Mutex},
    time::SystemTime,
};

/// The simulated network as the engine knows it.
pub(super) struct Simulated;

impl Net for Simulated {
    type Sender = Mouth;
    type Receiver = Ear;
    type Blocker = Control<Key, Sim>;
    type Peers = Manager<Key, Sim>;
}

/// The channels of a validator, in the order in which they are registered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Line {
    Votes,
    Certificates,
    Resolver,
    Backfill,
    Blocks,
    Mempool,
}

impl Line {
    pub(super) const ALL: [Self; 6] = [
        Self::Votes,
        Self::Certificates,
        Self::Resolver,
        Self::Backfill,
        Self::Blocks,
        Self::Mempool,
    ];
}

/// What a liar sends to one validator in place of a message.
pub(super) type Tongue = Arc<dyn Fn(Line, &Key, &Bytes) -> Vec<Bytes> + Send + Sync>;

/// Sends what its validator says, or what its tongue makes of it.
#[derive(Clone)]
pub(super) struct Mouth {
    pub(super) line: Line,
    pub(super) network: simulated::Sender<Key, Sim>,
    pub(super) tongue: Option<Tongue>,
}

/// A message on its way out of a [`Mouth`].
pub(super) struct Said<'a> {
    mouth: &'a mut Mouth,
    to: Vec<Key>,
}

impl LimitedSender for Mouth {
    type PublicKey = Key;
    type Checked<'a> = Said<'a>;

    fn check(&mut self, recipients: Recipients<Key>) -> Result<Said<'_>, SystemTime> {
        let to = self.network.check(recipients)?.recipients();
        Ok(Said { mouth: self, to })
    }
}

impl CheckedSender for Said<'_> {
    type PublicKey = Key;

    fn recipients(&self) -> Vec<Key> {
        self.to.clone()
    }

    fn send(self, message: impl Into<IoBufs> + Send, priority: bool) -> Unreliable<Feedback> {
        let message = Bytes::from(message.into().coalesce());
        let Mouth { line, network, tongue } = self.mouth;
        let Some(tongue) = tongue else {
            network.send(Recipients::Some(self.to), message, priority);
            return Unreliable::new(Feedback::Ok);
        };
        for to in self.to {
            for said in tongue(*line, &to, &message) {
                network.send(Recipients::One(to.clone()), said, priority);
            }
        }
        Unreliable::new(Feedback::Ok)
    }
}

/// What arrived on one channel, in order.
pub(super) type Heard = Arc<Mutex<Vec<(Key, IoBuf)>>>;

/// Receives, and keeps a record where one is wanted.
#[derive(Debug)]
pub(super) struct Ear {
    pub(super) network: simulated::Receiver<Key>,
    pub(super) heard: Option<Heard>,
}

impl Receiver for Ear {
    type Error = simulated::Error;
    type PublicKey = Key;

    async fn recv(&mut self) -> Result<Message<Key>, simulated::Error> {
        let message = self.network.recv().await?;
        if let Some(heard) = &self.heard {
            heard.lock().expect("nobody panics with it").push(message.clone());
        }
        Ok(message)
    }

    fn capacity(&self) -> NonZeroUsize {
        self.network.capacity()
    }
}
