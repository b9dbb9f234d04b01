//! One request and its answer over one connection: HTTP/1.1 (RFC 9112), as little as we need.

use super::{Body, body::Decoder, unreadable};
use crate::{ApiError, Code};
use bytes::{Buf, Bytes, BytesMut};
use futures::{
    AsyncReadExt, AsyncWriteExt, FutureExt, StreamExt,
    future::{BoxFuture, Either, select},
    io::{ReadHalf, WriteHalf},
    pin_mut, stream,
};
use protocol::port::{Events, Stream};
use std::{io, sync::Arc};
use zeroize::Zeroizing;

const HEAD_BYTES: usize = 16 << 10;
const READ_BYTES: usize = 64 << 10;
/// Bytes of a piece that is not copied on its way out.
const SMALL_BYTES: usize = 16 << 10;

/// A request.
pub(super) struct Request {
    pub(super) method: &'static str,
    pub(super) path: String,
    pub(super) host: String,
    pub(super) token: Arc<Zeroizing<String>>,
    /// What the node's log calls it.
    pub(super) request: Option<String>,
    pub(super) media: &'static str,
    pub(super) body: Body,
}

/// An answer whose body is still to come.
pub(super) struct Response {
    pub(super) status: u16,
    pub(super) body: Events<Result<Bytes, ApiError>>,
}

/// Why a request was not sent whole.
enum Unsent {
    /// What should have been sent cannot be had.
    Source(ApiError),
    /// The node does not take it, perhaps because it has answered already.
    Io(io::Error),
}

type Sending = BoxFuture<'static, Result<(), Unsent>>;

/// Sends a request and reads the head of its answer. The body is sent on while the answer is read,
/// so a node may answer before it has read everything.
pub(super) async fn exchange(stream: Stream, request: Request) -> Result<Response, ApiError> {
    let (reader, writer) = stream.split();
    let mut inbox = Inbox { reader, buffer: BytesMut::new() };
    let sending = send(writer, request).boxed();
    let (head, sending) = {
        let head = inbox.head();
        pin_mut!(head);
        match select(sending, head).await {
            Either::Left((Ok(()), head)) => (head.await, None),
            Either::Left((Err(Unsent::Source(error)), _)) => return Err(error),
            Either::Left((Err(Unsent::Io(error)), head)) => {
                (head.await.map_err(|_| cut(&error)), None)
            }
            Either::Right((head, sending)) => (head, Some(sending)),
        }
    };
    let Head { status, decoder } = head?;
    let answer = Incoming { inbox, decoder, sending };
    let body = stream::unfold(Some(answer), |answer| async move {
        let mut answer = answer?;
        match answer.piece().await {
            Ok(Some(piece)) => Some((Ok(piece), Some(answer))),
            Ok(None) => None,
            Err(error) => Some((Err(error), None)),
        }
    });
    Ok(Response { status, body: body.boxed() })
}

fn cut(error: &io::Error) -> ApiError {
    ApiError::new(Code::Cut, format!("the connection to the node broke: {error}"))
        .next("does it still run? see: polity node describe")
}

async fn send(mut writer: WriteHalf<Stream>, request: Request) -> Result<(), Unsent> {
    let Request { method, path, host, token, request, media, body } = request;
    let mut head = Zeroizing::new(format!(
        "{method} {path} HTTP/1.1\r\nhost: {host}\r\nauthorization: Bearer {}\r\n\
         connection: close\r\naccept: */*\r\n",
        token.as_str()
    ));
    if let Some(request) = request {
        head.push_str(&format!("{}: {request}\r\n", crate::path::REQUEST_ID));
    }
    match &body {
        Body::Empty => head.push_str("content-length: 0\r\n\r\n"),
        Body::Whole(bytes) => {
            let length = bytes.len();
            head.push_str(&format!("content-type: {media}\r\ncontent-length: {length}\r\n\r\n"));
        }
        Body::Stream(_) => {
            head.push_str(&format!("content-type: {media}\r\ntransfer-encoding: chunked\r\n\r\n"));
        }
    }
    writer.write_all(head.as_bytes()).await.map_err(Unsent::Io)?;
    match body {
        Body::Empty => {}
        Body::Whole(bytes) => writer.write_all(&bytes).await.map_err(Unsent::Io)?,
        Body::Stream(pieces) => send_chunks(&mut writer, pieces).await?,
    }
    writer.flush().await.map_err(Unsent::Io)
}

/// Sends pieces as chunks (RFC 9112, section 7.1). Small ones that are there at once go together,
/// and with the next large one: every write is a packet.
async fn send_chunks(
    writer: &mut WriteHalf<Stream>,
    mut pieces: Events<Result<Bytes, ApiError>>,
) -> Result<(), Unsent> {
    // Ends of the chunk before, and small pieces that wait.
    let (mut end, mut small) = ("", Vec::new());
    loop {
        let piece = match pieces.next().now_or_never() {
            Some(piece) => piece,
            None => {
                send_chunk(writer, &mut end, &mut small, &[]).await?;
                pieces.next().await
            }
        };
        let piece = match piece {
            Some(Ok(piece)) => piece,
            Some(Err(error)) => {
                // The node gets what came before. Why nothing follows is what counts.
                let _sent = send_chunk(writer, &mut end, &mut small, &[]).await;
                return Err(Unsent::Source(error));
            }
            None => break,
        };
        if piece.len() < SMALL_BYTES {
            small.extend_from_slice(&piece);
        }
        let large = if piece.len() < SMALL_BYTES { &[][..] } else { &piece };
        if !large.is_empty() || small.len() >= READ_BYTES {
            send_chunk(writer, &mut end, &mut small, large).await?;
        }
    }
    send_chunk(writer, &mut end, &mut small, &[]).await?;
    writer.write_all(format!("{end}0\r\n\r\n").as_bytes()).await.map_err(Unsent::Io)
}

/// Sends what waits and a large piece as one chunk, but for its end. No bytes are no chunk: that
/// would be the last.
async fn send_chunk(
    writer: &mut WriteHalf<Stream>,
    end: &mut &'static str,
    small: &mut Vec<u8>,
    large: &[u8],
) -> Result<(), Unsent> {
    let size_bytes = small.len() + large.len();
    if size_bytes == 0 {
        return Ok(());
    }
    let mut begin = format!("{end}{size_bytes:x}\r\n").into_bytes();
    begin.append(small);
    *end = "\r\n";
    writer.write_all(&begin).await.map_err(Unsent::Io)?;
    writer.write_all(large).await.map_err(Unsent::Io)
}

struct Head {
    status: u16,
    decoder: Decoder,
}

struct Inbox {
    reader: ReadHalf<Stream>,
    buffer: BytesMut,
}

impl Inbox {
    /// Reads some bytes; false at the end.
    async fn fill(&mut self) -> Result<bool, ApiError> {
        let have = self.buffer.len();
        self.buffer.resize(have + READ_BYTES, 0);
        let read = self.reader.read(&mut self.buffer[have..]).await;
        self.buffer.truncate(have + *read.as_ref().unwrap_or(&0));
        read.map(|read| read > 0).map_err(|error| cut(&error))
    }

    async fn head(&mut self) -> Result<Head, ApiError> {
        loop {
            if let Some((used, head)) = parse_head(&self.buffer)? {
                self.buffer.advance(used);
                return Ok(head);
            }
            if self.buffer.len() > HEAD_BYTES {
                return Err(unreadable("headers of more than 16 KiB"));
            }
            if !self.fill().await? {
                return Err(cut(&io::ErrorKind::UnexpectedEof.into()));
            }
        }
    }
}

/// The head and its length, if it is whole.
fn parse_head(bytes: &[u8]) -> Result<Option<(usize, Head)>, ApiError> {
    let mut headers = [httparse::EMPTY_HEADER; 64];
    let mut response = httparse::Response::new(&mut headers);
    let used = match response.parse(bytes).map_err(unreadable)? {
        httparse::Status::Complete(used) => used,
        httparse::Status::Partial => return Ok(None),
    };
    let status = response.code.ok_or_else(|| unreadable("no status"))?;
    let header = |name: &str| {
        let found = response.headers.iter().find(|header| header.name.eq_ignore_ascii_case(name));
        found.map(|header| String::from_utf8_lossy(header.value))
    };
    let chunked =
        header("transfer-encoding").is_some_and(|value| value.eq_ignore_ascii_case("chunked"));
    let decoder = match (chunked, header("content-length")) {
        (true, _) => Decoder::Size,
        (false, Some(length)) => {
            Decoder::Length(length.parse().map_err(|_| unreadable("a length that is no number"))?)
        }
        (false, None) => Decoder::UntilClose,
    };
    Ok(Some((used, Head { status, decoder })))
}

/// An answer that comes in, perhaps while the request still goes out.
struct Incoming {
    inbox: Inbox,
    decoder: Decoder,
    sending: Option<Sending>,
}

impl Incoming {
    async fn piece(&mut self) -> Result<Option<Bytes>, ApiError> {
        loop {
            if let Some(piece) = self.decoder.piece(&mut self.inbox.buffer)? {
                return Ok(Some(piece));
            }
            if self.decoder.is_done() {
                return Ok(None);
            }
            if !self.fill().await? {
                return match self.decoder.may_close() {
                    true => Ok(None),
                    false => Err(cut(&io::ErrorKind::UnexpectedEof.into())),
                };
            }
        }
    }

    async fn fill(&mut self) -> Result<bool, ApiError> {
        let fill = self.inbox.fill();
        let Some(sending) = self.sending.take() else { return fill.await };
        pin_mut!(fill);
        match select(sending, fill).await {
            Either::Left((Err(Unsent::Source(error)), _)) => Err(error),
            // If the node takes no more, its answer says why.
            Either::Left((_, fill)) => fill.await,
            Either::Right((filled, sending)) => {
                self.sending = Some(sending);
                filled
            }
        }
    }
}
