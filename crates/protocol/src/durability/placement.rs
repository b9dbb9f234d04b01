//! Which node holds which slot.

use crate::{Error, Manifest, limits};
use identity::{Digest, NetworkId, PublicKey, Sign, Signed, canonical};
use objects::Cid;
use serde::{Deserialize, Serialize};

/// The slot of a shard.
pub fn slot_of(group: u64, shard: usize, total: usize) -> usize {
    let total = total as u64;
    // Less than 128.
    ((group % total + shard as u64) % total) as usize
}

/// Who holds the shards of a manifest. It is a hint where bytes are, and no bytes are believed for
/// it; so a wrong one costs time, not content.
///
/// Who may sign: the maker of the manifest, and any holder in the placement before. Whoever knows
/// no placement yet takes the word of a node that is in this one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Placement {
    /// The signed manifest.
    pub manifest: Cid,
    /// A later one replaces all with lower numbers; of two with one number the one with the lower
    /// digest counts.
    pub sequence: u64,
    /// The nodes, by slot. One node may hold several.
    pub slots: Vec<PublicKey>,
}

impl Sign for Placement {
    const DOMAIN: &'static str = "placement";
}

impl Placement {
    /// Reads a signed placement; [`Self::check`] it against its manifest.
    ///
    /// # Errors
    /// [`Error::Identity`] if it is none.
    pub fn decode(bytes: &[u8]) -> Result<Signed<Self>, Error> {
        Ok(canonical::decode(bytes, limits::PLACEMENT_BYTES)?)
    }

    /// Checks signature and form against the manifest that it is for.
    ///
    /// # Errors
    /// What does not hold.
    pub fn check(
        signed: &Signed<Self>,
        manifest: &Signed<Manifest>,
        network: NetworkId,
    ) -> Result<(), Error> {
        let wrong = |reason: String| Err(Error::invalid("placement", reason));
        signed.check(network)?;
        let placement = &signed.payload;
        if placement.manifest != Manifest::cid(manifest) {
            return wrong(format!("it is for {}", placement.manifest));
        }
        let (slots, total) = (placement.slots.len(), manifest.payload.durability.total());
        if slots != total {
            return wrong(format!("{slots} slots where the manifest has {total}"));
        }
        Ok(())
    }

    /// Whether this one, which was checked, is to be taken in place of `known`.
    pub fn replaces(signed: &Signed<Self>, known: Option<&Signed<Self>>, maker: PublicKey) -> bool {
        let next = &signed.payload;
        let Some(known) = known else {
            return signed.by == maker || next.slots.contains(&signed.by);
        };
        let now = &known.payload;
        let may_sign = signed.by == maker || now.slots.contains(&signed.by);
        let is_later = next.sequence > now.sequence
            || (next.sequence == now.sequence && Self::digest(signed) < Self::digest(known));
        now.manifest == next.manifest && may_sign && is_later
    }

    /// The slots that a node holds.
    pub fn slots_of(&self, node: &PublicKey) -> Vec<usize> {
        self.slots.iter().enumerate().filter(|(_, own)| *own == node).map(|(at, _)| at).collect()
    }

    fn digest(signed: &Signed<Self>) -> Digest {
        Digest::of("polity placement", &[&canonical::encode(signed)])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use identity::SecretKey;
    use objects::Codec;

    fn key(seed: u8) -> SecretKey {
        SecretKey::from_seed([seed; 32])
    }

    fn placed(sequence: u64, slots: &[u8], by: u8) -> Signed<Placement> {
        let slots = slots.iter().map(|seed| key(*seed).public()).collect();
        let manifest = Cid::of(Codec::DagCbor, b"manifest");
        let placement = Placement { manifest, sequence, slots };
        Signed::new(placement, NetworkId::default(), &key(by))
    }

    #[test]
    fn later_ones_of_the_maker_and_of_holders_count() {
        let (maker, known) = (key(1).public(), placed(4, &[2, 3], 1));
        let replaces = |next: &Signed<Placement>| Placement::replaces(next, Some(&known), maker);
        assert!(replaces(&placed(5, &[4, 3], 1)) && replaces(&placed(6, &[2, 4], 2)));
        assert!(!replaces(&placed(5, &[4, 3], 4)), "the new holder was none before");
        assert!(!replaces(&placed(3, &[4, 3], 1)) && !replaces(&known));
        // Of two with one number each node keeps the same one.
        let other = placed(4, &[3, 2], 2);
        assert_ne!(replaces(&other), Placement::replaces(&known, Some(&other), maker));
    }

    #[test]
    fn the_first_one_comes_from_the_maker_or_a_holder_in_it() {
        let maker = key(1).public();
        for (by, takes) in [(1, true), (2, true), (9, false)] {
            assert_eq!(Placement::replaces(&placed(0, &[2, 3], by), None, maker), takes);
        }
    }

    #[test]
    fn slots_turn_with_the_groups() {
        let slots: Vec<usize> = (0..3).map(|shard| slot_of(5, shard, 6)).collect();
        assert_eq!(slots, [5, 0, 1]);
        assert_eq!(slot_of(u64::MAX, 127, 128), 126);
    }
}
