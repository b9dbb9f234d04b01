//! A map from digests, for the parts of the state that grow with use: a copy shares what did not
//! change, the root costs what changed since it was last asked for, and what has expired is found
//! without looking at the rest.
//!
//! A radix tree of sixteen ways. A branch stands where at least two keys share what leads to it, so
//! the shape follows from the keys alone: equal maps have equal roots, however they came about.

use identity::{Digest, Hasher, canonical};
use protocol::Time;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::sync::{Arc, OnceLock};

/// Children of a branch: one for each half of a byte.
const WAYS: usize = 16;

/// What is remembered for a time.
pub(crate) trait Expires: Clone + Serialize {
    /// Until when.
    fn expires(&self) -> Time;
}

impl Expires for Time {
    fn expires(&self) -> Time {
        *self
    }
}

/// A map from digests to what expires.
#[derive(Clone, Debug)]
pub(crate) struct Trie<V> {
    top: Option<Node<V>>,
}

#[derive(Clone, Debug)]
enum Node<V> {
    Leaf(Arc<Leaf<V>>),
    Branch(Arc<Branch<V>>),
}

#[derive(Clone, Debug)]
struct Leaf<V> {
    key: Digest,
    value: V,
    root: OnceLock<Digest>,
}

#[derive(Clone, Debug)]
struct Branch<V> {
    children: [Option<Node<V>>; WAYS],
    /// When the first of what is below expires.
    expires: Time,
    root: OnceLock<Digest>,
}

impl<V> Default for Trie<V> {
    fn default() -> Self {
        Self { top: None }
    }
}

impl<V: Expires> Trie<V> {
    /// What stands under a key.
    pub(crate) fn get(&self, key: &Digest) -> Option<&V> {
        let mut node = self.top.as_ref()?;
        for depth in 0.. {
            match node {
                Node::Leaf(leaf) => return (leaf.key == *key).then_some(&leaf.value),
                Node::Branch(branch) => node = branch.children[way(key, depth)].as_ref()?,
            }
        }
        None
    }

    /// Puts a value under a key, whatever stood there.
    pub(crate) fn insert(&mut self, key: Digest, value: V) {
        let leaf = Leaf { key, value, root: OnceLock::new() };
        match &mut self.top {
            Some(top) => top.insert(leaf, 0),
            None => self.top = Some(Node::Leaf(Arc::new(leaf))),
        }
    }

    /// Changes what stands under a key, if anything does.
    pub(crate) fn change<R>(
        &mut self,
        key: &Digest,
        change: impl FnOnce(&mut V) -> R,
    ) -> Option<R> {
        // Looked for first: a miss must not copy the way to it.
        self.get(key)?;
        self.top.as_mut().map(|top| top.change(key, 0, change))
    }

    /// Forgets what stands under a key.
    pub(crate) fn remove(&mut self, key: &Digest) {
        if self.get(key).is_some() {
            self.top = self.top.as_ref().and_then(|top| top.without(key, 0));
        }
    }

    /// Forgets what expired before `time`.
    pub(crate) fn prune(&mut self, time: Time) {
        if self.top.as_ref().is_some_and(|top| top.expires() < time) {
            self.top = self.top.as_ref().and_then(|top| top.since(time));
        }
    }

    /// Everything, in the order of the keys.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&Digest, &V)> {
        let mut open: Vec<&Node<V>> = self.top.iter().collect();
        std::iter::from_fn(move || {
            loop {
                match open.pop()? {
                    Node::Leaf(leaf) => return Some((&leaf.key, &leaf.value)),
                    Node::Branch(branch) => open.extend(branch.children.iter().rev().flatten()),
                }
            }
        })
    }

    /// A digest of everything.
    pub(crate) fn root(&self) -> Digest {
        self.top.as_ref().map_or_else(|| Digest::of("polity nothing", &[]), Node::root)
    }
}

/// Which way a key goes at a branch that `depth` branches lead to.
fn way(key: &Digest, depth: usize) -> usize {
    let byte = key.as_bytes()[depth / 2];
    usize::from(if depth.is_multiple_of(2) { byte >> 4 } else { byte & 15 })
}

impl<V: Expires> Node<V> {
    fn expires(&self) -> Time {
        match self {
            Self::Leaf(leaf) => leaf.value.expires(),
            Self::Branch(branch) => branch.expires,
        }
    }

    /// What stands for these children: nothing, a lone leaf itself, or a branch.
    fn of(children: [Option<Self>; WAYS]) -> Option<Self> {
        let mut present = children.iter().flatten();
        match (present.next(), present.next()) {
            (None, _) => None,
            (Some(leaf @ Self::Leaf(_)), None) => Some(leaf.clone()),
            _ => Some(Self::Branch(Arc::new(Branch::of(children)))),
        }
    }

    fn insert(&mut self, new: Leaf<V>, depth: usize) {
        match self {
            Self::Leaf(leaf) if leaf.key == new.key => *leaf = Arc::new(new),
            Self::Leaf(leaf) => {
                let mut children = [const { None }; WAYS];
                children[way(&leaf.key, depth)] = Some(Self::Leaf(leaf.clone()));
                let mut branch = Branch::of(children);
                branch.insert(new, depth);
                *self = Self::Branch(Arc::new(branch));
            }
            Self::Branch(branch) => Arc::make_mut(branch).insert(new, depth),
        }
    }

    /// Changes what stands under a key that is below this node.
    fn change<R>(&mut self, key: &Digest, depth: usize, change: impl FnOnce(&mut V) -> R) -> R {
        match self {
            Self::Leaf(leaf) => {
                let leaf = Arc::make_mut(leaf);
                leaf.root = OnceLock::new();
                change(&mut leaf.value)
            }
            Self::Branch(branch) => {
                let branch = Arc::make_mut(branch);
                let child = branch.children[way(key, depth)].as_mut();
                let changed = child.expect("the key is below").change(key, depth + 1, change);
                branch.refresh();
                changed
            }
        }
    }

    /// What is left without a key that is below this node.
    fn without(&self, key: &Digest, depth: usize) -> Option<Self> {
        let Self::Branch(branch) = self else { return None };
        let mut children = branch.children.clone();
        let child = &mut children[way(key, depth)];
        *child = child.as_ref().and_then(|child| child.without(key, depth + 1));
        Self::of(children)
    }

    /// What is left of this node at `time`.
    fn since(&self, time: Time) -> Option<Self> {
        match self {
            _ if self.expires() >= time => Some(self.clone()),
            Self::Leaf(_) => None,
            Self::Branch(branch) => {
                let left = |child: &Option<Self>| child.as_ref().and_then(|c| c.since(time));
                Self::of(branch.children.each_ref().map(left))
            }
        }
    }

    fn root(&self) -> Digest {
        match self {
            Self::Leaf(leaf) => *leaf.root.get_or_init(|| {
                Digest::of("polity leaf", &[leaf.key.as_bytes(), &canonical::encode(&leaf.value)])
            }),
            Self::Branch(branch) => *branch.root.get_or_init(|| branch.digest()),
        }
    }
}

impl<V: Expires> Branch<V> {
    fn of(children: [Option<Node<V>>; WAYS]) -> Self {
        let mut branch = Self { children, expires: Time(u64::MAX), root: OnceLock::new() };
        branch.refresh();
        branch
    }

    fn insert(&mut self, new: Leaf<V>, depth: usize) {
        match &mut self.children[way(&new.key, depth)] {
            Some(child) => child.insert(new, depth + 1),
            free => *free = Some(Node::Leaf(Arc::new(new))),
        }
        self.refresh();
    }

    /// Something below changed.
    fn refresh(&mut self) {
        self.root = OnceLock::new();
        let below = self.children.iter().flatten().map(Node::expires).min();
        self.expires = below.unwrap_or(Time(u64::MAX));
    }

    fn digest(&self) -> Digest {
        let mut ways = 0_u16;
        let mut roots = Vec::with_capacity(WAYS * 32);
        for (way, child) in self.children.iter().enumerate() {
            let Some(child) = child else { continue };
            ways |= 1 << way;
            roots.extend(child.root().as_bytes());
        }
        let mut hasher = Hasher::new("polity branch");
        hasher.part(&ways.to_be_bytes());
        hasher.part(&roots);
        hasher.finish()
    }
}

impl<V: Expires + PartialEq> PartialEq for Trie<V> {
    fn eq(&self, other: &Self) -> bool {
        self.iter().eq(other.iter())
    }
}

impl<V: Expires + Eq> Eq for Trie<V> {}

/// In a snapshot: the pairs, in the order of the keys.
impl<V: Expires> Serialize for Trie<V> {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.collect_seq(self.iter())
    }
}

impl<'de, V: Expires + Deserialize<'de>> Deserialize<'de> for Trie<V> {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        let mut trie = Self::default();
        for (key, value) in Vec::<(Digest, V)>::deserialize(d)? {
            trie.insert(key, value);
        }
        Ok(trie)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::{collection::vec, prelude::*};
    use std::collections::BTreeMap;

    /// Keys that share their beginnings, some of them nearly all of it.
    fn key(n: u16) -> Digest {
        let mut key = Digest([0; 32]);
        key.0[0] = (n >> 8) as u8;
        key.0[31] = n as u8;
        key
    }

    fn rebuilt(model: &BTreeMap<Digest, Time>) -> Trie<Time> {
        let mut trie = Trie::default();
        // From behind: another order than that of any change.
        model.iter().rev().for_each(|(key, value)| trie.insert(*key, *value));
        trie
    }

    fn apply(model: &mut BTreeMap<Digest, Time>, trie: &mut Trie<Time>, (what, n, time): Change) {
        let (key, time) = (key(n), Time(time));
        match what {
            0..5 => {
                model.insert(key, time);
                trie.insert(key, time);
            }
            5 => {
                model.remove(&key);
                trie.remove(&key);
            }
            6 => {
                let known = model.get_mut(&key).map(|value| *value = time);
                assert_eq!(trie.change(&key, |value| *value = time), known);
            }
            _ => {
                model.retain(|_, value| *value >= time);
                trie.prune(time);
            }
        }
    }

    type Change = (u8, u16, u64);

    proptest! {
        #[test]
        fn it_is_a_map_whose_root_follows_from_its_content(
            changes in vec((0u8..8, prop_oneof![0u16..24, 0x300u16..0x340], 0u64..40), 0..120),
            look in 0usize..120,
        ) {
            let (mut model, mut trie) = (BTreeMap::new(), Trie::default());
            let mut copy = None;
            for (n, change) in changes.into_iter().enumerate() {
                if n == look {
                    copy = Some((model.clone(), trie.clone(), trie.root()));
                }
                // Roots that were computed before must not outlive a change below them.
                if n % 3 == 0 {
                    trie.root();
                }
                apply(&mut model, &mut trie, change);
                prop_assert!(trie.iter().eq(&model));
                prop_assert!(model.iter().all(|(key, value)| trie.get(key) == Some(value)));
                prop_assert_eq!(trie.root(), rebuilt(&model).root());
            }
            // A copy does not see what happened to the map.
            if let Some((model, trie, root)) = copy {
                prop_assert!(trie.iter().eq(&model));
                prop_assert_eq!((trie.root(), rebuilt(&model).root()), (root, root));
            }
        }

        #[test]
        fn a_snapshot_is_the_map(
            content in vec((any::<u16>(), any::<u32>()), 0..60)
        ) {
            let pairs = content.into_iter().map(|(n, time)| (key(n), Time(time.into())));
            let trie = rebuilt(&pairs.collect());
            let bytes = canonical::encode(&trie);
            let back: Trie<Time> = canonical::decode(&bytes, usize::MAX).expect("its own bytes");
            prop_assert_eq!(back.root(), trie.root());
            prop_assert_eq!(back, trie);
        }
    }

    #[test]
    fn every_value_and_every_key_counts() {
        let root = |pairs: &[(u16, u64)]| {
            let pairs = pairs.iter().map(|(n, time)| (key(*n), Time(*time)));
            rebuilt(&pairs.collect()).root()
        };
        let roots = [
            root(&[]),
            root(&[(1, 1)]),
            root(&[(1, 2)]),
            root(&[(2, 1)]),
            root(&[(1, 1), (2, 1)]),
            root(&[(1, 1), (0x301, 1)]),
        ];
        let distinct: std::collections::BTreeSet<_> = roots.iter().collect();
        assert_eq!(distinct.len(), roots.len());
    }
}
