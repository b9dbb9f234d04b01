//! What the writing thread is asked to do. Whoever asked may have gone away meanwhile; what can
//! still be done is done all the same.

use super::super::{
    index::Reclaimed,
    pack::{Location, Tail},
    pin::{Pin, PinKey, PinMode},
    ready::Ready,
    record::{Control, Place},
};
use crate::Error;
use bytes::Bytes;
use objects::Cid;
use protocol::port::BlobError;
use tokio::sync::oneshot;

pub(in crate::store) type Reply<T> = oneshot::Sender<Result<T, BlobError>>;

#[derive(Debug)]
pub(in crate::store) enum Job {
    /// Keep blobs.
    Put(Put, Reply<()>),
    /// Say which of these are here, and keep them as if they had been put now.
    Touch(Vec<Cid>, Reply<Vec<bool>>),
    /// Pin something.
    Pin(Pin, oneshot::Sender<Result<(), Error>>),
    /// Take a pin away, and say whether it was there.
    Unpin(PinKey, Reply<bool>),
    /// Write what is live in a pack once more.
    Move(Move, Reply<()>),
    /// Something that is not written together with others.
    Care(Care),
}

#[derive(Debug)]
pub(in crate::store) struct Put {
    pub(in crate::store) blobs: Vec<Ready>,
    /// Copies of the small ones, to be read soon.
    pub(in crate::store) small: Vec<(Cid, Bytes)>,
}

/// Records of one pack, with their places.
#[derive(Debug, Default)]
pub(in crate::store) struct Move {
    pub(in crate::store) blobs: Vec<(Ready, Location)>,
    /// Pins and what says that one is gone.
    pub(in crate::store) controls: Vec<(Control, Place)>,
}

#[derive(Debug)]
pub(in crate::store) enum Care {
    /// A collection begins: from now on remember what is pinned and put again.
    Begin(Reply<Tail>),
    /// Take out blobs that were found dead; the number of new pins that were considered.
    Sweep(Vec<(Cid, Location)>, usize, Reply<Swept>),
    /// The collection is over.
    End,
    /// Begin a new pack, so that the last one can be rewritten.
    Seal(Reply<Tail>),
    /// Delete a pack in which nothing is live any more, and say whether there was nothing.
    Retire(u32, Reply<bool>),
}

/// How a sweep went.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::store) enum Swept {
    /// Nothing was taken out, because these pins are new.
    Pinned(Vec<(Cid, PinMode)>),
    /// Done, but for those that were put again meanwhile.
    Done(Reclaimed),
    /// Nothing was taken out: too much was put again meanwhile to remember it.
    Overrun,
}

impl Job {
    /// Answers that it cannot be done.
    pub(super) fn refuse(self, error: BlobError) {
        // Whoever asked may have gone away.
        match self {
            Self::Put(_, reply) | Self::Move(_, reply) => drop(reply.send(Err(error))),
            Self::Touch(_, reply) => drop(reply.send(Err(error))),
            Self::Pin(_, reply) => drop(reply.send(Err(error.into()))),
            Self::Unpin(_, reply) => drop(reply.send(Err(error))),
            Self::Care(Care::Begin(reply) | Care::Seal(reply)) => drop(reply.send(Err(error))),
            Self::Care(Care::Sweep(_, _, reply)) => drop(reply.send(Err(error))),
            Self::Care(Care::Retire(_, reply)) => drop(reply.send(Err(error))),
            Self::Care(Care::End) => {}
        }
    }
}
