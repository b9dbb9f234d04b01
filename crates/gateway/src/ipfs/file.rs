//! Files and blocks, whole or in part.

use super::{
    ahead::{Ahead, Source, WINDOW},
    ask::Ask,
    head::{Head, content_range, unsatisfiable},
    range::{self, Part},
    refusal::Refusal,
};
use axum::{
    body::{Body, Bytes},
    http::StatusCode,
    response::Response,
};
use futures::stream;
use objects::{Cid, FileWalker};
use std::{io, ops::Range};
use tokio::sync::OwnedSemaphorePermit;

/// Something that has a size and whose parts can be sent.
pub(super) enum Content {
    /// Bytes that are here.
    Here(Bytes),
    /// A file, its first block, and its size in bytes.
    File(Cid, Bytes, u64),
}

impl Content {
    fn size_bytes(&self) -> u64 {
        match self {
            Self::Here(bytes) => bytes.len() as u64,
            Self::File(_, _, size_bytes) => *size_bytes,
        }
    }

    /// The bytes of `part`, as a stream that holds `place` until it ends.
    fn body(self, part: Range<u64>, source: Source, place: OwnedSemaphorePermit) -> Body {
        match self {
            // A range was checked against the size, which fits the memory.
            Self::Here(bytes) => Body::from(bytes.slice(part.start as usize..part.end as usize)),
            Self::File(root, first, size_bytes) => {
                let walker = FileWalker::range(root, size_bytes, part);
                let ahead = Ahead::new(source);
                let reading = Reading { walker, first: Some(first), ahead, _place: place };
                Body::from_stream(stream::try_unfold(reading, Reading::step))
            }
        }
    }
}

/// Answers with `content`, or with the part of it that is asked for.
pub(super) fn answer(
    ask: &Ask,
    mut head: Head,
    content: Content,
    source: &Source,
    place: OwnedSemaphorePermit,
) -> Response {
    let size_bytes = content.size_bytes();
    head.ranges = true;
    if ask.head || ask.has(&head.etag) {
        // A range is a matter of bodies.
        head.size_bytes = Some(size_bytes);
        return head.answer(ask, StatusCode::OK, Body::empty());
    }
    let (status, part) = match range::part(ask.range.as_deref(), size_bytes) {
        Part::Whole => (StatusCode::OK, 0..size_bytes),
        Part::Bytes(part) => (StatusCode::PARTIAL_CONTENT, part),
        Part::Nothing => return unsatisfiable(size_bytes),
    };
    head.size_bytes = Some(part.end - part.start);
    let body = content.body(part.clone(), source.clone(), place);
    let mut response = head.answer(ask, status, body);
    if status == StatusCode::PARTIAL_CONTENT {
        content_range(&mut response, &part, size_bytes);
    }
    response
}

struct Reading {
    walker: FileWalker,
    /// The root's block, which was needed for the head.
    first: Option<Bytes>,
    ahead: Ahead,
    _place: OwnedSemaphorePermit,
}

impl Reading {
    /// The next bytes. An error ends the connection, so that nobody takes a part for the whole.
    async fn step(mut self) -> Result<Option<(Bytes, Self)>, io::Error> {
        while let Some(cid) = self.walker.wanted() {
            let bytes = match self.first.take() {
                Some(first) => Ok(first),
                None => {
                    let wanted: Vec<_> = self.walker.upcoming().take(WINDOW).collect();
                    self.ahead.first(&wanted).await
                }
            };
            let given = bytes.and_then(|bytes| self.walker.give(cid, bytes).map_err(Refusal::from));
            let piece = given.map_err(|refusal| cut("file", cid, &refusal))?;
            if !piece.is_empty() {
                return Ok(Some((piece, self)));
            }
        }
        Ok(None)
    }
}

/// The error that ends an answer in its middle.
pub(super) fn cut(what: &str, cid: Cid, refusal: &Refusal) -> io::Error {
    tracing::debug!(%cid, reason = refusal.message, "a {what} was cut off");
    io::Error::other(refusal.message.clone())
}
