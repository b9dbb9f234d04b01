//! Content as people want it: files, listings, what a link says.

use super::{
    ahead::Source,
    ask::Ask,
    disposition::disposition,
    file::{self, Content},
    head::{FOR_EVER, Head},
    listing, media,
    refusal::Refusal,
    resolve::{Way, resolve},
};
use axum::{
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use objects::{Node, Resolved};
use tokio::sync::OwnedSemaphorePermit;

/// The page of a directory that has one of its own.
const INDEX: &str = "index.html";

/// Answers with what is at the end of `way`.
pub(super) async fn answer(
    ask: &Ask,
    way: Way,
    source: &Source,
    place: OwnedSemaphorePermit,
) -> Result<Response, Refusal> {
    let end = &way.end;
    match &end.node {
        Some(Node::Directory(_) | Node::Shard(_)) if !ask.slash => Ok(to_slash(ask)),
        Some(Node::Directory(_) | Node::Shard(_)) => match index(source, end).await? {
            Some(page) => {
                // What was asked for is the directory: its CID is the tag.
                let head = head(ask, end, Some(INDEX));
                Ok(file::answer(ask, head, content(&page), source, place))
            }
            None => listing::answer(ask, way, source, place).await,
        },
        _ if ask.slash => {
            Err(Refusal::new(StatusCode::NOT_FOUND, format!("{} is no directory", end.cid)))
        }
        Some(Node::Symlink(target)) => {
            let mut head = head(ask, end, None);
            head.media = "inode/symlink".into();
            let content = Content::Here(target.clone().into());
            Ok(file::answer(ask, head, content, source, place))
        }
        Some(Node::Raw(_) | Node::File(_)) => {
            let name = ask.segments.last().map(String::as_str);
            let head = head(ask, end, name);
            Ok(file::answer(ask, head, content(end), source, place))
        }
        None => {
            let mut head = head(ask, end, None);
            head.media = "application/vnd.ipld.dag-cbor".into();
            let name = format!("{}.cbor", end.cid);
            let name = ask.filename.as_deref().unwrap_or(&name);
            head.disposition = Some(disposition(true, Some(name)));
            let content = Content::Here(end.bytes.clone());
            Ok(file::answer(ask, head, content, source, place))
        }
    }
}

/// The page that a directory has itself, if it is a file.
async fn index(source: &Source, directory: &Resolved) -> Result<Option<Resolved>, Refusal> {
    match resolve(source, directory.cid, vec![INDEX.into()]).await {
        Ok(Way { end, .. }) => {
            Ok(matches!(end.node, Some(Node::Raw(_) | Node::File(_))).then_some(end))
        }
        // There is none. A block that cannot be had is said to be missing in the same way, but the
        // directory may still be listed.
        Err(refusal) if refusal.status == StatusCode::NOT_FOUND => Ok(None),
        Err(refusal) => Err(refusal),
    }
}

fn content(file: &Resolved) -> Content {
    match &file.node {
        Some(Node::File(node)) => Content::File(file.cid, file.bytes.clone(), node.size_bytes),
        _ => Content::Here(file.bytes.clone()),
    }
}

fn head(ask: &Ask, end: &Resolved, name: Option<&str>) -> Head {
    let asked = ask.filename.as_deref();
    let start: &[u8] = match &end.node {
        Some(Node::Raw(bytes)) => bytes,
        // Of most larger files, which have all of it in their leaves, nothing is here yet.
        Some(Node::File(file)) => &file.data,
        _ => &[],
    };
    Head {
        etag: format!("\"{}\"", end.cid),
        cache: FOR_EVER,
        media: media::media(asked.or(name), start).into(),
        disposition: (ask.download || asked.is_some()).then(|| disposition(ask.download, asked)),
        roots: end.roots.clone(),
        size_bytes: None,
        ranges: true,
    }
}

/// Links in a listing or a page are relative to the directory: its path ends with a slash.
fn to_slash(ask: &Ask) -> Response {
    let query = ask.query.as_ref().map(|query| format!("?{query}")).unwrap_or_default();
    let location = format!("{}/{query}", ask.path);
    let mut response = StatusCode::MOVED_PERMANENTLY.into_response();
    if let Ok(location) = HeaderValue::from_str(&location) {
        response.headers_mut().insert(header::LOCATION, location);
    }
    response
}
