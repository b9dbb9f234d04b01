//! A submission out of the frames of a request's body.

use api::{
    ApiError, Code, Submission,
    frame::{Frame, FrameError, FrameReader},
};
use axum::body::{Body, BodyDataStream};
use bytes::Bytes;
use futures::{StreamExt, stream};
use objects::Cid;
use std::time::Duration;

/// Frames that arrive in the body of a request.
struct Frames {
    body: BodyDataStream,
    reader: FrameReader,
    silence: Duration,
}

impl Frames {
    async fn next(&mut self) -> Result<Frame, ApiError> {
        loop {
            if let Some(frame) = self.reader.frame().map_err(unreadable)? {
                return Ok(frame);
            }
            if !self.fill().await? {
                self.reader.finish().map_err(unreadable)?;
                return Err(unreadable(FrameError::Order));
            }
        }
    }

    /// Takes the next piece of the body; false at its end.
    async fn fill(&mut self) -> Result<bool, ApiError> {
        let piece = tokio::time::timeout(self.silence, self.body.next()).await;
        match piece.map_err(|_| cut("nothing came for too long"))? {
            Some(Ok(bytes)) => self.reader.push(&bytes),
            Some(Err(error)) => return Err(cut(&error.to_string())),
            None => return Ok(false),
        }
        Ok(true)
    }

    /// The body ends where the frames end.
    async fn end(&mut self) -> Result<(), ApiError> {
        loop {
            if self.reader.frame().map_err(unreadable)?.is_some() {
                return Err(unreadable(FrameError::Order));
            }
            if !self.fill().await? {
                return Ok(());
            }
        }
    }

    async fn next_blob(&mut self) -> Result<Option<(Cid, Bytes)>, ApiError> {
        match self.next().await? {
            Frame::Blob(cid, bytes) => Ok(Some((cid, bytes))),
            Frame::End => self.end().await.map(|()| None),
            Frame::Order(_) | Frame::After(_) => Err(unreadable(FrameError::Order)),
        }
    }
}

/// Reads the order and what it is held for; the blobs are read as the node takes them.
pub(crate) async fn read(body: Body, silence: Duration) -> Result<Submission, ApiError> {
    let reader = FrameReader::default();
    let mut frames = Frames { body: body.into_data_stream(), reader, silence };
    let (after, first) = match frames.next().await? {
        Frame::After(jobs) => (jobs, frames.next().await?),
        first => (Vec::new(), first),
    };
    let Frame::Order(order) = first else { return Err(unreadable(FrameError::Order)) };
    let blobs = stream::unfold(Some(frames), |frames| async move {
        let mut frames = frames?;
        match frames.next_blob().await {
            Ok(Some(blob)) => Some((Ok(blob), Some(frames))),
            Ok(None) => None,
            Err(error) => Some((Err(error), None)),
        }
    });
    Ok(Submission { order: *order, after, blobs: blobs.boxed() })
}

fn cut(reason: &str) -> ApiError {
    ApiError::new(Code::Cut, format!("the submission stopped in the middle: {reason}"))
        .next("submit again; nothing was admitted")
}

fn unreadable(error: FrameError) -> ApiError {
    match error {
        FrameError::Cut => cut("its end is missing"),
        FrameError::Length(_) => ApiError::new(Code::TooLarge, error.to_string()),
        other => ApiError::new(Code::Malformed, other.to_string()),
    }
}
