//! The paths of the store.

use crate::{
    handle::{Answer, Door, Part, Whole, events_response, json, malformed, parse, question},
    reply::Failure,
};
use api::{
    ApiError, Code,
    path::{PinsQuery, UnpinQuery},
};
use axum::{
    body::{Body, BodyDataStream},
    extract::{Query, State, rejection::QueryRejection},
};
use futures::{StreamExt, stream};
use objects::{Block, Cid, car};
use std::time::Duration;

pub(crate) async fn put(State(door): State<Door>, body: Body) -> Answer {
    let sections = Sections {
        body: body.into_data_stream(),
        // The store checks every block.
        reader: car::Reader::unchecked(),
        silence: door.silence,
    };
    let blocks = stream::unfold(Some(sections), |sections| async move {
        let mut sections = sections?;
        match sections.next().await {
            Ok(Some(block)) => Some((Ok((block.cid, block.bytes)), Some(sections))),
            Ok(None) => match sections.reader.finish() {
                Ok(()) => None,
                Err(error) => Some((Err(unreadable(error)), None)),
            },
            Err(error) => Some((Err(error), None)),
        }
    });
    json(&door.api.put(blocks.boxed()).await?)
}

/// Blocks that arrive in the body of a request.
struct Sections {
    body: BodyDataStream,
    reader: car::Reader,
    silence: Duration,
}

impl Sections {
    async fn next(&mut self) -> Result<Option<Block>, ApiError> {
        loop {
            match self.reader.next_part().map_err(unreadable)? {
                Some(car::Part::Block(block)) => return Ok(Some(block)),
                Some(car::Part::Roots(_)) => continue,
                None => {}
            }
            let piece = tokio::time::timeout(self.silence, self.body.next()).await;
            match piece.map_err(|_| cut("nothing came for too long"))? {
                Some(Ok(bytes)) => self.reader.push(&bytes),
                Some(Err(error)) => return Err(cut(error)),
                None => return Ok(None),
            }
        }
    }
}

fn cut(reason: impl ToString) -> ApiError {
    let message = format!("the blocks stopped in the middle: {}", reason.to_string());
    ApiError::new(Code::Cut, message).next("send them again; what is here already is kept")
}

fn unreadable(error: objects::Error) -> ApiError {
    match error {
        objects::Error::Mismatch(_) => ApiError::new(Code::ContentMismatch, error.to_string()),
        other => malformed(other),
    }
}

type Asked<T> = Result<Query<T>, QueryRejection>;

pub(crate) async fn pins(State(door): State<Door>, query: Asked<PinsQuery>) -> Answer {
    let PinsQuery { label, after_label, after_root } = asked(query)?;
    let after = match (after_label, after_root) {
        (Some(label), Some(root)) => Some((label, root)),
        (None, None) => None,
        _ => return Err(malformed("after_label and after_root go together").into()),
    };
    json(&door.api.pins(label, after).await?)
}

pub(crate) async fn unpin(
    State(door): State<Door>,
    root: Part,
    query: Asked<UnpinQuery>,
) -> Answer {
    let UnpinQuery { label } = asked(query)?;
    door.api.unpin(label, parse::<Cid>(root)?).await?;
    json(&())
}

pub(crate) async fn stock(State(door): State<Door>) -> Answer {
    json(&door.api.stock().await?)
}

pub(crate) async fn whereabouts(State(door): State<Door>, cid: Part) -> Answer {
    json(&door.api.whereabouts(parse::<Cid>(cid)?).await?)
}

pub(crate) async fn chore(State(door): State<Door>, body: Whole) -> Answer {
    let chore = question(body)?;
    Ok(events_response(door.api.chore(chore).await?))
}

fn asked<T>(query: Asked<T>) -> Result<T, Failure> {
    let Query(asked) = query.map_err(|rejection| malformed(rejection.body_text()))?;
    Ok(asked)
}
