//! Outputs of agreed tasks are fetched to the home, so that results can always be downloaded.

use super::{Home, HomeError};
use api::Step;
use identity::PublicKey;
use objects::{Cid, Codec};
use protocol::Outcome;
use std::collections::BTreeMap;

/// The largest output file.
const FILE_BYTES: u64 = 1 << 30;
/// Outcomes whose outputs are fetched together.
const SHARE: usize = 256;

/// Outcomes in shares of those that the same nodes have.
pub(super) fn by_source(
    results: Vec<(Outcome, Vec<PublicKey>)>,
) -> Vec<(Vec<PublicKey>, Vec<Outcome>)> {
    let mut by_source: BTreeMap<Vec<PublicKey>, Vec<Outcome>> = BTreeMap::new();
    for (outcome, mut from) in results {
        from.sort();
        by_source.entry(from).or_default().push(outcome);
    }
    let mut shares = Vec::new();
    for (from, outcomes) in by_source {
        let mut outcomes = outcomes.into_iter().peekable();
        while outcomes.peek().is_some() {
            shares.push((from.clone(), outcomes.by_ref().take(SHARE).collect()));
        }
    }
    shares
}

impl Home {
    /// Fetches the outputs from those who agree. A failure is no loss: whoever asks for the
    /// outputs later makes the home look for them again.
    pub(super) async fn keep(
        self,
        outcomes: Vec<Outcome>,
        from: Vec<PublicKey>,
    ) -> Result<(), HomeError> {
        let Ok(_place) = self.keeping.acquire().await else { return Ok(()) };
        // Most outputs are one block, and many of them are had with one request.
        let roots: Vec<Cid> = outcomes.iter().flat_map(Outcome::objects).collect();
        let together = self.fetcher.fetch_all(&roots, &from).await;
        for outcome in &outcomes {
            let whole = |root: &Cid| together.is_ok() && root.codec() == Codec::Raw;
            for root in outcome.objects().filter(|root| !whole(root)) {
                if let Err(error) = self.fetcher.fetch_file(root, &from, FILE_BYTES).await {
                    tracing::warn!(job = %outcome.job, task = %outcome.task, %root, %error,
                        "an output could not be fetched yet");
                    let reason = format!("an output of task {}: {error}", outcome.task);
                    self.note(outcome.job, Step::Keep, reason);
                }
            }
        }
        self.mirror_further(&roots).await;
        Ok(())
    }
}
