//! The cluster of the polity in memory: the first node and two machines beside it.

use super::Polity;
use api::{ApiError, ClusterApi, ClusterChange, ClusterInfo, Code, MemberInfo, Reply};
use futures::FutureExt;
use identity::PublicKey;
use std::collections::BTreeMap;

/// What was changed.
#[derive(Default)]
pub(super) struct Managed {
    removed: Vec<PublicKey>,
    cordons: BTreeMap<PublicKey, String>,
    leader: Option<PublicKey>,
}

impl Polity {
    fn members(&self) -> Vec<PublicKey> {
        self.nodes.iter().take(3).map(identity::SecretKey::public).collect()
    }
}

impl ClusterApi for Polity {
    fn cluster(&self) -> Reply<'_, ClusterInfo> {
        let all = self.members();
        let state = self.state.lock().unwrap();
        let managed = &state.managed;
        let member = |node: &PublicKey| MemberInfo {
            node: *node,
            votes: true,
            connected: true,
            labels: [("zone".to_string(), "north".to_string())].into(),
            has: Some(1_200),
            silent_ms: Some(20),
            running: 0,
            cordon: managed.cordons.get(node).cloned(),
            windows: Vec::new(),
        };
        let info = ClusterInfo {
            id: "2ttqwtuglo3tljig2ay7uvlpsht2gfqe3x7xt4it3jtfmfsqza3a".into(),
            name: "home".into(),
            node: all[0],
            leader: managed.leader.or(Some(all[0])),
            term: 3,
            last: 1_234,
            committed: 1_234,
            applied: 1_234,
            snapshot: 0,
            at_rest: true,
            members: all
                .iter()
                .filter(|node| !managed.removed.contains(node))
                .map(member)
                .collect(),
        };
        async { Ok(info) }.boxed()
    }

    fn manage(&self, change: ClusterChange) -> Reply<'_, ()> {
        let all = self.members();
        let mut state = self.state.lock().unwrap();
        let managed = &mut state.managed;
        let mut done = Ok(());
        match change {
            ClusterChange::HandOver { to: Some(to) } if !all.contains(&to) => {
                done = Err(ApiError::new(Code::Refused, "no voter of this cluster"));
            }
            ClusterChange::HandOver { to } => managed.leader = to.or(Some(all[1])),
            ClusterChange::Remove { node } => managed.removed.push(node),
            ClusterChange::Uncordon { node } => drop(managed.cordons.remove(&node)),
            ClusterChange::Cordon { node, reason } | ClusterChange::Drain { node, reason } => {
                managed.cordons.insert(node, reason);
            }
            ClusterChange::Windows { .. } => {}
        }
        async { done }.boxed()
    }
}
