//! A request, read and bounded.

use super::{
    accept::{self, Format},
    entity_bytes::EntityBytes,
    refusal::Refusal,
};
use axum::{
    extract::Query,
    http::{HeaderMap, HeaderName, StatusCode, Uri, header},
};
use objects::{Cid, MAX_SEGMENTS};
use percent_encoding::percent_decode_str;

/// Where content is.
const PREFIX: &str = "/ipfs/";
/// The CID of no bytes under the identity hash: the probe for a gateway.
const PROBE: &str = "bafkqaaa";

/// What a path begins with.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Root {
    /// Content.
    Cid(Cid),
    /// Nothing: somebody wants to know whether this is a gateway.
    Probe,
}

/// Which blocks a CAR stream has beside those of its path.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Scope {
    /// The one at the end of the path.
    Block,
    /// Those of the file or of the directory there.
    Entity,
    /// All below it.
    All,
}

impl Scope {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Block => "block",
            Self::Entity => "entity",
            Self::All => "all",
        }
    }
}

/// What is asked of a CAR stream.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct CarAsk {
    pub(super) scope: Scope,
    pub(super) bytes: Option<EntityBytes>,
    /// Whether a block comes again where it is linked to again.
    pub(super) repeats: bool,
}

/// A request.
#[derive(Clone, Debug)]
pub(super) struct Ask {
    pub(super) root: Root,
    /// The parts of the path after the CID, decoded.
    pub(super) segments: Vec<String>,
    /// Whether the path ends with a slash.
    pub(super) slash: bool,
    /// The path as it was sent.
    pub(super) path: String,
    /// What follows the question mark, as it was sent.
    pub(super) query: Option<String>,
    pub(super) format: Format,
    /// Whether only the header chose the format.
    pub(super) negotiated: bool,
    pub(super) car: CarAsk,
    /// The name to save under.
    pub(super) filename: Option<String>,
    pub(super) download: bool,
    /// Whether only what is here already may be given.
    pub(super) cached: bool,
    /// Only the head of the answer is wanted.
    pub(super) head: bool,
    pub(super) if_none_match: Option<String>,
    pub(super) range: Option<String>,
}

type Pairs = Vec<(String, String)>;

impl Ask {
    /// Reads a request.
    ///
    /// # Errors
    /// 404 outside `/ipfs/`, 406 for forms that are not given here, 400 for what cannot be read.
    pub(super) fn read(uri: &Uri, headers: &HeaderMap, head: bool) -> Result<Self, Refusal> {
        let rest = uri.path().strip_prefix(PREFIX).filter(|rest| !rest.is_empty());
        let rest = rest.ok_or_else(|| {
            Refusal::new(
                StatusCode::NOT_FOUND,
                "there is only /ipfs/{cid} here, and paths below it",
            )
        })?;
        let (root, segments, slash) = path(rest)?;
        if !slash && segments.is_empty() && text(headers, "service-worker") == Some("script") {
            return Err(Refusal::bad("a service worker needs the slash at the end of its scope"));
        }
        let Query(query) =
            Query::<Pairs>::try_from_uri(uri).map_err(|error| Refusal::bad(error.body_text()))?;
        let accepted = accept::accepted(text(headers, header::ACCEPT.as_str()).unwrap_or_default());
        let said = format_of(value(&query, "format"))?;
        let Some(format) = said.or(accepted.format) else {
            let message = "raw blocks, CAR streams (version 1, order dfs), files and listings are \
                           given here; nothing else";
            return Err(Refusal::new(StatusCode::NOT_ACCEPTABLE, message));
        };
        let cache = text(headers, header::CACHE_CONTROL.as_str()).unwrap_or_default();
        let owned = |name: HeaderName| text(headers, name.as_str()).map(String::from);
        Ok(Self {
            root,
            segments,
            slash,
            path: uri.path().to_string(),
            query: uri.query().map(String::from),
            format,
            negotiated: said.is_none() && format != Format::Plain,
            car: car(&query, accepted.repeats)?,
            filename: value(&query, "filename").filter(|name| !name.is_empty()).map(String::from),
            download: value(&query, "download") == Some("true"),
            cached: cache.split(',').any(|part| part.trim().eq_ignore_ascii_case("only-if-cached")),
            head,
            if_none_match: owned(header::IF_NONE_MATCH),
            // What the client has a part of is always the same: the CID is in the path.
            range: owned(header::RANGE),
        })
    }

    /// Whether the client has what this tag names (RFC 9110, section 13.1.2).
    pub(super) fn has(&self, etag: &str) -> bool {
        let tags = self.if_none_match.as_deref().unwrap_or_default().split(',').map(str::trim);
        tags.map(|tag| tag.strip_prefix("W/").unwrap_or(tag)).any(|tag| tag == "*" || tag == etag)
    }
}

fn path(rest: &str) -> Result<(Root, Vec<String>, bool), Refusal> {
    let mut parts = rest.split('/');
    let first = parts.next().unwrap_or_default();
    let root = match first {
        PROBE => Root::Probe,
        text => Root::Cid(text.parse::<Cid>().map_err(|error| Refusal::bad(error.to_string()))?),
    };
    let mut segments = Vec::new();
    for part in parts {
        if segments.len() > MAX_SEGMENTS {
            return Err(Refusal::bad(format!("a path of over {MAX_SEGMENTS} parts")));
        }
        let decoded = percent_decode_str(part).decode_utf8();
        let decoded = decoded.map_err(|_| Refusal::bad("a part of the path is not UTF-8"))?;
        segments.push(decoded.into_owned());
    }
    let slash = segments.pop_if(|last| last.is_empty()).is_some();
    Ok((root, segments, slash))
}

fn format_of(said: Option<&str>) -> Result<Option<Format>, Refusal> {
    match said {
        None => Ok(None),
        Some("raw") => Ok(Some(Format::Raw)),
        Some("car") => Ok(Some(Format::Car)),
        Some(other) => {
            Err(Refusal::bad(format!("format={other}: only raw and car are given here")))
        }
    }
}

fn car(query: &Pairs, accepted: Option<bool>) -> Result<CarAsk, Refusal> {
    let [version, order, dups] = ["car-version", "car-order", "car-dups"].map(|n| value(query, n));
    if !accept::car_can_be(version, order, dups) {
        return Err(Refusal::bad("CAR streams here have version 1, order dfs, and dups y or n"));
    }
    let bytes = value(query, "entity-bytes").map(str::parse).transpose()?;
    let scope = match value(query, "dag-scope") {
        None | Some("all") if bytes.is_some() => Scope::Entity,
        None | Some("all") => Scope::All,
        Some("entity") => Scope::Entity,
        Some("block") => Scope::Block,
        Some(other) => {
            let message = format!("dag-scope={other}: expected block, entity or all");
            return Err(Refusal::bad(message));
        }
    };
    let repeats = dups.map(|dups| dups == "y").or(accepted).unwrap_or(false);
    Ok(CarAsk { scope, bytes, repeats })
}

fn value<'a>(query: &'a Pairs, wanted: &str) -> Option<&'a str> {
    query.iter().find(|(name, _)| name == wanted).map(|(_, value)| value.as_str())
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}
