//! How bytes travel: QUIC, and TCP with noise and yamux.

use crate::{Config, Error, address, config::OWN_STREAMS};
use libp2p::{
    Multiaddr, PeerId, Transport,
    core::{
        muxing::StreamMuxerBox,
        transport::{Boxed, timeout::TransportTimeoutError},
        upgrade::Version,
    },
    dns,
    futures::future::Either,
    identity::Keypair,
    noise, quic, tcp, yamux,
};
use std::{
    io,
    net::{TcpListener, UdpSocket},
    time::Duration,
};

type Muxed = (PeerId, StreamMuxerBox);

/// QUIC and TCP, with names resolved.
pub(crate) fn transport(config: &Config, key: &Keypair) -> Result<Boxed<Muxed>, Error> {
    match dns::tokio::Transport::system(by_ip(config, key)?) {
        Ok(transport) => Ok(transport.boxed()),
        Err(error) => {
            // A machine without a resolver still reaches peers by IP.
            tracing::warn!(%error, "this machine resolves no names; only IP addresses work");
            let (servers, options) = (dns::ResolverConfig::default(), dns::ResolverOpts::default());
            let inner = by_ip(config, key)?;
            Ok(dns::tokio::Transport::custom(inner, servers, options).boxed())
        }
    }
}

fn by_ip(config: &Config, key: &Keypair) -> Result<Boxed<Muxed>, Error> {
    let mut settings = quic::Config::new(key);
    settings.handshake_timeout = config.dial_timeout();
    settings.max_idle_timeout = config.quic_idle_ms;
    settings.keep_alive_interval = Duration::from_millis(config.quic_keep_alive_ms);
    settings.max_concurrent_stream_limit = config.max_streams_per_peer + OWN_STREAMS;
    settings.max_stream_data = config.quic_stream_window_bytes;
    settings.max_connection_data = config.quic_connection_window_bytes;
    // Errors of the system stay visible inside of those of a transport: by their kind listeners
    // that failed are told apart.
    let quic = quic::tokio::Transport::new(settings)
        .map(|(peer, muxer), _| (peer, StreamMuxerBox::new(muxer)))
        .map_err(|error| match error {
            quic::Error::Io(error) => error,
            other => io::Error::other(other),
        });

    let mut muxing = yamux::Config::default();
    // Also keeps yamux from tuning its windows past 1 MiB, which js-libp2p cannot read.
    muxing.set_max_num_streams(config.yamux_max_streams);
    let noise = noise::Config::new(key).map_err(|e| Error::Start(e.to_string()))?;
    let tcp = tcp::tokio::Transport::new(tcp::Config::new())
        .upgrade(Version::V1Lazy)
        .authenticate(noise)
        .multiplex(muxing)
        .timeout(config.dial_timeout())
        .map(|(peer, muxer), _| (peer, StreamMuxerBox::new(muxer)))
        .map_err(|error| match error {
            TransportTimeoutError::Other(error) => {
                error.either(|error| error.either(|io| io, io::Error::other), io::Error::other)
            }
            other => io::Error::other(other),
        });

    let either = quic.or_transport(tcp).map(|muxed, _| match muxed {
        Either::Left(muxed) | Either::Right(muxed) => muxed,
    });
    Ok(either.map_err(|error| error.into_inner()).boxed())
}

/// Whether a port is free. libp2p listens on TCP with `SO_REUSEPORT`: a second node on the same
/// port would start without complaint and get some of the first one's connections.
pub(crate) fn probe(address: &Multiaddr) -> Result<(), Error> {
    let Some((ip, port, udp)) = address::socket(address) else { return Ok(()) };
    if port == 0 {
        return Ok(());
    }
    let bound = if udp {
        UdpSocket::bind((ip, port)).map(drop)
    } else {
        TcpListener::bind((ip, port)).map(drop)
    };
    bound.map_err(|error| match error.kind() {
        io::ErrorKind::AddrInUse => Error::PortTaken { port, address: address.to_string() },
        _ => Error::Listen { address: address.to_string(), reason: error.to_string() },
    })
}
