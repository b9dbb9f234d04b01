//! One stream to a member: questions one after the other, each with its answer.

use super::{
    Answer, Ask, Wire,
    message::{ANSWER_BYTES, CLUSTER, Hello, decode, encode},
};
use crate::{Error, members::LeftBehind, seen::Odd};
use futures::io::{AsyncReadExt, ReadHalf, WriteHalf};
use identity::PublicKey;
use protocol::port::{Stream, StreamError, read_frame, write_frame};
use std::{future::Future, io};

/// Why a member does not answer.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Silence {
    #[error(transparent)]
    Unreachable(#[from] StreamError),
    #[error("the stream broke: {0}")]
    Broken(#[from] io::Error),
    #[error("it closed the stream")]
    Closed,
    #[error("it took too long")]
    TooLong,
    #[error(transparent)]
    Nonsense(#[from] Error),
    #[error("{0}")]
    Odd(Odd),
    #[error("{0}")]
    Refused(String),
}

/// An open stream.
pub(crate) struct Line {
    pub(super) reader: ReadHalf<Stream>,
    pub(super) writer: WriteHalf<Stream>,
}

impl Line {
    /// Opens a stream and looks at how the member stands.
    pub(crate) async fn open(wire: &Wire, to: PublicKey) -> Result<Self, Silence> {
        let opening = async {
            let stream = wire.streams.open(to, CLUSTER).await?;
            let (reader, writer) = stream.split();
            let mut line = Self { reader, writer };
            let hello = Hello { cluster: wire.cluster(), standing: wire.standing() };
            write_frame(&mut line.writer, &encode(&hello)).await?;
            match line.ask_patiently(&Ask::Standing).await? {
                Answer::Standing(standing) => {
                    wire.seen.check(to, &standing, wire.glance.vote()).map_err(Silence::Odd)?;
                    Ok(line)
                }
                Answer::Recovered { into, at } => {
                    let behind = LeftBehind { by: to, into, at };
                    wire.fell_behind(behind);
                    Err(Silence::Refused(behind.to_string()))
                }
                other => Err(Silence::Refused(other.reason())),
            }
        };
        in_time(wire, opening).await
    }

    /// Asks, and waits for the answer.
    pub(crate) async fn ask(&mut self, wire: &Wire, ask: &Ask) -> Result<Answer, Silence> {
        in_time(wire, self.ask_patiently(ask)).await
    }

    /// The same for as long as it takes.
    pub(crate) async fn ask_patiently(&mut self, ask: &Ask) -> Result<Answer, Silence> {
        write_frame(&mut self.writer, &encode(ask)).await?;
        read_answer(&mut self.reader).await
    }
}

pub(super) async fn read_answer(reader: &mut ReadHalf<Stream>) -> Result<Answer, Silence> {
    let frame = read_frame(reader, ANSWER_BYTES).await?.ok_or(Silence::Closed)?;
    Ok(decode(&frame, ANSWER_BYTES)?)
}

pub(super) async fn in_time<T>(
    wire: &Wire,
    doing: impl Future<Output = Result<T, Silence>>,
) -> Result<T, Silence> {
    tokio::time::timeout(wire.patience, doing).await.unwrap_or(Err(Silence::TooLong))
}
