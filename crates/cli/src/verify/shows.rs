//! What agreement of these replicas shows, where it does not show what a reader may think.

use crate::text;
use identity::PublicKey;
use protocol::{Distinct, Genesis, Report};
use std::collections::BTreeSet;

/// What the replicas in a receipt show, if they all are of one owner.
pub(crate) fn of_receipt(genesis: &Genesis, report: &Report) -> Option<String> {
    // Elsewhere the ledger takes no two replicas of one owner.
    if genesis.params.distinct != Distinct::Nodes {
        return None;
    }
    let tasks = report.settled.values().map(|task| task.executors.as_slice());
    of_replicas(tasks)
}

/// What replicas show, if they all are of one owner: nodes and their owners, task by task.
pub(crate) fn of_replicas<'a>(
    tasks: impl Iterator<Item = &'a [(PublicKey, PublicKey)]>,
) -> Option<String> {
    let (mut owners, mut least) = (BTreeSet::new(), usize::MAX);
    for replicas in tasks.filter(|replicas| !replicas.is_empty()) {
        owners.extend(replicas.iter().map(|(_, owner)| *owner));
        least = least.min(replicas.len());
    }
    // One replica alone is compared with nothing, and is said to be.
    if owners.len() != 1 || least < 2 {
        return None;
    }
    Some(format!("{}, 1 owner: shows determinism, not honesty", text::plural(least, "replica")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn replicas(of: &[(u8, u8)]) -> Vec<(PublicKey, PublicKey)> {
        let key = |n: u8| PublicKey([n; 32]);
        of.iter().map(|(node, owner)| (key(*node), key(*owner))).collect()
    }

    fn shows(tasks: &[&[(u8, u8)]]) -> Option<String> {
        let tasks: Vec<_> = tasks.iter().map(|task| replicas(task)).collect();
        of_replicas(tasks.iter().map(Vec::as_slice))
    }

    #[test]
    fn replicas_of_one_owner_show_determinism() {
        let three: &[(u8, u8)] = &[(1, 9), (2, 9), (3, 9)];
        let label = "3 replicas, 1 owner: shows determinism, not honesty";
        assert_eq!(shows(&[three, three]).as_deref(), Some(label));
        assert_eq!(shows(&[&[], three]).as_deref(), Some(label));
        assert!(shows(&[three, &[(1, 9), (2, 9)]]).unwrap().starts_with("2 replicas"));
    }

    #[test]
    fn replicas_of_several_owners_and_single_ones_are_not_labelled() {
        assert_eq!(shows(&[&[(1, 9), (2, 8)]]), None);
        assert_eq!(shows(&[&[(1, 9), (2, 9)], &[(3, 8), (1, 9)]]), None);
        assert_eq!(shows(&[&[(1, 9)]]), None);
        assert_eq!(shows(&[]), None);
    }
}
