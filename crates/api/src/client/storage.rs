//! The store of a node that is somewhere else.

use super::{Body, Client, Connect, collect, happenings, json, unreadable};
use crate::{
    ApiError, Blocks, Chore, Chores, Code, PinInfo, Progress, Received, Reply, Stock, StorageApi,
    Whereabouts,
    path::{self, PinsQuery},
};
use bytes::Bytes;
use futures::{FutureExt, StreamExt, future, stream};
use objects::{Cid, car};

impl<C: Connect> StorageApi for Client<C> {
    fn put(&self, blocks: Blocks) -> Reply<'_, Received> {
        let head = stream::once(future::ready(Ok(Bytes::from(car::header(&[])))));
        let sections = blocks.flat_map(|block| {
            let pieces = match block {
                // The bytes themselves are not copied.
                Ok((cid, bytes)) => vec![Ok(car::section_head(cid, bytes.len()).into()), Ok(bytes)],
                Err(error) => vec![Err(error)],
            };
            stream::iter(pieces)
        });
        let body = Body::Stream(head.chain(sections).boxed());
        async move {
            let response = self.send("POST", path::PUT_PATH.into(), path::CAR, body).await?;
            json(&collect(response.body, path::REQUEST_BYTES).await?)
        }
        .boxed()
    }

    fn pins(&self, label: Option<String>, after: Option<(String, Cid)>) -> Reply<'_, Vec<PinInfo>> {
        let (after_label, after_root) = after.unzip();
        let query = PinsQuery { label, after_label, after_root };
        async move { self.get(with_query(path::PINS_PATH, &query)).await }.boxed()
    }

    fn unpin(&self, label: String, root: Cid) -> Reply<'_, ()> {
        let path = format!("{}/{root}?label={}", path::PINS_PATH, escaped(&label));
        async move {
            let response = self.send("DELETE", path, path::JSON, Body::Empty).await?;
            collect(response.body, path::REQUEST_BYTES).await.map(drop)
        }
        .boxed()
    }

    fn stock(&self) -> Reply<'_, Stock> {
        self.get(path::STOCK_PATH.into()).boxed()
    }

    fn whereabouts(&self, object: Cid) -> Reply<'_, Vec<Whereabouts>> {
        self.get(format!("{}/{object}", path::WHERE_PATH)).boxed()
    }

    fn chore(&self, chore: Chore) -> Reply<'_, Chores> {
        async move {
            let body = Body::Whole(serde_json::to_vec(&chore).map_err(unreadable)?.into());
            let response = self.send("POST", path::CHORES_PATH.into(), path::JSON, body).await?;
            let is_last = |progress: &Progress| matches!(progress, Progress::Done(_));
            Ok(happenings(response.body, is_last, cut))
        }
        .boxed()
    }
}

fn cut() -> ApiError {
    ApiError::new(Code::Cut, "the node stopped answering before this was done")
        .next("do it again: what was done until then stays done")
}

/// A path with what is asked for behind it.
fn with_query(path: &str, query: &PinsQuery) -> String {
    let root = query.after_root.map(|root| root.to_string());
    let pairs = [
        ("label", query.label.as_deref()),
        ("after_label", query.after_label.as_deref()),
        ("after_root", root.as_deref()),
    ];
    let mut text = path.to_string();
    for (name, value) in pairs {
        let Some(value) = value else { continue };
        text.push(if text.contains('?') { '&' } else { '?' });
        text.push_str(&format!("{name}={}", escaped(value)));
    }
    text
}

/// A text as a part of a query (RFC 3986, section 2).
fn escaped(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~/".contains(&byte);
    let escape = |byte: u8| match plain(byte) {
        true => char::from(byte).to_string(),
        false => format!("%{byte:02X}"),
    };
    text.bytes().map(escape).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_query_holds_only_what_is_asked_for_and_escapes_it() {
        assert_eq!(with_query("/x", &PinsQuery::default()), "/x");
        let query = PinsQuery {
            label: Some("a&b c".into()),
            after_label: Some("job/é".into()),
            ..Default::default()
        };
        assert_eq!(with_query("/x", &query), "/x?label=a%26b%20c&after_label=job/%C3%A9");
    }
}
