//! Starting a cluster, or this node's part of one.

use crate::{
    Admits, Cluster, ClusterId, Config, Error, Replicated, Told,
    driver::{Driver, Role},
    engine::{Member, Tags, Types},
    fault::Fault,
    handle::Inner,
    join, orphan,
    record::{self, Belongs},
    replica::{Ends, Past, Replica},
    snapshot::Snapshots,
    steward,
    store::{self, BELONGS, JOINED, ORIGIN},
    voice::{Lines, Voice},
    wire::{Peers, Server, Vouched, Wire},
};
use bytes::Bytes;
use identity::PublicKey;
use openraft::{Raft, errors::Fatal};
use protocol::{
    Time,
    port::{Clock, Log, Streams},
};
use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
    time::Duration,
};
use tokio::{
    sync::{Semaphore, mpsc, watch},
    task::JoinSet,
};

/// How a new log begins. An old one goes on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Begin {
    /// As a cluster of one.
    Found {
        /// What its owner calls it.
        name: String,
    },
    /// As a member of a cluster, once one of these lets it in.
    Join {
        /// Members of the cluster.
        seeds: Vec<PublicKey>,
    },
}

/// What a cluster needs.
pub struct Parts<M> {
    /// Its settings.
    pub config: Config,
    /// This node.
    pub me: PublicKey,
    /// Its labels.
    pub labels: BTreeMap<String, String>,
    /// The state in which a new cluster begins. It is kept with the log then; at later starts, and
    /// on members that join, what was kept counts.
    pub initial: M,
    /// How a new log begins.
    pub begin: Begin,
    /// Where entries are kept.
    pub log: Arc<dyn Log>,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// The way to other members.
    pub streams: Arc<dyn Streams>,
    /// Who may be a member.
    pub admits: Admits,
    /// A number that was drawn for this process.
    pub life: u64,
}

/// Starts this node's part of its owner's cluster. A cluster of one leads when this returns; a new
/// member has been let in; members of a larger one go on by themselves.
///
/// The receiver gets the effects in the order of the log, while this node leads those of
/// [`Replicated::lead`] first. It must be drained: see [`Cluster::propose`].
///
/// # Errors
/// [`Error::Config`]; [`Error::Foreign`], [`Error::Newer`] or [`Error::Unreadable`] if the log is
/// not this node's, or not what was written there; [`Error::Log`] or [`Error::Failed`] if it cannot
/// be read or written.
pub async fn start<M: Replicated>(
    parts: Parts<M>,
) -> Result<(Cluster<M>, mpsc::Receiver<Told<M::Effect>>), Error> {
    let Parts { config, me, labels, initial, begin, log, clock, streams, admits, life } = parts;
    config.check()?;
    let mut engine_config = config.engine()?;
    let fault = Fault::new();
    let mut opened = store::open(&config, log.clone(), fault.clone()).await?;
    // If anything fails from here on, dropping the set ends the writer.
    let mut tasks = JoinSet::new();
    tasks.spawn(opened.writer.run());

    let belongs = belongs_of(&*log, me, &begin, (clock.now(), life), opened.last).await?;
    let patience = Duration::from_millis(config.election_ms);
    let life = (opened.glance, life, clock.now());
    let wire = Wire::new(streams, me, belongs, life, patience);
    let wire = Arc::new(wire);
    if wire.cluster().is_none() {
        join::be_let_in(&wire, &*log, &mut opened.store, &*clock, &labels).await?;
    } else if let Some(joined) = log.value(JOINED).await? {
        wire.set_joined(record::position_of(&joined)?);
    }
    // The driver allows it later.
    engine_config.enable_elect = wire.is_grown();
    let (mind, origin) = origin_of(&*log, initial).await?;

    let settling = opened.writes.settling();
    let snapshots = Snapshots { log, writes: opened.writes, fault: fault.clone() };
    let stop = watch::Sender::new(false);
    let past = Past { term: opened.term, last: opened.last };
    let (replica, Ends { state, effects, deadline, applied }) =
        Replica::new(Member(me), past, mind, config.effect_queue, stop.subscribe(), snapshots);
    let peers = Peers { wire: wire.clone() };
    let engine = Raft::new(Member(me), Arc::new(engine_config), peers, opened.store, replica)
        .await
        .map_err(|fatal| dead(&fault, fatal))?;
    let (role_sender, mut role) = watch::channel(Role::Follows(None));
    let voice = Voice {
        engine: engine.clone(),
        clock: clock.clone(),
        role: role.clone(),
        fault: fault.clone(),
        room: Arc::new(Semaphore::new(config.queue_kib())),
        input_bytes: config.input_bytes,
        wire,
        lines: Lines::default(),
        origin,
        settling,
        applied,
        choice: config.choice(),
        state: state.clone(),
    };
    let founds = matches!(begin, Begin::Found { .. });
    let alone = begin_with(&voice, founds, labels).await?;
    let driver = Driver {
        engine,
        wire: voice.wire.clone(),
        me: Member(me),
        clock: clock.clone(),
        deadline,
        role: role_sender,
        fault: fault.clone(),
        stop: stop.subscribe(),
        tick_ms: config.tick_ms,
        quorum: Duration::from_millis(config.election_ms * 4),
    };
    let asking = orphan::run(voice.clone(), clock.clone());
    tasks.spawn(async move {
        let asking = async {
            asking.await;
            std::future::pending::<()>().await;
        };
        tokio::select! {
            biased;
            () = driver.run() => {}
            () = asking => {}
        }
    });
    let earlier = Arc::new(opened.removed);
    let vouched = Vouched::default();
    let server = Server { voice: voice.clone(), admits, vouched, earlier, last: past.last };
    let stop_server = watch::Sender::new(false);
    let (closed, stopped) = (fault.clone(), stop_server.subscribe());
    let mut serving = JoinSet::new();
    serving.spawn(async move {
        if let Err(error) = server.run(stopped).await {
            closed.report(error);
        }
    });
    tasks.spawn(steward::run(voice.clone(), clock));
    if alone {
        let mut behind = voice.wire.watch_behind();
        tokio::select! {
            biased;
            led = role.wait_for(|role| !matches!(role, Role::Follows(_))) => {
                if !matches!(led.map(|role| *role), Ok(Role::Leads(_))) {
                    return Err(fault.error());
                }
            }
            // It will not lead.
            Ok(_) = behind.wait_for(Option::is_some) => {}
        }
    }
    let inner = Inner {
        voice,
        state,
        stop,
        stop_server,
        server: Mutex::new(serving),
        tasks: Mutex::new(tasks),
    };
    Ok((Cluster::new(inner), effects))
}

/// What this log is part of; said for a new one.
async fn belongs_of(
    log: &dyn Log,
    me: PublicKey,
    begin: &Begin,
    (now, life): (Time, u64),
    last: Option<u64>,
) -> Result<Belongs, Error> {
    if let Some(bytes) = log.value(BELONGS).await? {
        let belongs = record::belongs_of(&bytes)?;
        if belongs.me != me {
            return Err(Error::Foreign { owner: belongs.me, me });
        }
        return Ok(belongs);
    }
    let belongs = match begin {
        // From before clusters had names.
        _ if last.is_some() => {
            let cluster = Some(ClusterId::found(&me, Time::default(), 0));
            Belongs { me, cluster, name: "cluster".into(), seeds: Vec::new(), former: Vec::new() }
        }
        Begin::Found { name } => {
            let cluster = Some(ClusterId::found(&me, now, life));
            Belongs { me, cluster, name: name.clone(), seeds: Vec::new(), former: Vec::new() }
        }
        Begin::Join { seeds } => {
            let (seeds, former) = (seeds.clone(), Vec::new());
            Belongs { me, cluster: None, name: String::new(), seeds, former }
        }
    };
    log.set(BELONGS, record::belongs_bytes(&belongs)).await?;
    Ok(belongs)
}

/// The state in which this cluster began, kept when there is none yet.
async fn origin_of<M: Replicated>(log: &dyn Log, initial: M) -> Result<(M, Bytes), Error> {
    match log.value(ORIGIN).await? {
        Some(bytes) => Ok((record::origin_of(&bytes)?, bytes)),
        None => {
            let bytes = record::origin_bytes(&initial);
            log.set(ORIGIN, bytes.clone()).await?;
            Ok((initial, bytes))
        }
    }
}

/// Makes a cluster of one of a new log. Tells whether this node is all there is of its cluster.
async fn begin_with<M: Replicated>(
    voice: &Voice<M>,
    founds: bool,
    labels: BTreeMap<String, String>,
) -> Result<bool, Error> {
    let Voice { engine, fault, wire, .. } = voice;
    let me = wire.me;
    if !engine.is_initialized().await.map_err(|fatal| dead(fault, fatal))? {
        let joined = !founds || !wire.belongs().seeds.is_empty();
        if joined {
            return Ok(false);
        }
        let alone = BTreeMap::from([(Member(me), Tags(labels))]);
        engine.initialize(alone).await.map_err(|e| Error::Failed(e.to_string()))?;
        return Ok(true);
    }
    if !wire.is_grown() {
        return Ok(false);
    }
    let voters: Vec<Member> = engine.voter_ids().collect();
    let learners = engine.learner_ids().count();
    match voters[..] {
        [owner] if owner.0 != me && learners == 0 => Err(Error::Foreign { owner: owner.0, me }),
        [only] if only.0 == me => {
            // Nobody else could stand: there is no need to wait for a leader's silence.
            engine.trigger().elect(false).await.map_err(|fatal| dead(fault, fatal))?;
            Ok(true)
        }
        _ => Ok(false),
    }
}

/// The engine did not start, or ended at once.
fn dead(fault: &Fault, fatal: Fatal<Types>) -> Error {
    match fault.error() {
        Error::Stopped => Error::Failed(fatal.to_string()),
        failed => failed,
    }
}
