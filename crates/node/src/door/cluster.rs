//! The cluster behind the door.

use super::Door;
use crate::home::unavailable;
use api::{
    ApiError, BackupBytes, ClusterApi, ClusterChange, ClusterInfo, Code, MemberInfo, Quota,
    QuotaInfo, Reply, Reservation,
    backup::{self, BackupHead, PIECE_BYTES},
};
use bytes::Bytes;
use futures::{FutureExt, StreamExt, stream};
use identity::{PublicKey, Signed};
use std::collections::BTreeMap;
use work::{Input, Window};

/// How long a current answer may take.
const CURRENT_MS: u64 = 1_000;

impl ClusterApi for Door {
    fn cluster(&self) -> Reply<'_, ClusterInfo> {
        async move { Ok(self.cluster_info(self.home.cluster.look(Seen::of).0, false)) }.boxed()
    }

    fn cluster_current(&self) -> Reply<'_, ClusterInfo> {
        async move {
            let clock = &self.home.clock;
            let late = clock.pause(CURRENT_MS);
            let seen = tokio::select! {
                biased;
                seen = self.home.cluster.read(Seen::of) => seen.map_err(unavailable)?,
                () = late => {
                    let message = format!("no majority was heard within {CURRENT_MS} ms");
                    return Err(ApiError::new(Code::Unavailable, message)
                        .next("polity cluster status, for what this node knows"));
                }
            };
            Ok(self.cluster_info(seen, true))
        }
        .boxed()
    }

    fn manage(&self, change: ClusterChange) -> Reply<'_, ()> {
        self.change(change).boxed()
    }

    fn backup(&self) -> Reply<'_, BackupBytes> {
        self.copy_of_cluster().boxed()
    }
}

/// What the queue knows of nodes and owners.
struct Seen {
    usual_quota: work::Quota,
    nodes: BTreeMap<PublicKey, work::NodeView>,
    shares: BTreeMap<PublicKey, work::Share>,
    reservations: BTreeMap<String, work::Reservation>,
}

impl Seen {
    fn of(work: &work::Work) -> Self {
        let kept = |(name, reservation): (&str, &work::Reservation)| {
            (name.to_string(), reservation.clone())
        };
        Self {
            usual_quota: work.usual_quota(),
            nodes: work.nodes().map(|view| (view.node, view)).collect(),
            shares: work.shares(),
            reservations: work.reservations().map(kept).collect(),
        }
    }
}

fn quota(work::Quota { jobs, tasks, replicas }: work::Quota) -> Quota {
    Quota { jobs, tasks, replicas }
}

fn quota_info((owner, share): (PublicKey, work::Share)) -> QuotaInfo {
    let work::Share { quota: may, own, usage } = share;
    QuotaInfo {
        owner,
        quota: quota(may),
        own,
        jobs: usage.jobs,
        tasks: usage.tasks,
        replicas: usage.replicas,
    }
}

fn reservation_info(reservation: work::Reservation) -> Reservation {
    let work::Reservation { submitter, cpus, memory_bytes, gpus, nodes, from, until } = reservation;
    Reservation { owner: submitter, cpus, memory_bytes, gpus, nodes, from, until }
}

impl Door {
    fn cluster_info(
        &self,
        Seen { usual_quota, nodes: mut seen, shares, reservations }: Seen,
        current: bool,
    ) -> ClusterInfo {
        // What was read is in the log here, and so are the members of that time.
        let status = self.home.cluster.status();
        let connected = self.connected();
        let mut member = |member: cluster::MemberStatus| {
            let view = seen.remove(&member.node);
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
        let members = status.members.into_iter().map(&mut member).collect();
        let cordons = seen.into_values().filter_map(|view| Some((view.node, view.cordon?)));
        ClusterInfo {
            id: status.cluster.map(|id| id.to_string()).unwrap_or_default(),
            name: status.name,
            node: self.me(),
            current,
            leader: status.leader,
            term: status.term,
            last: status.last,
            committed: status.committed,
            applied: status.applied,
            snapshot: status.snapshot,
            at_rest: status.at_rest,
            left_behind: status.behind.map(|behind| behind.to_string()),
            members,
            cordons: cordons.collect(),
            usual_quota: Some(quota(usual_quota)),
            quotas: shares.into_iter().map(quota_info).collect(),
            reservations: reservations
                .into_iter()
                .map(|(name, reservation)| (name, reservation_info(reservation)))
                .collect(),
        }
    }

    /// The head, and then the states in pieces that share their memory.
    async fn copy_of_cluster(&self) -> Result<BackupBytes, ApiError> {
        let jobs = |work: &work::Work| work.jobs().count();
        let (image, jobs) = self.home.cluster.image(jobs).await.map_err(refused)?;
        let (key, network) = (self.home.key.clone(), self.home.chain.network());
        let made = self.home.clock.now();
        let signing = move || {
            let head = BackupHead {
                network,
                cluster: image.cluster.0,
                name: image.name,
                term: image.term,
                index: image.index,
                at: image.now,
                made,
                members: image.members.into_iter().collect(),
                jobs: jobs as u64,
                origin_bytes: image.origin.len() as u64,
                state_bytes: image.state.len() as u64,
                digest: backup::digest_of(&image.origin, &image.state),
            };
            let head = backup::encode_head(&Signed::new(head, network, &key))?;
            Ok((head, image.origin, image.state))
        };
        let internal = |error: String| ApiError::new(Code::Internal, error);
        let signed = tokio::task::spawn_blocking(signing).await;
        let signed = signed.map_err(|error| internal(error.to_string()))?;
        let (head, origin, state) =
            signed.map_err(|error: backup::BackupError| internal(error.to_string()))?;
        let states = stream::iter([Bytes::from(head), origin, state]).flat_map(pieces);
        Ok(states.map(Ok).boxed())
    }

    async fn change(&self, change: ClusterChange) -> Result<(), ApiError> {
        let cluster = &self.home.cluster;
        match change {
            ClusterChange::HandOver { to } => cluster.hand_over(to).await.map_err(refused),
            ClusterChange::Remove { node } => {
                self.known(&node)?;
                cluster.remove(node).await.map_err(refused)
            }
            ClusterChange::LetIn { node } => {
                self.known(&node)?;
                cluster.let_in(node).await.map_err(refused)
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
            ClusterChange::Quota { owner, quota } => self.set_quota(owner, quota).await,
            ClusterChange::Reserve { name, reservation } => self.reserve(name, reservation).await,
        }
    }

    async fn set_quota(&self, owner: PublicKey, quota: Option<Quota>) -> Result<(), ApiError> {
        let quota =
            quota.map(|Quota { jobs, tasks, replicas }| work::Quota { jobs, tasks, replicas });
        if quota.is_some() {
            self.known_owner(&owner)?;
            let room = self.home.cluster.read(move |work| work.room_for_quota(&owner)).await;
            room.map_err(unavailable)?.map_err(not_kept)?;
        }
        let input = Input::Quota { submitter: owner, quota };
        self.home.tell_soon(input).await.map_err(unavailable)
    }

    async fn reserve(&self, name: String, kept: Option<Reservation>) -> Result<(), ApiError> {
        let cluster = &self.home.cluster;
        let id = name.clone();
        let reservation = match kept {
            None => {
                let is_kept = move |work: &work::Work| work.reservations().any(|kept| kept.0 == id);
                if !cluster.read(is_kept).await.map_err(unavailable)? {
                    let message = format!("nothing is held back that is called '{name}'");
                    return Err(
                        ApiError::new(Code::NotFound, message).next("polity cluster reserve")
                    );
                }
                None
            }
            Some(Reservation { owner, cpus, memory_bytes, gpus, nodes, from, until }) => {
                self.known_owner(&owner)?;
                nodes.iter().try_for_each(|node| self.known(node))?;
                let submitter = owner;
                let kept =
                    work::Reservation { submitter, cpus, memory_bytes, gpus, nodes, from, until };
                let now = self.home.clock.now();
                let asked = kept.clone();
                let room = move |work: &work::Work| work.room_for_reservation(&id, &asked, now);
                cluster.read(room).await.map_err(unavailable)?.map_err(not_kept)?;
                Some(kept)
            }
        };
        let input = Input::Reserve { id: name, reservation };
        self.home.tell_soon(input).await.map_err(unavailable)
    }

    fn known_owner(&self, owner: &PublicKey) -> Result<(), ApiError> {
        if self.home.chain.ledger().roster().owner(owner).is_some() {
            return Ok(());
        }
        let message = format!("{owner} is no admitted owner");
        Err(ApiError::new(Code::NotFound, message).next("polity node list"))
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
        Err(ApiError::new(Code::NotFound, message)
            .next("see which there are with: polity node list"))
    }
}

fn pieces(mut bytes: Bytes) -> impl futures::Stream<Item = Bytes> {
    stream::iter(std::iter::from_fn(move || {
        let size_bytes = bytes.len().min(PIECE_BYTES);
        (size_bytes > 0).then(|| bytes.split_to(size_bytes))
    }))
}

/// What the queue says, for whoever asked.
fn not_kept(error: work::Error) -> ApiError {
    ApiError::new(Code::Refused, error.to_string())
        .next("polity cluster reserve, polity cluster quota")
}

/// What the cluster says, for whoever asked.
fn refused(error: cluster::Error) -> ApiError {
    match error {
        cluster::Error::Members(_) | cluster::Error::UnderWay => {
            ApiError::new(Code::Refused, error.to_string())
                .next("see how the members stand with: polity cluster status")
        }
        other => unavailable(other),
    }
}
