//! CAR streams: the blocks of a path and of what is at its end, depth first.

use super::{
    ahead::{Ahead, Source, WINDOW},
    ask::{Ask, Scope},
    disposition::disposition,
    file::cut,
    head::{FOR_EVER, Head},
    refusal::Refusal,
    resolve::Way,
};
use axum::{
    body::{Body, Bytes},
    http::StatusCode,
    response::Response,
};
use futures::stream;
use identity::Digest;
use objects::{Cid, DagLimits, DagWalker, DirectoryWalker, Error, FileWalker, Node, car};
use std::{
    collections::{HashSet, VecDeque},
    io,
};
use tokio::sync::OwnedSemaphorePermit;

/// Links in a row that are followed.
const DEPTH: u32 = 4096;
/// Entries of a directory that are passed over to get its blocks.
const ENTRIES: u64 = 1 << 32;
/// Header and body of a stream whose root is nothing: `{"roots": [bafkqaaa], "version": 1}`.
const PROBE: &[u8] = b"\x19\xa2\x65roots\x81\xd8\x2a\x45\x00\x01\x55\x00\x00\x67version\x01";

/// Blocks, in their order.
enum Walk {
    Block(Option<Cid>),
    All(DagWalker),
    File(FileWalker),
    Directory(DirectoryWalker),
}

impl Walk {
    /// The walk over what is at the end of a path.
    fn new(ask: &Ask, way: &Way, blocks: u64) -> Result<Self, Refusal> {
        let end = &way.end;
        let limits = DagLimits { blocks, bytes: u64::MAX, depth: DEPTH };
        let block = Self::Block(Some(end.cid));
        Ok(match ask.car.scope {
            Scope::Block => block,
            Scope::All if ask.car.repeats => Self::All(DagWalker::with_repeats(end.cid, limits)),
            Scope::All => Self::All(DagWalker::new(end.cid, limits)),
            Scope::Entity => match &end.node {
                Some(Node::Raw(_) | Node::File(_)) => {
                    let size_bytes = match &end.node {
                        Some(Node::File(file)) => file.size_bytes,
                        _ => end.bytes.len() as u64,
                    };
                    let range = ask.car.bytes.map(|bytes| bytes.of(size_bytes)).transpose()?;
                    let range = range.unwrap_or(0..size_bytes);
                    Self::File(FileWalker::range(end.cid, size_bytes, range))
                }
                Some(Node::Directory(_) | Node::Shard(_)) => {
                    Self::Directory(DirectoryWalker::new(end.cid, ENTRIES))
                }
                Some(Node::Symlink(_)) | None => block,
            },
        })
    }

    fn wanted(&self) -> Vec<Cid> {
        match self {
            Self::Block(cid) => cid.iter().copied().collect(),
            Self::All(walker) => walker.upcoming().take(WINDOW).collect(),
            Self::File(walker) => walker.upcoming().take(WINDOW).collect(),
            Self::Directory(walker) => walker.upcoming().take(WINDOW).collect(),
        }
    }

    fn give(&mut self, cid: Cid, bytes: &Bytes) -> Result<(), Error> {
        match self {
            Self::Block(wanted) => {
                *wanted = None;
                cid.check(bytes)
            }
            Self::All(walker) => walker.give(cid, bytes),
            Self::File(walker) => walker.give(cid, bytes.clone()).map(drop),
            Self::Directory(walker) => walker.give(cid, bytes.clone()).map(drop),
        }
    }
}

struct Sending {
    /// Pieces that are ready.
    pieces: VecDeque<Bytes>,
    /// Blocks of the path that are still to come.
    path: VecDeque<Cid>,
    /// The block at the end of the path, which was needed for the head.
    end: Option<(Cid, Bytes)>,
    walk: Walk,
    ahead: Ahead,
    /// What was sent, if nothing is to come twice. A walk over everything sees to that itself.
    sent: Option<HashSet<Cid>>,
    /// Blocks that may still be read.
    left: u64,
    _place: OwnedSemaphorePermit,
}

/// Answers with a stream.
pub(super) fn answer(
    ask: &Ask,
    way: Way,
    source: &Source,
    blocks: u64,
    place: OwnedSemaphorePermit,
) -> Result<Response, Refusal> {
    let mut walk = Walk::new(ask, &way, blocks)?;
    // What is wrong with the first block is told by the status, not by a stream that is cut.
    walk.give(way.end.cid, &way.end.bytes)?;
    let head = head(ask, &way);
    if ask.head || ask.has(&head.etag) {
        return Ok(head.answer(ask, StatusCode::OK, Body::empty()));
    }
    let Way { end, before } = way;
    let keeps_sent = matches!(walk, Walk::File(_)) && !ask.car.repeats;
    let sending = Sending {
        pieces: VecDeque::from([car::header(&[end.cid]).into()]),
        path: before.into(),
        sent: keeps_sent.then(|| HashSet::from([end.cid])),
        end: Some((end.cid, end.bytes)),
        walk,
        ahead: Ahead::new(source.clone()),
        left: blocks,
        _place: place,
    };
    let body = Body::from_stream(stream::try_unfold(sending, Sending::step));
    Ok(head.answer(ask, StatusCode::OK, body))
}

/// Answers somebody who wants to know whether CAR streams are given here.
pub(super) fn probe(ask: &Ask) -> Response {
    let head = Head {
        etag: "\"bafkqaaa.car\"".into(),
        cache: FOR_EVER,
        media: media(ask.car.repeats),
        disposition: Some(disposition(true, Some("bafkqaaa.car"))),
        roots: Vec::new(),
        size_bytes: Some(PROBE.len() as u64),
        ranges: false,
    };
    head.answer(ask, StatusCode::OK, Body::from(PROBE))
}

fn media(repeats: bool) -> String {
    format!(
        "{}; version=1; order=dfs; dups={}",
        super::accept::CAR,
        if repeats { 'y' } else { 'n' }
    )
}

fn head(ask: &Ask, way: &Way) -> Head {
    let cid = way.end.cid;
    let scope = ask.car.scope.name();
    // The same blocks are another stream after another path, or for another part of a file.
    let asked = format!("{:?} {:?}", ask.car, ask.segments);
    let variant = Digest::of("polity car variant", &[asked.as_bytes()]).to_string();
    let name = ask.filename.clone().unwrap_or_else(|| format!("{cid}.car"));
    Head {
        etag: format!("\"{scope}.{cid}.car.{}\"", &variant[..16]),
        cache: FOR_EVER,
        media: media(ask.car.repeats),
        disposition: Some(disposition(true, Some(&name))),
        roots: way.end.roots.clone(),
        size_bytes: None,
        ranges: false,
    }
}

impl Sending {
    /// The next bytes. An error ends the connection in the middle of the body, so that nobody
    /// takes a part for the whole.
    async fn step(mut self) -> Result<Option<(Bytes, Self)>, io::Error> {
        loop {
            if let Some(piece) = self.pieces.pop_front() {
                return Ok(Some((piece, self)));
            }
            let wanted = match self.path.front() {
                Some(cid) => vec![*cid],
                None => self.walk.wanted(),
            };
            if let Some((cid, bytes)) = self.end.take_if(|_| self.path.is_empty()) {
                self.add(cid, bytes);
                continue;
            }
            let Some(cid) = wanted.first().copied() else { return Ok(None) };
            match self.read(cid, &wanted).await {
                Ok(Some(bytes)) => self.add(cid, bytes),
                Ok(None) => {}
                Err(refusal) => return Err(cut("CAR stream", cid, &refusal)),
            }
        }
    }

    /// Reads the next block; none if it was sent before.
    async fn read(&mut self, cid: Cid, wanted: &[Cid]) -> Result<Option<Bytes>, Refusal> {
        let left = self.left.checked_sub(1);
        self.left = left.ok_or_else(|| Refusal::bad("more blocks than one stream may have"))?;
        let bytes = self.ahead.first(wanted).await?;
        if self.path.pop_front().is_some() {
            cid.check(&bytes)?;
            return Ok(Some(bytes));
        }
        self.walk.give(cid, &bytes)?;
        let is_new = self.sent.as_mut().is_none_or(|sent| sent.insert(cid));
        Ok(is_new.then_some(bytes))
    }

    fn add(&mut self, cid: Cid, bytes: Bytes) {
        self.pieces.push_back(car::section_head(cid, bytes.len()).into());
        if !bytes.is_empty() {
            self.pieces.push_back(bytes);
        }
    }
}
