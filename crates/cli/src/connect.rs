//! The way to the node: loopback TCP.

use crate::{data::DataDir, exit::Exit, failure::Failure};
use api::{Client, client::Connect};
use futures::FutureExt;
use protocol::port::{Answer, Stream};
use std::io;
use tokio_util::compat::TokioAsyncReadCompatExt;

/// Opens TCP connections to where the node of a directory says that it is. It says so anew at
/// every start, so a command that waits finds a node that was started again.
pub(crate) struct Tcp(DataDir);

impl Connect for Tcp {
    fn connect(&self) -> Answer<'static, io::Result<Stream>> {
        let data = self.0.clone();
        async move {
            let place = data.api().map_err(io::Error::other)?;
            let place = place.ok_or(io::ErrorKind::NotConnected)?;
            let stream = tokio::net::TcpStream::connect(place.addr).await?;
            stream.set_nodelay(true)?;
            Ok(Box::new(stream.compat()) as Stream)
        }
        .boxed()
    }
}

/// The node of a directory, whether it answers or not.
pub(crate) fn node(data: &DataDir) -> Result<Client<Tcp>, Failure> {
    let place = data.api()?.ok_or_else(|| {
        let dir = data.root().display();
        Failure::new(Exit::NoNode, format!("no node runs in {dir}"))
            .next(format!("start one with: polity up --data {dir}"))
    })?;
    Ok(Client::new(Tcp(data.clone()), place.addr.to_string(), place.token.to_string()))
}
