//! The cluster of a node that is somewhere else.

use super::{Client, Connect};
use crate::{ClusterApi, ClusterChange, ClusterInfo, Reply, path};
use futures::FutureExt;

impl<C: Connect> ClusterApi for Client<C> {
    fn cluster(&self) -> Reply<'_, ClusterInfo> {
        self.get(path::CLUSTER_PATH.into()).boxed()
    }

    fn manage(&self, change: ClusterChange) -> Reply<'_, ()> {
        async move { self.post(path::CLUSTER_PATH, &change).await }.boxed()
    }
}
