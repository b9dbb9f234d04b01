//! Starting a cluster.

use crate::{
    Cluster, Config, Error, Replicated,
    driver::{Driver, Engine, Role},
    engine::Member,
    fault::Fault,
    handle::Inner,
    network::Alone,
    record,
    replica::{Ends, Replica},
    snapshot::Snapshots,
    store::{self, ORIGIN},
};
use identity::PublicKey;
use openraft::{Raft, errors::Fatal};
use protocol::port::{Clock, Log};
use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex},
};
use tokio::{
    sync::{Semaphore, mpsc, watch},
    task::JoinSet,
};

/// Starts this node's part of its owner's cluster: a cluster of one, which leads when this returns.
///
/// `initial` is the state in which a new cluster begins. It is kept in the log then; at later
/// starts the log has it, and what is given here is ignored.
///
/// The receiver gets the effects in the order of the log, those of [`Replicated::lead`] first. It
/// must be drained: see [`Cluster::propose`].
///
/// # Errors
/// [`Error::Config`]; [`Error::Foreign`], [`Error::Voters`], [`Error::Newer`] or
/// [`Error::Unreadable`] if the log is not this node's, or not what was written there;
/// [`Error::Log`] or [`Error::Failed`] if it cannot be read or written.
pub async fn start<M: Replicated>(
    config: Config,
    me: PublicKey,
    initial: M,
    log: Arc<dyn Log>,
    clock: Arc<dyn Clock>,
) -> Result<(Cluster<M>, mpsc::Receiver<Vec<M::Effect>>), Error> {
    config.check()?;
    let engine_config = Arc::new(config.engine()?);
    let fault = Fault::new();
    let mind = found(&*log, initial).await?;
    let opened = store::open(&config, log.clone(), fault.clone()).await?;
    // If anything fails from here on, dropping the set ends the writer.
    let mut tasks = JoinSet::new();
    tasks.spawn(opened.writer.run());
    let snapshots = Snapshots { log, writes: opened.writes, fault: fault.clone() };
    let stop = watch::Sender::new(false);
    let (replica, Ends { state, effects, deadline }) = Replica::new(
        Member(me),
        opened.term,
        mind,
        config.effect_queue,
        stop.subscribe(),
        snapshots,
    );
    let engine = Raft::new(Member(me), engine_config, Alone, opened.store, replica)
        .await
        .map_err(|fatal| dead(&fault, fatal))?;
    join(&engine, &fault, me).await?;
    let (role_sender, mut role) = watch::channel(Role::Follows(None));
    let driver = Driver {
        engine: engine.clone(),
        me: Member(me),
        clock: clock.clone(),
        deadline,
        role: role_sender,
        fault: fault.clone(),
        tick_ms: config.tick_ms,
    };
    tasks.spawn(driver.run());
    match role.wait_for(|role| !matches!(role, Role::Follows(_))).await.map(|role| *role) {
        Ok(Role::Leads(_)) => {}
        _ => return Err(fault.error()),
    }
    let inner = Inner {
        engine,
        state,
        clock,
        role,
        fault,
        stop,
        room: Semaphore::new(config.queue_kib()),
        input_bytes: config.input_bytes,
        tasks: Mutex::new(tasks),
    };
    Ok((Cluster::new(inner), effects))
}

/// The state in which this cluster began, kept when there is none yet.
async fn found<M: Replicated>(log: &dyn Log, initial: M) -> Result<M, Error> {
    match log.value(ORIGIN).await? {
        Some(bytes) => record::origin_of(&bytes),
        None => {
            log.set(ORIGIN, record::origin_bytes(&initial)).await?;
            Ok(initial)
        }
    }
}

/// Makes a cluster of one of a new log; stands for election with an old one.
async fn join<M: Replicated>(
    engine: &Engine<M>,
    fault: &Fault,
    me: PublicKey,
) -> Result<(), Error> {
    if !engine.is_initialized().await.map_err(|fatal| dead(fault, fatal))? {
        let alone = BTreeSet::from([Member(me)]);
        return engine.initialize(alone).await.map_err(|e| Error::Failed(e.to_string()));
    }
    let voters: BTreeSet<Member> = engine.voter_ids().collect();
    match voters.first() {
        Some(owner) if voters.len() == 1 && owner.0 != me => {
            Err(Error::Foreign { owner: owner.0, me })
        }
        _ if voters.len() != 1 => Err(Error::Voters { voters: voters.len() }),
        // Nobody else could stand: there is no need to wait for a leader's silence.
        _ => engine.trigger().elect(false).await.map_err(|fatal| dead(fault, fatal)),
    }
}

/// The engine did not start, or ended at once.
fn dead(fault: &Fault, fatal: Fatal<crate::engine::Types>) -> Error {
    match fault.error() {
        Error::Stopped => Error::Failed(fatal.to_string()),
        failed => failed,
    }
}
