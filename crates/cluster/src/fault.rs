//! Why the cluster is dead, told once to everybody.

use crate::Error;
use std::{fmt::Display, io, sync::Arc};
use tokio::sync::watch;

/// The first thing that went wrong for good. A cheap copy.
#[derive(Clone)]
pub(crate) struct Fault(Arc<watch::Sender<Option<String>>>);

impl Fault {
    pub(crate) fn new() -> Self {
        Self(Arc::new(watch::Sender::new(None)))
    }

    /// Remembers the reason, unless there is one already.
    pub(crate) fn report(&self, reason: impl Display) {
        self.0.send_if_modified(|known| {
            if known.is_some() {
                return false;
            }
            let reason = reason.to_string();
            tracing::error!(reason, "the cluster failed");
            *known = Some(reason);
            true
        });
    }

    /// The same, as an error for the engine.
    pub(crate) fn fail(&self, reason: impl Display) -> io::Error {
        let error = io::Error::other(reason.to_string());
        self.report(reason);
        error
    }

    pub(crate) fn watch(&self) -> watch::Receiver<Option<String>> {
        self.0.subscribe()
    }

    /// What callers are told when the engine does not answer any more.
    pub(crate) fn error(&self) -> Error {
        match &*self.0.borrow() {
            Some(reason) => Error::Failed(reason.clone()),
            None => Error::Stopped,
        }
    }
}
