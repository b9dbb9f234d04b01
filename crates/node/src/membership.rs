//! This node's part of its owner's cluster.

use crate::{basis::Basis, chain::Chain};
use anyhow::Context;
use cluster::{Cluster, Leading};
use identity::PublicKey;
use protocol::{
    InvitationKind,
    port::{Log, Streams},
};
use std::{sync::Arc, time::Duration};
use tokio::sync::mpsc;
use work::Work;

/// How long another member may take to lead when this one stops.
const PATIENCE: Duration = Duration::from_secs(2);

/// Begins it, or goes on with it. A machine that was invited by its owner's other machines is a member
/// of theirs; any other node begins with a cluster of its own.
///
/// # Errors
/// What [`cluster::start`] says.
pub(crate) async fn begin(
    basis: &Basis,
    chain: &Chain,
    streams: &Arc<dyn Streams>,
    log: Arc<dyn Log>,
) -> anyhow::Result<(Cluster<Work>, mpsc::Receiver<cluster::Told<work::Effect>>)> {
    let me = basis.key.public();
    let invited = basis.options.join.as_ref();
    let invited = invited.filter(|l| l.invitation.payload.kind == InvitationKind::Machine);
    let begin = match invited {
        Some(line) => {
            let seeds = line.peers.iter().map(|peer| peer.node).filter(|node| *node != me);
            cluster::Begin::Join { seeds: seeds.collect() }
        }
        None => cluster::Begin::Found { name: basis.config.cluster.name.clone() },
    };
    let mut drawn = [0; 8];
    getrandom::fill(&mut drawn).context("no randomness")?;
    let ledger = chain.clone();
    let parts = cluster::Parts {
        config: basis.config.cluster.clone(),
        me,
        labels: basis.config.labels.clone(),
        initial: Work::new(basis.config.work.clone(), me, chain.network()),
        begin,
        log,
        clock: basis.clock.clone(),
        streams: streams.clone(),
        admits: Arc::new(move |node| is_one_owners(&ledger, &me, node)),
        life: u64::from_be_bytes(drawn),
    };
    Ok(cluster::start(parts).await?)
}

/// Whether two nodes are admitted, and the same owner's.
fn is_one_owners(chain: &Chain, one: &PublicKey, other: &PublicKey) -> bool {
    let ledger = chain.ledger();
    let owner = |node: &PublicKey| ledger.roster().node(node).map(|record| record.owner);
    owner(one).is_some() && owner(one) == owner(other)
}

/// Before this node stops: somebody else leads, so that nobody has to find out that it is gone.
pub(crate) async fn leave_office(cluster: &Cluster<Work>) {
    let voters = cluster.status().members.iter().filter(|member| member.votes).count();
    if voters < 2 || !matches!(cluster.leads().now(), Leading::Yes(_)) {
        return;
    }
    match tokio::time::timeout(PATIENCE, cluster.hand_over(None)).await {
        Ok(Ok(())) => tracing::info!("another member leads the cluster"),
        Ok(Err(error)) => tracing::info!(%error, "stops as the leader"),
        Err(_) => tracing::info!("stops as the leader: nobody else began to lead in time"),
    }
}
