//! Following a path.

use super::{ahead::Source, refusal::Refusal};
use objects::{Cid, Resolved, Resolver};

/// What a path names, and the blocks that were needed to find it.
pub(super) struct Way {
    pub(super) end: Resolved,
    /// The blocks before the one at the end, in order.
    pub(super) before: Vec<Cid>,
}

/// Follows `segments` from `root`.
pub(super) async fn resolve(
    source: &Source,
    root: Cid,
    segments: Vec<String>,
) -> Result<Way, Refusal> {
    let mut resolver = Resolver::new(root, segments)?;
    let mut before = Vec::new();
    while let Some(cid) = resolver.wanted() {
        resolver.give(cid, source.block(cid).await?)?;
        before.push(cid);
    }
    before.pop();
    let end = resolver.into_resolved();
    let end = end.ok_or_else(|| Refusal::bad("the path has no end"))?;
    Ok(Way { end, before })
}
