//! Listening: connections are taken, bounded and ended.

use crate::{
    Config, Error, cluster,
    guard::{Guard, guard},
    handle::{self, Door},
    patience::Patient,
    storage,
};
use api::{NodeApi, path};
use axum::{
    Router,
    extract::DefaultBodyLimit,
    middleware,
    routing::{delete, get, post, put},
};
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    service::TowerToHyperService,
};
use std::{net::SocketAddr, sync::Arc, time::Duration};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::{Semaphore, oneshot, watch},
    task::{JoinHandle, JoinSet},
};

/// A running API. It ends when it is told to, or when this is dropped.
#[derive(Debug)]
pub struct Running {
    addr: SocketAddr,
    task: JoinHandle<()>,
    open: watch::Receiver<usize>,
}

impl Running {
    /// Where it listens.
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// How many connections are open, now and whenever that changes.
    pub fn connections(&self) -> watch::Receiver<usize> {
        self.open.clone()
    }

    /// Resolves when it has ended.
    pub async fn ended(&mut self) {
        if !self.task.is_finished()
            && let Err(error) = (&mut self.task).await
            && error.is_panic()
        {
            tracing::error!("the API panicked");
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Offers `api` to whoever has `token`, until `stop` is sent or dropped.
///
/// # Errors
/// [`Error`], with the way out.
pub async fn serve(
    config: Config,
    api: Arc<dyn NodeApi>,
    token: &str,
    stop: oneshot::Receiver<()>,
) -> Result<Running, Error> {
    let addr = config.addr;
    if !addr.ip().is_loopback() {
        return Err(Error::NotLoopback(addr));
    }
    let silence = Duration::from_millis(config.silence_ms);
    let router = router(Door { api, silence }, Guard::new(token));
    // A stream of events may wait for as long as its job runs.
    let head = Duration::from_millis(config.head_ms);
    let limits = Limits { connections: config.connections, head, silence: None };
    listen(addr, router, limits, stop).await
}

/// How much a listener puts up with.
#[derive(Clone, Copy)]
pub(crate) struct Limits {
    /// Connections at once.
    pub(crate) connections: usize,
    /// How long the head of a request may take.
    pub(crate) head: Duration,
    /// How long a client may read nothing of what is sent to it.
    pub(crate) silence: Option<Duration>,
}

/// Listens, and answers with `router` until `stop` is sent or dropped.
///
/// # Errors
/// [`Error::Listen`].
pub(crate) async fn listen(
    addr: SocketAddr,
    router: Router,
    limits: Limits,
    stop: oneshot::Receiver<()>,
) -> Result<Running, Error> {
    let failed = |source| Error::Listen { addr, source };
    let listener = TcpListener::bind(addr).await.map_err(failed)?;
    let addr = listener.local_addr().map_err(failed)?;
    let (told, open) = watch::channel(0);
    let task = tokio::spawn(accept(listener, router, limits, told, stop));
    Ok(Running { addr, task, open })
}

fn router(door: Door, token: Guard) -> Router {
    let job = format!("{}/{{job}}", path::JOBS_PATH);
    // A submission has no bound as a whole: its frames have, and the node stops reading when it
    // has no room.
    let submit = post(handle::submit_job).layer(DefaultBodyLimit::disable()).get(handle::jobs);
    Router::new()
        .route(path::JOBS_PATH, submit)
        .route(&job, get(handle::job).delete(handle::cancel))
        .route(&format!("{job}/events"), get(handle::job_events))
        .route(&format!("{job}/pause"), put(handle::pause).delete(handle::resume))
        .route(&format!("{job}/receipt"), get(handle::receipt))
        .route(path::BLOBS_PATH, post(handle::blobs))
        .route(path::HAS_PATH, post(handle::has))
        .route(&format!("{}/{{cid}}", path::BLOBS_PATH), get(handle::blob))
        .route(path::PUT_PATH, post(storage::put).layer(DefaultBodyLimit::disable()))
        .route(path::CLUSTER_PATH, get(cluster::show).post(cluster::manage))
        .route(path::BACKUP_PATH, get(cluster::backup))
        .route(path::STOCK_PATH, get(storage::stock))
        .route(path::PINS_PATH, get(storage::pins))
        .route(&format!("{}/{{root}}", path::PINS_PATH), delete(storage::unpin))
        .route(&format!("{}/{{cid}}", path::WHERE_PATH), get(storage::whereabouts))
        .route(path::CHORES_PATH, post(storage::chore))
        .route(path::KNOWN_PATH, post(handle::known))
        .route(path::STATUS_PATH, get(handle::status))
        .route(path::METRICS_PATH, get(handle::metrics))
        .route(path::NODES_PATH, get(handle::nodes))
        .route(path::HEAD_PATH, get(handle::head))
        .route(&format!("{}/{{height}}", path::BLOCKS_PATH), get(handle::block))
        .route(&format!("{}/{{digest}}", path::TXS_PATH), get(handle::tx))
        .route(path::DISPUTES_PATH, get(handle::disputes))
        .route(path::SANCTIONS_PATH, get(handle::sanctions))
        .route(path::EVIDENCE_PATH, get(handle::evidence))
        .route(&format!("{}/{{id}}", path::EVIDENCE_PATH), get(handle::evidence_file))
        .route(path::SECONDINGS_PATH, post(handle::second))
        .route(path::INVITATIONS_PATH, post(handle::invite))
        .method_not_allowed_fallback(handle::unsupported)
        .fallback(handle::unknown)
        .layer(DefaultBodyLimit::max(path::REQUEST_BYTES))
        .layer(middleware::from_fn_with_state(token, guard))
        .with_state(door)
}

async fn accept(
    listener: TcpListener,
    router: Router,
    limits: Limits,
    open: watch::Sender<usize>,
    mut stop: oneshot::Receiver<()>,
) {
    let places = Arc::new(Semaphore::new(limits.connections));
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => {
                let stream = match accepted {
                    Ok((stream, _)) => stream,
                    Err(error) => {
                        // Out of descriptors, most likely: give connections time to end.
                        tracing::warn!(%error, "a connection could not be taken");
                        tokio::time::sleep(Duration::from_millis(50)).await;
                        continue;
                    }
                };
                let Ok(place) = places.clone().try_acquire_owned() else { continue };
                let router = router.clone();
                connections.spawn(async move {
                    talk(stream, router, limits).await;
                    drop(place);
                });
                open.send_replace(connections.len());
            }
            Some(_) = connections.join_next() => {
                open.send_replace(connections.len());
            }
            _ = &mut stop => break,
        }
    }
    connections.shutdown().await;
}

async fn talk(stream: TcpStream, router: Router, limits: Limits) {
    let service = TowerToHyperService::new(router);
    let connection = hyper::server::conn::http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(limits.head)
        .max_buf_size(64 << 10)
        .serve_connection(TokioIo::new(Patient::new(stream, limits.silence)), service);
    if let Err(error) = connection.await {
        tracing::debug!(%error, "a connection ended early");
    }
}
