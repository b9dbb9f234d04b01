//! The paths of the cluster, asked by the real client.

use crate::fake::{Fake, House};
use api::{
    BackupBytes, ClusterApi, ClusterChange, ClusterInfo, MemberInfo, Quota, QuotaInfo, Reply,
    Reservation,
};
use bytes::Bytes;
use futures::{FutureExt, StreamExt, TryStreamExt, stream};
use identity::PublicKey;
use protocol::Time;

fn reservation() -> Reservation {
    Reservation {
        owner: PublicKey([5; 32]),
        cpus: 2,
        memory_bytes: 1 << 30,
        gpus: 0,
        nodes: [PublicKey([1; 32])].into(),
        from: Time(3),
        until: Time(4),
    }
}

fn info() -> ClusterInfo {
    let node = PublicKey([1; 32]);
    ClusterInfo {
        id: "id".into(),
        name: "home".into(),
        node,
        current: false,
        leader: Some(node),
        term: 3,
        last: 9,
        committed: 8,
        applied: 7,
        snapshot: 5,
        at_rest: true,
        left_behind: None,
        members: vec![MemberInfo {
            node,
            votes: true,
            connected: true,
            labels: [("zone".to_string(), "north".to_string())].into(),
            has: Some(9),
            silent_ms: Some(0),
            running: 2,
            cordon: Some("new disk".into()),
            windows: vec![(Time(1), Time(2))],
        }],
        cordons: [(PublicKey([4; 32]), "too slow".to_string())].into(),
        usual_quota: None,
        quotas: vec![QuotaInfo {
            owner: PublicKey([5; 32]),
            quota: Quota { jobs: 1, tasks: 2, replicas: 3 },
            own: true,
            jobs: 1,
            tasks: 1,
            replicas: 1,
        }],
        reservations: [("nightly".to_string(), reservation())].into(),
    }
}

impl ClusterApi for Fake {
    fn cluster(&self) -> Reply<'_, ClusterInfo> {
        async { Ok(info()) }.boxed()
    }

    fn cluster_current(&self) -> Reply<'_, ClusterInfo> {
        async { Ok(ClusterInfo { current: true, ..info() }) }.boxed()
    }

    fn manage(&self, change: ClusterChange) -> Reply<'_, ()> {
        self.kept.lock().unwrap().changes.push(change);
        async { Ok(()) }.boxed()
    }

    fn backup(&self) -> Reply<'_, BackupBytes> {
        let pieces = [Bytes::from_static(b"first"), Bytes::from_static(b"then")];
        async { Ok(stream::iter(pieces.map(Ok)).boxed()) }.boxed()
    }
}

#[tokio::test]
async fn a_copy_of_the_cluster_comes_as_it_was_given() {
    let house = House::open().await;
    let pieces: Vec<Bytes> = house.client().backup().await.unwrap().try_collect().await.unwrap();
    assert_eq!(pieces.concat(), b"firstthen");
}

#[tokio::test]
async fn a_cluster_is_shown_and_changed_as_it_was_asked() {
    let house = House::open().await;
    assert_eq!(house.client().cluster().await.unwrap(), info());
    let current = house.client().cluster_current().await.unwrap();
    assert_eq!(current, ClusterInfo { current: true, ..info() });
    let node = PublicKey([2; 32]);
    let changes = [
        ClusterChange::HandOver { to: Some(node) },
        ClusterChange::Remove { node },
        ClusterChange::LetIn { node },
        ClusterChange::Cordon { node, reason: "new disk".into() },
        ClusterChange::Uncordon { node },
        ClusterChange::Drain { node, reason: String::new() },
        ClusterChange::Windows { node, windows: vec![(Time(1), Time(2))] },
        ClusterChange::Quota { owner: node, quota: Some(Quota { jobs: 1, tasks: 2, replicas: 3 }) },
        ClusterChange::Quota { owner: node, quota: None },
        ClusterChange::Reserve { name: "nightly".into(), reservation: Some(reservation()) },
        ClusterChange::Reserve { name: "nightly".into(), reservation: None },
    ];
    for change in &changes {
        house.client().manage(change.clone()).await.unwrap();
    }
    assert_eq!(house.node.kept.lock().unwrap().changes, changes);
}
