//! Directories as pages: plain, readable, and without scripts.

use super::{
    ahead::{Ahead, Source, WINDOW},
    ask::Ask,
    file::cut,
    head::{FOR_NOW, Head},
    refusal::Refusal,
    resolve::Way,
};
use axum::{
    body::{Body, Bytes},
    http::{HeaderValue, StatusCode, header},
    response::Response,
};
use futures::stream;
use objects::{DirectoryWalker, Entry};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use std::{fmt::Write as _, io};
use tokio::sync::OwnedSemaphorePermit;

/// Of the page; changes when the page does.
const VERSION: u32 = 1;
/// Entries that are read before the page begins, so that they can be sorted.
const SORTED: usize = 20_000;
/// Entries that are passed over at most.
const ENTRIES: u64 = 1 << 32;
/// What stands for itself in a link.
const KEPT: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');
const STYLE: &str = "body{font-family:sans-serif;margin:2em}\
                     td,th{text-align:left;padding:.1em 1.5em .1em 0}\
                     td:nth-child(2){text-align:right}td:nth-child(3){font-family:monospace}";
/// Nothing but the page itself: no scripts, no pictures, no forms.
const POLICY: &str = "default-src 'none'; style-src data:; base-uri 'none'; \
                      form-action 'none'; frame-ancestors 'none'";

struct Page {
    walker: DirectoryWalker,
    ahead: Ahead,
    entries: Vec<Entry>,
    text: String,
    /// Whether everything before the entries was written.
    begun: bool,
    ended: bool,
    _place: OwnedSemaphorePermit,
}

/// Answers with a page of what is in the directory at the end of `way`.
pub(super) async fn answer(
    ask: &Ask,
    way: Way,
    source: &Source,
    place: OwnedSemaphorePermit,
) -> Result<Response, Refusal> {
    let cid = way.end.cid;
    let head = Head {
        etag: format!("\"DirIndex-{VERSION}_CID-{cid}\""),
        cache: FOR_NOW,
        media: "text/html; charset=utf-8".into(),
        disposition: None,
        roots: way.end.roots,
        size_bytes: None,
        ranges: false,
    };
    let mut response = if ask.head || ask.has(&head.etag) {
        head.answer(ask, StatusCode::OK, Body::empty())
    } else {
        let mut page = Page {
            walker: DirectoryWalker::new(cid, ENTRIES),
            ahead: Ahead::new(source.clone()),
            entries: Vec::new(),
            text: begin(ask),
            begun: false,
            ended: false,
            _place: place,
        };
        page.entries = page.walker.give(cid, way.end.bytes)?;
        while page.entries.len() < SORTED && page.read().await? {}
        page.entries.sort_unstable_by(|a, b| a.name.cmp(&b.name));
        let body = Body::from_stream(stream::try_unfold(page, Page::step));
        head.answer(ask, StatusCode::OK, body)
    };
    let policy = HeaderValue::from_static(POLICY);
    response.headers_mut().insert(header::CONTENT_SECURITY_POLICY, policy);
    Ok(response)
}

impl Page {
    /// Reads the next block; false at the end.
    async fn read(&mut self) -> Result<bool, Refusal> {
        let wanted: Vec<_> = self.walker.upcoming().take(WINDOW).collect();
        let Some(cid) = wanted.first().copied() else { return Ok(false) };
        let bytes = self.ahead.first(&wanted).await?;
        self.entries.extend(self.walker.give(cid, bytes)?);
        Ok(true)
    }

    async fn step(mut self) -> Result<Option<(Bytes, Self)>, io::Error> {
        if self.ended {
            return Ok(None);
        }
        if self.begun
            && let Some(cid) = self.walker.wanted()
        {
            self.read().await.map_err(|refusal| cut("listing", cid, &refusal))?;
        }
        if !self.begun && self.walker.wanted().is_some() {
            let note = "<p>There are very many names here: only the first are sorted.</p>\n";
            self.text.push_str(note);
        }
        if !self.begun {
            self.text.push_str("<table>\n<tr><th>Name<th>Bytes of its blocks<th>CID\n");
        }
        self.begun = true;
        for entry in self.entries.drain(..) {
            row(&mut self.text, &entry);
        }
        if self.walker.wanted().is_none() {
            self.text.push_str("</table>\n");
            self.ended = true;
        }
        let text = std::mem::take(&mut self.text);
        Ok(Some((text.into(), self)))
    }
}

/// Everything before the entries.
fn begin(ask: &Ask) -> String {
    let mut path = String::from("/ipfs/");
    path.push_str(ask.path.split('/').nth(2).unwrap_or_default());
    for segment in &ask.segments {
        path.push('/');
        path.push_str(segment);
    }
    let path = escaped(&path);
    let style = utf8_percent_encode(STYLE, KEPT);
    let parent = if ask.segments.is_empty() { "" } else { "<p><a href=\"../\">..</a></p>\n" };
    format!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width\">\n<title>{path}</title>\n\
         <link rel=\"stylesheet\" href=\"data:text/css,{style}\">\n\
         <h1>Index of {path}</h1>\n{parent}"
    )
}

fn row(text: &mut String, entry: &Entry) {
    let link = utf8_percent_encode(&entry.name, KEPT);
    let (name, cid, size_bytes) = (escaped(&entry.name), entry.cid, entry.size_bytes);
    // Writing to a string cannot fail.
    let _ = writeln!(
        text,
        "<tr><td><a href=\"./{link}\">{name}</a><td>{size_bytes}\
         <td><a href=\"/ipfs/{cid}?filename={link}\">{cid}</a>"
    );
}

/// A text that stands for itself in HTML, in attributes too.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            // Letters that turn the direction of writing would make one name look like another.
            '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => out.push('\u{fffd}'),
            c if c.is_control() => out.push('\u{fffd}'),
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use objects::{Cid, Codec};

    #[test]
    fn no_name_gets_out_of_its_place() {
        let name = "\"><script>alert('&')</script>\u{202e}\n%2e?#:";
        let cid = Cid::of(Codec::Raw, b"x");
        let mut text = String::new();
        row(&mut text, &Entry { name: name.into(), cid, size_bytes: 1 });
        assert!(!text.contains("<script") && !text.contains('\''), "{text}");
        assert!(text.contains("&quot;&gt;&lt;script&gt;alert(&#39;&amp;&#39;)"), "{text}");
        assert!(text.contains("%252e%3F%23%3A\">"), "{text}");
        assert_eq!(text.lines().count(), 1);
    }
}
