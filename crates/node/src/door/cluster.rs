//! The cluster behind the door.

use super::Door;
use crate::home::unavailable;
use api::{ApiError, ClusterApi, ClusterChange, ClusterInfo, Code, MemberInfo, Reply};
use futures::FutureExt;
use identity::PublicKey;
use work::{Input, Window};

impl ClusterApi for Door {
    fn cluster(&self) -> Reply<'_, ClusterInfo> {
        async move { Ok(self.cluster_now()) }.boxed()
    }

    fn manage(&self, change: ClusterChange) -> Reply<'_, ()> {
        self.change(change).boxed()
    }
}

impl Door {
    fn cluster_now(&self) -> ClusterInfo {
        let status = self.home.cluster.status();
        let connected = self.connected();
        let nodes: Vec<_> = status.members.iter().map(|member| member.node).collect();
        let look = |work: &work::Work| nodes.iter().map(|node| work.node(node)).collect::<Vec<_>>();
        let (views, _) = self.home.cluster.look(look);
        let member = |(member, view): (cluster::MemberStatus, Option<work::NodeView>)| {
            let windows = view.iter().flat_map(|view| &view.windows);
            MemberInfo {
                node: member.node,
                votes: member.votes,
                connected: connected.contains(&member.node),
                labels: member.labels,
                has: member.has,
                silent_ms: member.silent_ms,
                running: view.as_ref().map_or(0, |view| view.slots_used),
                cordon: view.as_ref().and_then(|view| view.cordon.clone()),
                windows: windows.map(|window| (window.from, window.until)).collect(),
            }
        };
        ClusterInfo {
            id: status.cluster.map(|id| id.to_string()).unwrap_or_default(),
            name: status.name,
            node: self.me(),
            leader: status.leader,
            term: status.term,
            last: status.last,
            committed: status.committed,
            applied: status.applied,
            snapshot: status.snapshot,
            at_rest: status.at_rest,
            members: status.members.into_iter().zip(views).map(member).collect(),
        }
    }

    async fn change(&self, change: ClusterChange) -> Result<(), ApiError> {
        let cluster = &self.home.cluster;
        match change {
            ClusterChange::HandOver { to } => cluster.hand_over(to).await.map_err(refused),
            ClusterChange::Remove { node } => {
                self.known(&node)?;
                cluster.remove(node).await.map_err(refused)
            }
            ClusterChange::Cordon { node, reason } => self.cordon(node, Some(reason)).await,
            ClusterChange::Uncordon { node } => self.cordon(node, None).await,
            ClusterChange::Drain { node, reason } => {
                self.cordon(node, Some(reason)).await?;
                let status = cluster.status();
                let voters = status.members.iter().filter(|member| member.votes).count();
                // Alone it goes on leading: somebody has to.
                if status.leader == Some(node) && voters > 1 {
                    cluster.hand_over(None).await.map_err(refused)?;
                }
                Ok(())
            }
            ClusterChange::Windows { node, windows } => {
                self.known(&node)?;
                let window = |(from, until)| Window { from, until };
                if windows.iter().any(|(from, until)| from >= until) {
                    let message = "a window ends before it begins".to_string();
                    return Err(ApiError::new(Code::Refused, message));
                }
                let windows = windows.into_iter().map(window).collect();
                let input = Input::Windows { node, windows };
                self.home.tell_soon(input).await.map_err(unavailable)
            }
        }
    }

    async fn cordon(&self, node: PublicKey, reason: Option<String>) -> Result<(), ApiError> {
        self.known(&node)?;
        self.home.tell_soon(Input::Cordon { node, reason }).await.map_err(unavailable)
    }

    fn known(&self, node: &PublicKey) -> Result<(), ApiError> {
        if self.home.chain.ledger().roster().node(node).is_some() {
            return Ok(());
        }
        let message = format!("{node} is no admitted node");
        Err(ApiError::new(Code::NotFound, message).next("polity node list"))
    }
}

/// What the cluster says, for whoever asked.
fn refused(error: cluster::Error) -> ApiError {
    match error {
        cluster::Error::Members(_) | cluster::Error::UnderWay => {
            ApiError::new(Code::Refused, error.to_string()).next("polity cluster status")
        }
        other => unavailable(other),
    }
}
