//! Transactions of this role that are not on the ledger yet: offered again until they are, or until
//! the ledger would refuse them.

use super::{Parts, Place};
use identity::Digest;
use ledger::Refusal;
use protocol::{Time, Tx};
use std::collections::BTreeMap;

/// Pause before a transaction is offered again.
const AGAIN_MS: u64 = 3_000;
/// Pause between two rounds of offers: what was found meanwhile shares a block.
const GATHER_MS: u64 = 250;
/// Transactions that wait before nothing is added that can be found again later.
const WAITING: usize = 1_024;

/// What waits, by when it was made. Nothing is dropped that the ledger could still take.
#[derive(Default)]
pub(super) struct Offers {
    number: u64,
    waiting: BTreeMap<u64, Offer>,
    /// Nothing is offered before.
    quiet: Time,
}

/// A transaction that waits.
struct Offer {
    tx: Tx,
    /// What it is about.
    about: Vec<Place>,
    /// When it is offered next.
    due: Time,
    /// A validator took it.
    taken: bool,
}

impl Offers {
    /// Adds a transaction about these tasks.
    pub(super) fn add(&mut self, about: Vec<Place>, tx: Tx) {
        self.number += 1;
        self.waiting.insert(self.number, Offer { tx, about, due: Time::default(), taken: false });
    }

    /// Whether so much waits that only verdicts are added: the ledger bounds their number.
    pub(super) fn is_full(&self) -> bool {
        self.waiting.len() >= WAITING
    }

    /// When the next one is offered again.
    pub(super) fn next(&self) -> Option<Time> {
        self.waiting.values().map(|offer| offer.due.max(self.quiet)).min()
    }

    /// Offers what is due, and drops what the ledger has or would refuse.
    pub(super) async fn put(&mut self, parts: &Parts) {
        let now = parts.clock.now();
        if self.next().is_none_or(|next| next > now) {
            return;
        }
        self.quiet = now.after_ms(GATHER_MS);
        let ledger = parts.chain.ledger();
        let mut done: Vec<u64> = Vec::new();
        for (number, Offer { tx, about, due, taken }) in &mut self.waiting {
            if *due > now {
                continue;
            }
            let refusal = match parts.chain.check(tx) {
                Ok(checked) => ledger.check_tx(&checked).err(),
                Err(error) => Some(error.into()),
            };
            if let Some(refusal) = refusal.filter(|refusal| !refusal.is_passing()) {
                let digest: Digest = tx.digest();
                // The duty of an audit ends with the audit.
                let ended = *taken && matches!(refusal, Refusal::NotAnAuditor(_));
                let needless = ended || refusal == Refusal::NothingNew;
                for (job, task) in about {
                    if needless {
                        tracing::debug!(%job, %task, %digest, "the ledger has it, or needs it no more");
                    } else {
                        tracing::info!(%job, %task, %digest, %refusal,
                            "what this node found is not taken");
                    }
                }
                done.push(*number);
                continue;
            }
            *due = now.after_ms(AGAIN_MS);
            match (parts.submit)(tx.clone()).await {
                Ok(()) => *taken = true,
                Err(reason) => {
                    for (job, task) in about {
                        tracing::info!(%job, %task, reason,
                            "no validator took what this node found; trying again");
                    }
                }
            }
        }
        for number in done {
            self.waiting.remove(&number);
        }
    }
}
