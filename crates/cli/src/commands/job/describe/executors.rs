//! Who ran the tasks of a job, and how often.

use crate::{job::names::Names, out, text};
use api::{ReplicaState, TaskDetail, TaskState};
use identity::PublicKey;
use std::collections::BTreeMap;

/// Nodes that are listed, at most.
const LISTED: usize = 20;

/// What one node did.
#[derive(Default)]
struct Share {
    working: usize,
    agreed: usize,
    lost: usize,
    without: usize,
    refuted: usize,
}

/// One line for each node, those that did most first; nothing if nobody was asked yet.
pub(super) fn table(tasks: &[TaskDetail], names: &Names) -> String {
    let mut shares: BTreeMap<PublicKey, Share> = BTreeMap::new();
    for task in tasks {
        let agreed = matches!(task.state, TaskState::Agreed { .. } | TaskState::Final { .. });
        for replica in &task.replicas {
            let share = shares.entry(replica.node).or_default();
            match replica.state {
                ReplicaState::Revealed if agreed => share.agreed += 1,
                ReplicaState::Assigned | ReplicaState::Committed | ReplicaState::Revealed => {
                    share.working += 1;
                }
                ReplicaState::Lost if replica.no_result.is_some() => share.without += 1,
                ReplicaState::Lost => share.lost += 1,
                ReplicaState::Refuted => share.refuted += 1,
            }
        }
    }
    if shares.is_empty() {
        return String::new();
    }
    let mut shares: Vec<_> = shares.into_iter().collect();
    shares.sort_by_key(|(_, share)| std::cmp::Reverse((share.agreed, share.working)));
    let row = |(node, share): &(PublicKey, Share)| {
        let owner = names.owner(node).map(|(_, name)| text::cut(name, 20)).unwrap_or_default();
        let counts = [share.working, share.agreed, share.lost, share.without, share.refuted];
        let mut row = vec![format!("…{}", node.short()), owner];
        row.extend(counts.map(|count| if count == 0 { "-".into() } else { count.to_string() }));
        row
    };
    let rows: Vec<_> = shares.iter().take(LISTED).map(row).collect();
    let head = ["NODE", "OWNER", "AT WORK", "AGREED", "LOST", "NO RESULT", "REFUTED"];
    let mut shown = out::table(&head, &rows);
    if shares.len() > LISTED {
        shown.push_str(&format!("… and {} more\n", shares.len() - LISTED));
    }
    shown
}
