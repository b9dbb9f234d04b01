//! Files of this machine as content of a node, and back.
//!
//! A [`tree`] is what lies below a path. It becomes [`blocks`], of which the node gets those that
//! it lacks ([`send`]). Back, a [`place`] names content, [`ahead`] has its blocks fetched before
//! they are wanted, [`list`] reads directories, and [`restore`] writes it all out. [`sources`] are
//! peers of IPFS that are named, and [`chores`] what the node's store does by itself.

pub(crate) mod ahead;
pub(crate) mod bar;
pub(crate) mod blocks;
pub(crate) mod chores;
pub(crate) mod list;
pub(crate) mod place;
pub(crate) mod restore;
pub(crate) mod send;
pub(crate) mod sources;
pub(crate) mod spread;
pub(crate) mod tree;
