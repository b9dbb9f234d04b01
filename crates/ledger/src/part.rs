//! A part of the state: shared between copies until it changes, with a root that is computed once
//! for each change.

use identity::Digest;
use protocol::Roster;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::{
    ops::{Deref, DerefMut},
    sync::{Arc, OnceLock},
};

/// What the state root covers.
pub(crate) trait Rooted {
    /// A digest of all of it.
    fn root(&self) -> Digest;
}

/// A part of the state. Whoever takes it to change it gets a copy of its own, and another root.
#[derive(Clone, Debug, Default)]
pub(crate) struct Part<T> {
    value: Arc<T>,
    root: OnceLock<Digest>,
}

impl<T: Rooted> Part<T> {
    /// The root, computed again only after a change.
    pub(crate) fn root(&self) -> Digest {
        *self.root.get_or_init(|| self.value.root())
    }
}

impl<T> Part<T> {
    /// The part itself, for whoever keeps it.
    pub(crate) fn shared(&self) -> &Arc<T> {
        &self.value
    }
}

impl<T> From<T> for Part<T> {
    fn from(value: T) -> Self {
        Self { value: Arc::new(value), root: OnceLock::new() }
    }
}

impl Rooted for Roster {
    fn root(&self) -> Digest {
        Roster::root(self)
    }
}

impl<T> Deref for Part<T> {
    type Target = T;
    fn deref(&self) -> &T {
        &self.value
    }
}

impl<T: Clone> DerefMut for Part<T> {
    fn deref_mut(&mut self) -> &mut T {
        self.root = OnceLock::new();
        Arc::make_mut(&mut self.value)
    }
}

impl<T: PartialEq> PartialEq for Part<T> {
    fn eq(&self, other: &Self) -> bool {
        self.value == other.value
    }
}

impl<T: Eq> Eq for Part<T> {}

impl<T: Serialize> Serialize for Part<T> {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        self.value.serialize(s)
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Part<T> {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        T::deserialize(d).map(Self::from)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    impl Rooted for u64 {
        fn root(&self) -> Digest {
            Digest::of("test", &[&self.to_be_bytes()])
        }
    }

    #[test]
    fn a_change_gives_another_root_and_leaves_copies_alone() {
        let mut part = Part::<u64>::default();
        let (copy, before) = (part.clone(), part.root());
        *part = 5;
        assert_ne!(part.root(), before);
        assert_eq!(part.root(), 5_u64.root());
        assert_eq!((*copy, copy.root()), (0, before));
        *part = 0;
        assert_eq!((part.root(), part), (before, copy));
    }
}
