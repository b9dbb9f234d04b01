//! A node in its polity: it votes or follows, joins, and has further executors admitted.

use super::Roles;
use crate::{
    basis::Basis,
    chain::{self, Chain, Proposer, Submit},
    executors, join, misbehave, vote,
};
use protocol::{
    NamedTx, Tx,
    port::{Clock, Gossip, Streams},
};
use std::sync::{Arc, OnceLock};
use tokio::sync::oneshot;

/// The way that transactions take, known once this node votes or follows.
pub(super) type Way = Arc<OnceLock<Submit>>;

/// A way for transactions that is told later.
pub(super) fn submission() -> (Submit, Way) {
    let way = Way::default();
    let known = way.clone();
    let submit: Submit = Arc::new(move |tx| match known.get() {
        Some(submit) => submit(tx),
        None => Box::pin(async { Err("the node is still starting".to_string()) }),
    });
    (submit, way)
}

/// Starts voting on a validator, following elsewhere.
pub(super) async fn order(
    basis: &Basis,
    chain: &Chain,
    streams: &Arc<dyn Streams>,
    gossip: &Arc<dyn Gossip>,
    (submit, way, roles): (&Submit, &Way, &mut Roles),
) -> anyhow::Result<Option<Arc<consensus::Handle>>> {
    let me = basis.key.public();
    if !basis.genesis.validators.contains(&me) {
        let following = chain::follow(chain.clone(), streams.clone(), gossip.clone());
        roles.play("the chain", async move { Ok(following.await?) });
        way.get_or_init(|| chain::submit_to_validators(chain, streams));
        return Ok(None);
    }
    let root = basis.options.data.root();
    let dir = root.join("consensus");
    vote::may_vote(chain, streams, me, root, &dir).await?;
    let proposing = misbehave::proposing(basis.config.misbehave, &basis.key, &basis.genesis);
    let app = Proposer::new(chain.clone(), basis.key.clone(), proposing);
    let (handle, events) = consensus::start(
        basis.config.consensus.clone(),
        &basis.key,
        consensus::Settings::of(&basis.genesis),
        &consensus::Journal { dir, required: true },
        streams.clone(),
        Arc::new(app),
    )?;
    let (key, clock) = (basis.key.clone(), basis.clock.clone());
    let accusing = chain::accuse_contradicting(chain.clone(), key, clock, submit.clone(), events);
    roles.play("the accuser", async move {
        accusing.await;
        Ok(())
    });
    let handle = Arc::new(handle);
    let pool = handle.clone();
    way.get_or_init(|| {
        Arc::new(move |tx: Tx| {
            let pool = pool.clone();
            let submit = async move { pool.submit(NamedTx::new(tx)).await };
            Box::pin(async move { submit.await.map_err(|error| error.to_string()) })
        })
    });
    Ok(Some(handle))
}

/// Tells peers of new blocks, and this machine's owner if its clock is behind them.
pub(super) async fn announce(
    chain: Chain,
    gossip: Arc<dyn Gossip>,
    clock: Arc<dyn Clock>,
) -> anyhow::Result<()> {
    let mut head = chain.head();
    let watched = chain.clone();
    let watch = async move {
        while head.changed().await.is_ok() {
            head.borrow_and_update();
            let ledger = watched.ledger();
            let (block, now) = (ledger.tip().time, clock.now());
            if block.since_ms(now) > ledger.params().clock_drift_ms {
                tracing::warn!(%now, %block, "this machine's clock is behind the last block's: set it");
            }
        }
    };
    tokio::join!(chain::announce(chain, gossip), watch);
    Ok(())
}

/// Joins with the line that was given, unless this node is admitted already.
pub(super) async fn enter(
    basis: &Basis,
    chain: &Chain,
    streams: &Arc<dyn Streams>,
    submit: &Submit,
) -> anyhow::Result<()> {
    let me = basis.key.public();
    let Some(line) = &basis.options.join else {
        if chain.ledger().roster().node(&me).is_none() {
            tracing::warn!(
                "this node is not admitted; ask a member for a line (polity invite), then: polity \
                 up --join -"
            );
        }
        return Ok(());
    };
    let name = basis.options.owner_name.clone();
    let admission = join::admission(line, basis.owner.as_ref(), &basis.key, name)?;
    join::join(chain, basis.clock.as_ref(), streams, submit, admission).await?;
    tracing::info!(node = %me.short(), "is admitted to {}", basis.genesis.name);
    Ok(())
}

/// Has further executors of this process admitted, and tells when they are.
pub(super) fn enter_executors(
    basis: &Basis,
    chain: &Chain,
    streams: &Arc<dyn Streams>,
    submit: &Submit,
    roles: &mut Roles,
) -> oneshot::Receiver<()> {
    let (keys, owner, clock) = (basis.executors.clone(), basis.owner.clone(), basis.clock.clone());
    let (chain, streams, submit) = (chain.clone(), streams.clone(), submit.clone());
    let (told, entered) = oneshot::channel();
    roles.play("the admission of executors", async move {
        let place = (&chain, clock.as_ref());
        executors::admit(&keys, owner.as_ref(), place, &streams, &submit).await?;
        // Nobody may wait for it.
        let _unheard = told.send(());
        std::future::pending().await
    });
    entered
}
