//! Finding what is live: everything that can be reached from pins and roots.

use super::{
    super::{Shared, index::Failure, pin::PinMode, reader},
    GcReport,
    links::links,
    live::Live,
};
use crate::Error;
use objects::{Cid, Codec};
use protocol::port::BlobError;

/// Lines about missing blobs in one collection.
const LINES: u64 = 10;

/// The marking of one collection.
pub(super) struct Mark<'a> {
    shared: &'a Shared,
    pub(super) live: Live,
    /// Nodes that were marked and not yet looked at.
    pending: Vec<Cid>,
    /// Whether to stop.
    must_stop: &'a dyn Fn() -> bool,
}

impl<'a> Mark<'a> {
    pub(super) fn new(shared: &'a Shared, live: Live, must_stop: &'a dyn Fn() -> bool) -> Self {
        Self { shared, live, pending: Vec::new(), must_stop }
    }

    /// Marks a root, and with [`PinMode::Recursive`] everything below it. False if it was stopped.
    pub(super) fn root(
        &mut self,
        root: Cid,
        mode: PinMode,
        report: &mut GcReport,
    ) -> Result<bool, Error> {
        if mode == PinMode::Direct || root.codec() == Codec::Raw {
            self.live.add_leaf(&root);
            return Ok(true);
        }
        self.add(root)?;
        while let Some(node) = self.pending.pop() {
            if (self.must_stop)() {
                return Ok(false);
            }
            self.node(node, report)?;
        }
        Ok(true)
    }

    fn add(&mut self, node: Cid) -> Result<(), Error> {
        if self.live.add_node(&node)? {
            self.pending.push(node);
        }
        Ok(())
    }

    fn node(&mut self, node: Cid, report: &mut GcReport) -> Result<(), Error> {
        let bytes = match reader::get(self.shared, node) {
            Ok(Some(bytes)) => bytes,
            Ok(None) => return self.absent(node, report),
            Err(BlobError::Corrupt(_)) => {
                report.damaged += 1;
                return Ok(());
            }
            Err(error) => return Err(error.into()),
        };
        let (links, is_whole) = links(&node, &bytes);
        if !is_whole {
            tracing::warn!(%node, "a block is malformed; what its beginning links to is kept");
        }
        let (leaves, nodes): (Vec<_>, Vec<_>) =
            links.into_iter().partition(|link| link.codec() == Codec::Raw);
        let found = self.shared.index.find(&leaves).map_err(Failure::into_blob_error)?;
        for (leaf, found) in leaves.iter().zip(found) {
            self.live.add_leaf(leaf);
            if found.is_none() {
                self.absent(*leaf, report)?;
            }
        }
        nodes.into_iter().try_for_each(|link| self.add(link))
    }

    /// Something that is linked to is not here.
    fn absent(&self, cid: Cid, report: &mut GcReport) -> Result<(), Error> {
        let is_damaged = self.shared.index.is_damaged(&cid).map_err(Failure::into_blob_error)?;
        if is_damaged && cid.codec() != Codec::Raw {
            report.damaged += 1;
            return Ok(());
        }
        if report.missing < LINES {
            tracing::warn!(%cid, "a block below a pin is not here");
        }
        report.missing += 1;
        Ok(())
    }
}
