//! Authenticated byte streams between nodes.

use super::{Answer, Events};
use bytes::Bytes;
use futures::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use identity::PublicKey;
use std::fmt;

/// A protocol name, negotiated when a stream opens, for instance `/polity/blob/1`.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct Protocol(pub &'static str);

impl fmt::Display for Protocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

/// Bytes both ways.
pub trait Duplex: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Duplex for T {}

/// One open stream to a peer whose key is proven.
pub type Stream = Box<dyn Duplex>;

/// A stream that a peer opened to us.
pub struct Incoming {
    /// The node at the other end; its key was proven when the connection opened.
    pub peer: PublicKey,
    /// The bytes.
    pub stream: Stream,
}

/// A peer came or went.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum PeerEvent {
    /// There is a connection where there was none.
    Up(PublicKey),
    /// The last connection to the peer closed.
    Down(PublicKey),
}

/// What a peer did wrong. Offences are counted; enough of them close the connection for a while.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Offence {
    /// A frame, message or document larger than allowed.
    Oversized,
    /// Bytes that do not decode, or decode to nothing that may be said here.
    Malformed,
    /// A signature that does not hold, or a statement for another network.
    BadSignature,
    /// Content that does not match its CID or digest.
    BadContent,
    /// More requests than a peer may have under way.
    Flooding,
}

/// Why a stream could not be had.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StreamError {
    /// No connection, and none could be made to any address that is known.
    #[error("{0:?} cannot be reached")]
    Unreachable(PublicKey),
    /// The peer does not speak this protocol.
    #[error("{0:?} does not speak {1}")]
    Unsupported(PublicKey, Protocol),
    /// The peer's queue for this protocol is full, or too many streams to it are under way.
    #[error("{0:?} has too many streams under way; try again later")]
    Busy(PublicKey),
    /// It took longer than the network's limit.
    #[error("{0:?} did not answer in time")]
    Timeout(PublicKey),
    /// This protocol has an acceptor already.
    #[error("{0} is accepted elsewhere in this node")]
    Taken(Protocol),
    /// The network is shutting down.
    #[error("the network is closed")]
    Closed,
}

/// Streams between nodes; implemented by `network`, faked in `sim`.
///
/// Every call is cheap to make from any task. Accepted streams wait in a bounded queue; when it is
/// full the opener gets [`StreamError::Busy`].
pub trait Streams: Send + Sync + 'static {
    /// This node's key.
    fn me(&self) -> PublicKey;

    /// Opens a stream to `peer`, dialling it at its known addresses if there is no connection.
    fn open(
        &self,
        peer: PublicKey,
        protocol: Protocol,
    ) -> Answer<'static, Result<Stream, StreamError>>;

    /// Takes the streams that peers open under `protocol`. One acceptor per protocol.
    ///
    /// # Errors
    /// [`StreamError::Taken`] if there is one already.
    fn accept(&self, protocol: Protocol) -> Result<Events<Incoming>, StreamError>;

    /// The peers that are connected now.
    fn peers(&self) -> Vec<PublicKey>;

    /// Peers coming and going from now on; starts with an `Up` for each that is connected.
    fn events(&self) -> Events<PeerEvent>;

    /// Remembers addresses (multiaddr texts) of a peer and keeps a connection to it from now on.
    fn know(&self, peer: PublicKey, addresses: Vec<String>);

    /// Counts an offence against a peer.
    fn penalise(&self, peer: PublicKey, offence: Offence);
}

/// Reads one frame: its length as u32, big endian, then that many bytes. `None` at a clean end.
///
/// # Errors
/// `InvalidData` if the length is over `limit_bytes`, `UnexpectedEof` inside a frame, or what the
/// stream says.
pub async fn read_frame(
    stream: &mut (impl AsyncRead + Unpin + ?Sized),
    limit_bytes: usize,
) -> std::io::Result<Option<Bytes>> {
    let mut head = [0; 4];
    let mut have = 0;
    while have < head.len() {
        match stream.read(&mut head[have..]).await? {
            0 if have == 0 => return Ok(None),
            0 => return Err(std::io::ErrorKind::UnexpectedEof.into()),
            n => have += n,
        }
    }
    let length = u32::from_be_bytes(head) as usize;
    if length > limit_bytes {
        return Err(std::io::Error::new(
            std::io::ErrorKind::InvalidData,
            format!("a frame of {length} bytes, at most {limit_bytes} are allowed"),
        ));
    }
    // Grows as bytes arrive: a peer cannot make us reserve what it never sends.
    let mut body = Vec::with_capacity(length.min(64 * 1024));
    let read = stream.take(length as u64).read_to_end(&mut body).await?;
    if read < length {
        Err(std::io::ErrorKind::UnexpectedEof.into())
    } else {
        Ok(Some(body.into()))
    }
}

/// Writes one frame and flushes it.
///
/// # Errors
/// `InvalidInput` if the payload does not fit a u32 length, or what the stream says.
pub async fn write_frame(
    stream: &mut (impl AsyncWrite + Unpin + ?Sized),
    payload: &[u8],
) -> std::io::Result<()> {
    let length = u32::try_from(payload.len()).map_err(|_| std::io::ErrorKind::InvalidInput)?;
    stream.write_all(&length.to_be_bytes()).await?;
    stream.write_all(payload).await?;
    stream.flush().await
}
