//! Claims quoted out of agreements on the ledger.

use protocol::{Agreements, Claim, TaskIndex};

/// What each executor of an agreed task claims, sorted by node. Who was passed over is none: nobody
/// checked that its reveal opens anything.
pub(crate) fn claims_in(agreements: &Agreements, task: TaskIndex) -> Vec<Claim> {
    let agreed = agreements.tasks.iter().find(|agreed| agreed.task == task);
    let skipped = agreed.map_or(&[][..], |agreed| &agreed.skipped);
    let mut claims = Vec::new();
    for batch in &agreements.reveals {
        let by = batch.statement.by;
        if skipped.iter().any(|skip| skip.node == by) {
            continue;
        }
        for leaf in batch.leaves.iter().filter(|leaf| leaf.task == task) {
            let reveal = batch.quote(task, leaf.attempt);
            let theirs = agreements.commits.iter().filter(|commits| commits.statement.by == by);
            let commit = theirs.into_iter().find_map(|commits| commits.quote(task, leaf.attempt));
            claims.extend(commit.zip(reveal).map(|(commit, reveal)| Claim { commit, reveal }));
        }
    }
    claims.sort_by_key(Claim::node);
    claims.dedup_by_key(|claim| claim.node());
    claims
}
