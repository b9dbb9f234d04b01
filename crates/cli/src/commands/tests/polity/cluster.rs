//! The cluster of the polity in memory: the first node and two machines beside it.

use super::Polity;
use api::{
    ApiError, BackupBytes, ClusterApi, ClusterChange, ClusterInfo, Code, MemberInfo, Quota,
    QuotaInfo, Reply, Reservation,
    backup::{self, BackupHead},
};
use bytes::Bytes;
use futures::{FutureExt, StreamExt, stream};
use identity::{PublicKey, Signed};
use std::collections::BTreeMap;

/// What was changed.
#[derive(Default)]
pub(super) struct Managed {
    removed: Vec<PublicKey>,
    cordons: BTreeMap<PublicKey, String>,
    quotas: BTreeMap<PublicKey, Quota>,
    reservations: BTreeMap<String, Reservation>,
    leader: Option<PublicKey>,
}

impl Polity {
    fn members(&self) -> Vec<PublicKey> {
        self.nodes.iter().take(3).map(identity::SecretKey::public).collect()
    }

    pub(in crate::commands::tests) fn quotas(&self) -> BTreeMap<PublicKey, Quota> {
        self.state.lock().unwrap().managed.quotas.clone()
    }

    pub(in crate::commands::tests) fn reservations(&self) -> BTreeMap<String, Reservation> {
        self.state.lock().unwrap().managed.reservations.clone()
    }

    pub(in crate::commands::tests) fn removed(&self) -> Vec<PublicKey> {
        self.state.lock().unwrap().managed.removed.clone()
    }
}

fn quota_info((owner, quota): (&PublicKey, &Quota)) -> QuotaInfo {
    QuotaInfo { owner: *owner, quota: *quota, own: true, jobs: 1, tasks: 2, replicas: 0 }
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
            current: false,
            leader: managed.leader.or(Some(all[0])),
            term: 3,
            last: 1_234,
            committed: 1_234,
            applied: 1_234,
            snapshot: 0,
            at_rest: true,
            left_behind: None,
            members: all
                .iter()
                .filter(|node| !managed.removed.contains(node))
                .map(member)
                .collect(),
            cordons: managed
                .cordons
                .iter()
                .filter(|(node, _)| !all.contains(node))
                .map(|(node, reason)| (*node, reason.clone()))
                .collect(),
            usual_quota: Some(Quota { jobs: 256, tasks: 4_000_000, replicas: 65_536 }),
            quotas: managed.quotas.iter().map(quota_info).collect(),
            reservations: managed.reservations.clone(),
        };
        async { Ok(info) }.boxed()
    }

    fn cluster_current(&self) -> Reply<'_, ClusterInfo> {
        async { Ok(ClusterInfo { current: true, ..self.cluster().await? }) }.boxed()
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
            ClusterChange::LetIn { node } => managed.removed.retain(|removed| *removed != node),
            ClusterChange::Uncordon { node } => drop(managed.cordons.remove(&node)),
            ClusterChange::Cordon { node, reason } | ClusterChange::Drain { node, reason } => {
                managed.cordons.insert(node, reason);
            }
            ClusterChange::Windows { .. } => {}
            ClusterChange::Quota { owner, quota: Some(quota) } => {
                managed.quotas.insert(owner, quota);
            }
            ClusterChange::Quota { owner, quota: None } => drop(managed.quotas.remove(&owner)),
            ClusterChange::Reserve { name, reservation: Some(reservation) } => {
                managed.reservations.insert(name, reservation);
            }
            ClusterChange::Reserve { name, reservation: None } => {
                if managed.reservations.remove(&name).is_none() {
                    done = Err(ApiError::new(Code::NotFound, "nothing is called so"));
                }
            }
        }
        async { done }.boxed()
    }

    fn backup(&self) -> Reply<'_, BackupBytes> {
        let (origin, state) = (vec![1; 10], vec![2; 3 << 20]);
        let network = self.genesis.network();
        let head = BackupHead {
            network,
            cluster: identity::Digest([3; 32]),
            name: "home".into(),
            term: 3,
            index: 1_234,
            at: protocol::Time(1_700_000_000_000),
            made: protocol::Time(1_700_000_001_000),
            members: self.members(),
            jobs: 2,
            origin_bytes: origin.len() as u64,
            state_bytes: state.len() as u64,
            digest: backup::digest_of(&origin, &state),
        };
        let head = backup::encode_head(&Signed::new(head, network, &self.nodes[0])).unwrap();
        let pieces = [head, origin, state].map(|piece| Ok(Bytes::from(piece)));
        async { Ok(stream::iter(pieces).boxed()) }.boxed()
    }
}
