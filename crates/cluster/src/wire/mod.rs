//! How members speak to each other: over streams between nodes whose keys are proven.

mod client;
mod line;
mod message;
mod server;

pub(crate) use client::Peers;
pub(crate) use line::{Line, Silence};
pub(crate) use message::{Answer, Ask, ENTRIES_BYTES, Standing};
pub use server::Admits;
pub(crate) use server::Server;

use crate::{ClusterId, record::Belongs, seen::Seen, store::Glance};
use identity::PublicKey;
use protocol::port::Streams;
use std::{
    sync::{Arc, PoisonError, RwLock},
    time::Duration,
};

/// What every stream between members needs. Shared by all of them.
pub(crate) struct Wire {
    pub(crate) streams: Arc<dyn Streams>,
    pub(crate) me: PublicKey,
    /// What this node is part of.
    belongs: RwLock<Belongs>,
    /// What this node has voted and written.
    pub(crate) glance: Glance,
    /// Drawn when this process began.
    life: u64,
    pub(crate) seen: Seen,
    /// How long an answer may take.
    pub(crate) patience: Duration,
}

impl Wire {
    pub(crate) fn new(
        streams: Arc<dyn Streams>,
        me: PublicKey,
        belongs: Belongs,
        (glance, life): (Glance, u64),
        patience: Duration,
    ) -> Self {
        let belongs = RwLock::new(belongs);
        Self { streams, me, belongs, glance, life, seen: Seen::default(), patience }
    }

    pub(crate) fn standing(&self) -> Standing {
        let (term, last) = self.glance.standing();
        Standing { life: self.life, term, last: last.map(Into::into) }
    }

    pub(crate) fn belongs(&self) -> Belongs {
        self.belongs.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The cluster that this node is part of, once it was let in.
    pub(crate) fn cluster(&self) -> Option<ClusterId> {
        self.belongs.read().unwrap_or_else(PoisonError::into_inner).cluster
    }

    pub(crate) fn set_belongs(&self, belongs: Belongs) {
        *self.belongs.write().unwrap_or_else(PoisonError::into_inner) = belongs;
    }
}
