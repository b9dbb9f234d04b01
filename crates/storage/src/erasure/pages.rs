//! The groups of a manifest, page by page.

use super::Error;
use bytes::Bytes;
use objects::Cid;
use protocol::{
    Groups, Manifest,
    durability::{Group, Shard, slot_of},
    limits,
    port::Blobs,
};

/// Reads the pages of a manifest in order, each checked against it.
pub(super) struct Pages<'a> {
    manifest: &'a Manifest,
    page: usize,
    /// The first group of the next page.
    first: u64,
}

impl<'a> Pages<'a> {
    pub(super) fn new(manifest: &'a Manifest) -> Self {
        Self { manifest, page: 0, first: 0 }
    }

    /// The page that is wanted next, and its number; `None` after the last.
    pub(super) fn wanted(&self) -> Option<(usize, Cid)> {
        self.manifest.pages.get(self.page).map(|cid| (self.page, *cid))
    }

    /// Takes the page that is wanted.
    pub(super) fn give(&mut self, bytes: &Bytes) -> Result<Groups, Error> {
        let groups = Groups::decode(bytes, self.manifest, self.first)?;
        self.first += groups.groups.len() as u64;
        self.page += 1;
        let is_last = self.page == self.manifest.pages.len();
        if is_last != (self.first == self.manifest.groups) {
            let reason = format!("{} groups in all pages", self.first);
            return Err(protocol::Error::Invalid { noun: "manifest", reason }.into());
        }
        Ok(groups)
    }

    /// The next page out of a store; `None` after the last.
    pub(super) async fn next(
        &mut self,
        blobs: &dyn Blobs,
    ) -> Result<Option<(usize, Groups)>, Error> {
        let Some((page, cid)) = self.wanted() else { return Ok(None) };
        let bytes = blobs.get(cid).await?.ok_or(Error::Missing(cid))?;
        Ok(Some((page, self.give(&bytes)?)))
    }
}

/// The shards of a page with their groups and places, and the slot of each.
pub(super) fn shards(
    page: &Groups,
    total: usize,
) -> impl Iterator<Item = (u64, &Group, usize, &Shard, usize)> {
    (page.first..).zip(&page.groups).flat_map(move |(number, group)| {
        let places = group.shards().enumerate();
        places
            .map(move |(place, shard)| (number, group, place, shard, slot_of(number, place, total)))
    })
}

/// Bytes of every slot.
pub(super) async fn slot_bytes(blobs: &dyn Blobs, manifest: &Manifest) -> Result<Vec<u64>, Error> {
    let total = manifest.durability.total();
    let mut bytes = vec![0; total];
    let mut pages = Pages::new(manifest);
    while let Some((_, page)) = pages.next(blobs).await? {
        for (.., shard, slot) in shards(&page, total) {
            bytes[slot] += u64::from(shard.bytes);
        }
    }
    Ok(bytes)
}

/// The most that the pages of a manifest can take.
pub(super) fn pages_bytes(manifest: &Manifest) -> u64 {
    (manifest.pages.len() * limits::GROUPS_BYTES) as u64
}
