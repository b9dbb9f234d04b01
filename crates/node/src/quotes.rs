//! Claims quoted out of agreements on the ledger.

use protocol::{Agreements, Claim, TaskIndex};

/// What each node that revealed an outcome of a task claims, sorted by node.
pub(crate) fn claims_in(agreements: &Agreements, task: TaskIndex) -> Vec<Claim> {
    let mut claims = Vec::new();
    for batch in &agreements.reveals {
        for leaf in batch.leaves.iter().filter(|leaf| leaf.task == task) {
            let reveal = batch.quote(task, leaf.attempt);
            let by = batch.statement.by;
            let theirs = agreements.commits.iter().filter(|commits| commits.statement.by == by);
            let commit = theirs.into_iter().find_map(|commits| commits.quote(task, leaf.attempt));
            claims.extend(commit.zip(reveal).map(|(commit, reveal)| Claim { commit, reveal }));
        }
    }
    claims.sort_by_key(Claim::node);
    claims.dedup_by_key(|claim| claim.node());
    claims
}
