//! The way to the node: loopback TCP.

use crate::{
    background,
    data::{ApiPlace, DataDir, Whose},
    exit::Exit,
    failure::Failure,
    machine,
};
use api::{Client, client::Connect};
use futures::FutureExt;
use protocol::port::{Answer, Stream};
use std::{
    io,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};
use tokio_util::compat::TokioAsyncReadCompatExt;

/// Characters of the id that the requests of one command carry.
const ID: usize = 16;
/// What to do where a node starts or stops.
const WAIT: &str = "it may wait for other validators: see what it says where it was started";

/// Opens TCP connections to where the node of a directory says that it is. It says so anew at
/// every start, so a command that waits finds a node that was started again.
pub(crate) struct Tcp {
    data: DataDir,
    /// Whether the node in the background is started where it is missing.
    revives: bool,
    /// Whether the node answered before.
    met: Arc<AtomicBool>,
}

impl Tcp {
    fn new(data: &DataDir, revives: bool) -> Self {
        Self { data: data.clone(), revives, met: Arc::default() }
    }
}

impl Connect for Tcp {
    fn connect(&self) -> Answer<'static, io::Result<Stream>> {
        let (data, revives, met) = (self.data.clone(), self.revives, self.met.clone());
        async move {
            let stream = match open(&data).await {
                // It ended in the moment before, or it was killed. One that was stopped on purpose
                // is left alone by commands that were waiting for it.
                Err(_) if revives && (!met.load(Ordering::Relaxed) || background::died(&data)) => {
                    revive(&data).await?;
                    open(&data).await?
                }
                opened => opened?,
            };
            met.store(true, Ordering::Relaxed);
            Ok(stream)
        }
        .boxed()
    }
}

async fn open(data: &DataDir) -> io::Result<Stream> {
    let place = data.api().map_err(io::Error::other)?;
    let place = place.ok_or(io::ErrorKind::NotConnected)?;
    let stream = tokio::net::TcpStream::connect(place.addr).await?;
    stream.set_nodelay(true)?;
    Ok(Box::new(stream.compat()) as Stream)
}

async fn revive(data: &DataDir) -> io::Result<()> {
    let data = data.clone();
    let revived = tokio::task::spawn_blocking(move || background::ensure(&data)).await;
    revived.map_err(io::Error::other)?.map(drop).map_err(io::Error::other)
}

/// The node of a directory, whether it answers or not. The one in the background is started if it
/// does not run; no other one is.
pub(crate) fn node(data: &DataDir) -> Result<Client<Tcp>, Failure> {
    if data.whose() != Whose::Embedded {
        return running(data);
    }
    let place = background::ensure(data)?;
    Ok(client(Tcp::new(data, true), place))
}

/// The node of a directory, if it runs there.
pub(crate) fn running(data: &DataDir) -> Result<Client<Tcp>, Failure> {
    let place = data.api()?.filter(answers).ok_or_else(|| none(data))?;
    Ok(client(Tcp::new(data, false), place))
}

fn client(tcp: Tcp, ApiPlace { addr, token, .. }: ApiPlace) -> Client<Tcp> {
    let client = Client::new(tcp, addr.to_string(), token.to_string());
    match machine::nonce() {
        // What this command asks for is found by it in the node's log.
        Ok(nonce) => client.called(nonce.to_string()[..ID].to_string()),
        Err(_) => client,
    }
}

/// Whether a node is there: its process, or, should that be hidden from us, somebody who listens.
fn answers(place: &ApiPlace) -> bool {
    place.run.as_ref().is_none_or(|run| run.process.is_running())
        || std::net::TcpStream::connect(place.addr).is_ok()
}

/// No node runs where one should.
pub(crate) fn none(data: &DataDir) -> Failure {
    let dir = data.root().display();
    let failure = |what: String| Failure::new(Exit::NoNode, what);
    if let Some(pid) = data.holder() {
        let what =
            format!("no node runs in {dir} yet, or any more: one starts or stops (pid {pid})");
        return failure(what).next(WAIT);
    }
    match data.whose() {
        Whose::Named if !data.root().is_dir() => {
            failure(format!("no node runs in {dir}: there is no such directory")).next(format!(
                "is the name right? polity up --data {dir} makes it, with --genesis or --join"
            ))
        }
        Whose::Named if data.genesis().is_ok_and(|genesis| genesis.is_none()) => {
            failure(format!("no node runs in {dir}: it belongs to no network yet")).next(format!(
                "a founder types: polity up --data {dir} --genesis FILE; others, with a line of \
                 'polity invite': polity up --data {dir} --join -"
            ))
        }
        Whose::Named => failure(format!("no node runs in {dir}"))
            .next(format!("start it with: polity up --data {dir}")),
        Whose::Own => failure(format!("your own node, in {dir}, does not run"))
            .next("start it with: polity up"),
        Whose::Embedded => failure("no node runs in the background".into())
            .next("the next 'polity run' starts one"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::{self, File};

    #[test]
    fn where_no_node_runs_it_is_said_what_is_there() {
        let dir = tempfile::tempdir().unwrap();
        let data = DataDir::at(dir.path().join("node"));
        let said = none(&data);
        assert_eq!(said.exit, Exit::NoNode);
        assert!(said.message.ends_with("there is no such directory"), "{said}");
        data.create().unwrap();
        let said = none(&data);
        assert!(said.message.ends_with("it belongs to no network yet"), "{said}");
        assert!(said.next.unwrap().contains("--join -"));

        // As if this process were a node that waits for others.
        let store = data.root().join("store");
        fs::create_dir(&store).unwrap();
        let lock = File::create(store.join("lock")).unwrap();
        lock.lock().unwrap();
        let said = none(&data);
        let pid = format!("one starts or stops (pid {})", std::process::id());
        assert!(said.message.ends_with(&pid), "{said}");
        assert_eq!(said.next.as_deref(), Some(WAIT));
    }
}
