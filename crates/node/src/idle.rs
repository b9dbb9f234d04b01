//! When a node that is there only while it is needed is needed no more.

use cli::data::DataDir;
use cluster::Cluster;
use std::{net::SocketAddr, time::Duration};
use tokio::{sync::watch, time::Instant};
use work::Work;

/// Of the time without work, the share after which it is looked at again.
const LOOKS: u32 = 10;
/// How long commands that found this node's address may take to knock.
const GRACE: Duration = Duration::from_millis(250);

/// What tells whether somebody needs the node.
pub(crate) struct Need {
    pub(crate) data: DataDir,
    pub(crate) addr: SocketAddr,
    pub(crate) cluster: Cluster<Work>,
    /// Connections at the door.
    pub(crate) connections: watch::Receiver<usize>,
}

impl Need {
    /// Resolves when there was neither a job nor a request for `after_ms`. Then this node is not to
    /// be found any more. With 0 it never does.
    ///
    /// # Errors
    /// If the cluster stopped, or the directory cannot be written.
    pub(crate) async fn over(mut self, after_ms: u64) -> anyhow::Result<()> {
        if after_ms == 0 {
            return std::future::pending().await;
        }
        let after = Duration::from_millis(after_ms);
        let mut last = Instant::now();
        loop {
            tokio::time::sleep(after / LOOKS).await;
            if self.is_there().await? {
                last = Instant::now();
            } else if last.elapsed() >= after && self.hide().await? {
                return Ok(());
            }
        }
    }

    /// Whether somebody was here since the last look, or a job is.
    async fn is_there(&mut self) -> anyhow::Result<bool> {
        let knocked = self.connections.has_changed()? || *self.connections.borrow() > 0;
        self.connections.borrow_and_update();
        Ok(knocked || self.cluster.read(|work| work.jobs().next().is_some()).await?)
    }

    /// Takes the address away; puts it back, and gives false, if somebody had found it before.
    async fn hide(&mut self) -> anyhow::Result<bool> {
        self.data.remove_api()?;
        let knocked = tokio::time::timeout(GRACE, self.connections.changed()).await;
        if knocked.is_ok() {
            if let Some(token) = self.data.token()? {
                self.data.set_api(self.addr, &token)?;
            }
            return Ok(false);
        }
        Ok(true)
    }
}
