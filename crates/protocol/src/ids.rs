//! Newtypes for every id, height and count that is said.

use objects::Cid;
use serde::{Deserialize, Serialize};
use std::{fmt, str::FromStr};

macro_rules! number {
    ($(#[$doc:meta])* $name:ident, $inner:ty) => {
        $(#[$doc])*
        #[derive(
            Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Debug, Serialize,
            Deserialize,
        )]
        #[serde(transparent)]
        pub struct $name(pub $inner);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    };
}

number!(
    /// The number of a block. The genesis block has height 0.
    Height, u64
);
number!(
    /// The place of a task in its job's table, from 0.
    TaskIndex, u32
);
number!(
    /// The ordinal of a replica of one task, from 0, in the order of the draw.
    Attempt, u16
);

impl Height {
    /// The height after this one.
    pub fn next(self) -> Self {
        Self(self.0 + 1)
    }
}

macro_rules! name {
    ($(#[$doc:meta])* $name:ident, $inner:ty) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub $inner);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({})"), self.0)
            }
        }
        impl FromStr for $name {
            type Err = <$inner as FromStr>::Err;
            fn from_str(text: &str) -> Result<Self, Self::Err> {
                text.parse().map(Self)
            }
        }
    };
}

name!(
    /// The name of a job: the CID of its payload, without the signature.
    JobId, Cid
);
name!(
    /// The digest inside the CID of an [`crate::Outcome`].
    OutcomeDigest, identity::Digest
);
name!(
    /// What the result of a task is a function of: see [`crate::Job::key_of`].
    TaskKey, identity::Digest
);
