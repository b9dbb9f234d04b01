//! Verifying a receipt, apart from what has to wait for something else: pieces that can be done at
//! once, and each batch once in however many transactions it stands.

use crate::{
    Body, CommitBatch, Error, JobId, Outcome, OutcomeDigest, Part, RevealBatch, Settled, Tx,
    agreement::{check_commits, check_reveals},
    port::Crew,
    together,
};
use identity::{Batch, Digest, NetworkId, PublicKey};
use std::{collections::HashSet, hash::Hash};

/// Statements of which the signatures are checked together: with more, little is gained.
const TOGETHER: usize = 1024;
/// Outcomes that are named in one piece.
const OUTCOMES: usize = 1024;

/// What the pieces gave.
pub(crate) struct Checked {
    /// Digest of the body.
    pub(crate) digest: Digest,
    /// The tasks of each part; the first fault.
    pub(crate) settled: Result<Vec<Vec<Settled>>, Error>,
    /// The digest of each outcome.
    pub(crate) outcomes: Vec<OutcomeDigest>,
}

enum Piece<'a> {
    Digest,
    Commits(&'a [&'a CommitBatch]),
    Reveals(&'a [&'a RevealBatch]),
    Final(&'a [Part]),
    Settle(&'a Part),
    Outcomes(&'a [Outcome]),
}

enum Done {
    Digest(Digest),
    Signed(Result<(), Error>),
    Settled(Result<Vec<Settled>, Error>),
    Outcomes(Vec<OutcomeDigest>),
}

/// Does all pieces. The order in the body is checked, and the parts' is the same.
pub(crate) fn check(
    body: &Body,
    network: NetworkId,
    validators: &[PublicKey],
    crew: &dyn Crew,
) -> Checked {
    let job = body.order.payload.id();
    let commits = once(body.parts.iter().flat_map(|part| &part.agreements.commits));
    let reveals = once(body.parts.iter().flat_map(|part| &part.agreements.reveals));
    // The largest first: nobody waits for the last one.
    let mut pieces = vec![Piece::Digest];
    pieces.extend(commits.chunks(TOGETHER).map(Piece::Commits));
    pieces.extend(reveals.chunks(TOGETHER).map(Piece::Reveals));
    pieces.extend(body.parts.chunks(TOGETHER).map(Piece::Final));
    pieces.extend(body.outcomes.chunks(OUTCOMES).map(Piece::Outcomes));
    pieces.extend(body.parts.iter().map(Piece::Settle));
    let done = crew.map(&pieces, |piece| match piece {
        Piece::Digest => Done::Digest(body.digest()),
        Piece::Commits(batches) => Done::Signed(check_commits(batches, &job, network)),
        Piece::Reveals(batches) => Done::Signed(check_reveals(batches, &job, network)),
        Piece::Final(parts) => Done::Signed(check_final(parts, network, validators)),
        Piece::Settle(part) => Done::Settled(settle(part, &job)),
        Piece::Outcomes(outcomes) => Done::Outcomes(outcomes.iter().map(Outcome::digest).collect()),
    });
    let mut checked =
        Checked { digest: Digest::default(), settled: Ok(Vec::new()), outcomes: Vec::new() };
    for one in done {
        match (one, &mut checked.settled) {
            (Done::Digest(digest), _) => checked.digest = digest,
            (Done::Outcomes(digests), _) => checked.outcomes.extend(digests),
            (Done::Settled(Ok(tasks)), Ok(settled)) => settled.push(tasks),
            (Done::Signed(Err(error)) | Done::Settled(Err(error)), settled @ Ok(_)) => {
                *settled = Err(error);
            }
            (Done::Signed(_) | Done::Settled(_), _) => {}
        }
    }
    checked
}

/// All different ones, in the order of their first use.
fn once<'a, B: Eq + Hash>(batches: impl Iterator<Item = &'a B>) -> Vec<&'a B> {
    let mut seen = HashSet::new();
    batches.filter(|batch| seen.insert(*batch)).collect()
}

/// Checks that the block of each part is final.
fn check_final(parts: &[Part], network: NetworkId, validators: &[PublicKey]) -> Result<(), Error> {
    let queue = |part: &Part, batch: &mut Batch| {
        part.finality.queue(&part.header, (network, validators), batch)
    };
    together::check(parts, queue, |part| part.finality.check(&part.header, network, validators))
}

/// Checks that a part's block holds it, and everything in it apart from its batches.
fn settle(part: &Part, job: &JobId) -> Result<Vec<Settled>, Error> {
    let leaf = Tx::encode_agreements(&part.agreements);
    part.inclusion.check(&leaf, &part.header.tx_root)?;
    part.agreements.settled(job)
}
