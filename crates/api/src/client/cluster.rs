//! The cluster of a node that is somewhere else.

use super::{Body, Client, Connect};
use crate::{BackupBytes, ClusterApi, ClusterChange, ClusterInfo, Reply, path};
use futures::FutureExt;

impl<C: Connect> ClusterApi for Client<C> {
    fn cluster(&self) -> Reply<'_, ClusterInfo> {
        self.get(path::CLUSTER_PATH.into()).boxed()
    }

    fn cluster_current(&self) -> Reply<'_, ClusterInfo> {
        self.get(format!("{}?current=true", path::CLUSTER_PATH)).boxed()
    }

    fn manage(&self, change: ClusterChange) -> Reply<'_, ()> {
        async move { self.post(path::CLUSTER_PATH, &change).await }.boxed()
    }

    fn backup(&self) -> Reply<'_, BackupBytes> {
        async move {
            let path = path::BACKUP_PATH.to_string();
            Ok(self.send("GET", path, path::BYTES, Body::Empty).await?.body)
        }
        .boxed()
    }
}
