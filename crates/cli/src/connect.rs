//! The way to the node: loopback TCP.

use crate::{data::DataDir, exit::Exit, failure::Failure};
use api::{Client, client::Connect};
use futures::FutureExt;
use protocol::port::{Answer, Stream};
use std::{io, net::SocketAddr};
use tokio_util::compat::TokioAsyncReadCompatExt;

/// Opens TCP connections.
pub(crate) struct Tcp(pub(crate) SocketAddr);

impl Connect for Tcp {
    fn connect(&self) -> Answer<'static, io::Result<Stream>> {
        let addr = self.0;
        async move {
            let stream = tokio::net::TcpStream::connect(addr).await?;
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
    Ok(Client::new(Tcp(place.addr), place.addr.to_string(), place.token.to_string()))
}
