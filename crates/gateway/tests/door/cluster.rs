//! The paths of the cluster, asked by the real client.

use crate::fake::{Fake, House};
use api::{ClusterApi, ClusterChange, ClusterInfo, MemberInfo, Reply};
use futures::FutureExt;
use identity::PublicKey;
use protocol::Time;

fn info() -> ClusterInfo {
    let node = PublicKey([1; 32]);
    ClusterInfo {
        id: "id".into(),
        name: "home".into(),
        node,
        leader: Some(node),
        term: 3,
        last: 9,
        committed: 8,
        applied: 7,
        snapshot: 5,
        at_rest: true,
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
    }
}

impl ClusterApi for Fake {
    fn cluster(&self) -> Reply<'_, ClusterInfo> {
        async { Ok(info()) }.boxed()
    }

    fn manage(&self, change: ClusterChange) -> Reply<'_, ()> {
        self.kept.lock().unwrap().changes.push(change);
        async { Ok(()) }.boxed()
    }
}

#[tokio::test]
async fn a_cluster_is_shown_and_changed_as_it_was_asked() {
    let house = House::open().await;
    assert_eq!(house.client().cluster().await.unwrap(), info());
    let node = PublicKey([2; 32]);
    let changes = [
        ClusterChange::HandOver { to: Some(node) },
        ClusterChange::Remove { node },
        ClusterChange::Cordon { node, reason: "new disk".into() },
        ClusterChange::Uncordon { node },
        ClusterChange::Drain { node, reason: String::new() },
        ClusterChange::Windows { node, windows: vec![(Time(1), Time(2))] },
    ];
    for change in &changes {
        house.client().manage(change.clone()).await.unwrap();
    }
    assert_eq!(house.node.kept.lock().unwrap().changes, changes);
}
