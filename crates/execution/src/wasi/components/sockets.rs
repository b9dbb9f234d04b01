//! `wasi:sockets`: there is no network here. Whoever asks for a socket or a name is told that this is
//! not supported; what needs a socket can then not be called.

use super::{
    call::{Call, Thing},
    interface::interface,
};
use crate::stop::Stop;
use wasmtime::component::{ComponentType, Lift, Lower, Resource, WasmStr};

interface! { NETWORK = "wasi:sockets/network" {
    resource "network": Network;
}}

interface! { INSTANCE_NETWORK = "wasi:sockets/instance-network" {
    call plain "instance-network" => network();
}}

interface! { NAME_LOOKUP = "wasi:sockets/ip-name-lookup" {
    resource "resolve-address-stream": Addresses;
    call plain "resolve-addresses" => resolve(network: Resource<Network>, name: WasmStr);
    never "[method]resolve-address-stream.resolve-next-address";
    never "[method]resolve-address-stream.subscribe";
}}

interface! { TCP = "wasi:sockets/tcp" {
    resource "tcp-socket": TcpSocket;
    never "[method]tcp-socket.start-bind";
    never "[method]tcp-socket.finish-bind";
    never "[method]tcp-socket.start-connect";
    never "[method]tcp-socket.finish-connect";
    never "[method]tcp-socket.start-listen";
    never "[method]tcp-socket.finish-listen";
    never "[method]tcp-socket.accept";
    never "[method]tcp-socket.local-address";
    never "[method]tcp-socket.remote-address";
    never "[method]tcp-socket.is-listening";
    never "[method]tcp-socket.address-family";
    never "[method]tcp-socket.set-listen-backlog-size";
    never "[method]tcp-socket.keep-alive-enabled";
    never "[method]tcp-socket.set-keep-alive-enabled";
    never "[method]tcp-socket.keep-alive-idle-time";
    never "[method]tcp-socket.set-keep-alive-idle-time";
    never "[method]tcp-socket.keep-alive-interval";
    never "[method]tcp-socket.set-keep-alive-interval";
    never "[method]tcp-socket.keep-alive-count";
    never "[method]tcp-socket.set-keep-alive-count";
    never "[method]tcp-socket.hop-limit";
    never "[method]tcp-socket.set-hop-limit";
    never "[method]tcp-socket.receive-buffer-size";
    never "[method]tcp-socket.set-receive-buffer-size";
    never "[method]tcp-socket.send-buffer-size";
    never "[method]tcp-socket.set-send-buffer-size";
    never "[method]tcp-socket.subscribe";
    never "[method]tcp-socket.shutdown";
}}

interface! { TCP_CREATE = "wasi:sockets/tcp-create-socket" {
    call plain "create-tcp-socket" => tcp_socket(family: AddressFamily);
}}

interface! { UDP = "wasi:sockets/udp" {
    resource "udp-socket": UdpSocket;
    resource "incoming-datagram-stream": IncomingDatagrams;
    resource "outgoing-datagram-stream": OutgoingDatagrams;
    never "[method]udp-socket.start-bind";
    never "[method]udp-socket.finish-bind";
    never "[method]udp-socket.stream";
    never "[method]udp-socket.local-address";
    never "[method]udp-socket.remote-address";
    never "[method]udp-socket.address-family";
    never "[method]udp-socket.unicast-hop-limit";
    never "[method]udp-socket.set-unicast-hop-limit";
    never "[method]udp-socket.receive-buffer-size";
    never "[method]udp-socket.set-receive-buffer-size";
    never "[method]udp-socket.send-buffer-size";
    never "[method]udp-socket.set-send-buffer-size";
    never "[method]udp-socket.subscribe";
    never "[method]incoming-datagram-stream.receive";
    never "[method]incoming-datagram-stream.subscribe";
    never "[method]outgoing-datagram-stream.check-send";
    never "[method]outgoing-datagram-stream.send";
    never "[method]outgoing-datagram-stream.subscribe";
}}

interface! { UDP_CREATE = "wasi:sockets/udp-create-socket" {
    call plain "create-udp-socket" => udp_socket(family: AddressFamily);
}}

/// `wasi:sockets/network.network`: the right to ask, which leads nowhere.
pub(crate) struct Network;

impl Thing for Network {}

/// Nobody has one of these.
macro_rules! absent {
    ($($thing:ident)*) => {
        $(
            pub(crate) enum $thing {}

            impl Thing for $thing {}
        )*
    };
}

absent! { Addresses TcpSocket UdpSocket IncomingDatagrams OutgoingDatagrams }

/// `wasi:sockets/network.ip-address-family`
#[expect(dead_code, reason = "the standard has more than this world")]
#[derive(Clone, Copy, ComponentType, Lift)]
#[component(enum)]
#[repr(u8)]
pub(crate) enum AddressFamily {
    #[component(name = "ipv4")]
    V4,
    #[component(name = "ipv6")]
    V6,
}

/// `wasi:sockets/network.error-code`
#[expect(dead_code, reason = "the standard has more than this world")]
#[derive(Clone, Copy, ComponentType, Lower)]
#[component(enum)]
#[repr(u8)]
pub(crate) enum SocketError {
    #[component(name = "unknown")]
    Unknown,
    #[component(name = "access-denied")]
    AccessDenied,
    #[component(name = "not-supported")]
    NotSupported,
    #[component(name = "invalid-argument")]
    InvalidArgument,
    #[component(name = "out-of-memory")]
    OutOfMemory,
    #[component(name = "timeout")]
    Timeout,
    #[component(name = "concurrency-conflict")]
    ConcurrencyConflict,
    #[component(name = "not-in-progress")]
    NotInProgress,
    #[component(name = "would-block")]
    WouldBlock,
    #[component(name = "invalid-state")]
    InvalidState,
    #[component(name = "new-socket-limit")]
    NewSocketLimit,
    #[component(name = "address-not-bindable")]
    AddressNotBindable,
    #[component(name = "address-in-use")]
    AddressInUse,
    #[component(name = "remote-unreachable")]
    RemoteUnreachable,
    #[component(name = "connection-refused")]
    ConnectionRefused,
    #[component(name = "connection-reset")]
    ConnectionReset,
    #[component(name = "connection-aborted")]
    ConnectionAborted,
    #[component(name = "datagram-too-large")]
    DatagramTooLarge,
    #[component(name = "name-unresolvable")]
    NameUnresolvable,
    #[component(name = "temporary-resolver-failure")]
    TemporaryResolverFailure,
    #[component(name = "permanent-resolver-failure")]
    PermanentResolverFailure,
}

impl Call<'_> {
    fn network(&mut self) -> Result<Resource<Network>, Stop> {
        self.push(Network)
    }

    fn resolve(
        &mut self,
        _network: Resource<Network>,
        _name: WasmStr,
    ) -> Result<Result<Resource<Addresses>, SocketError>, Stop> {
        Ok(Err(SocketError::NotSupported))
    }

    fn tcp_socket(
        &mut self,
        _family: AddressFamily,
    ) -> Result<Result<Resource<TcpSocket>, SocketError>, Stop> {
        Ok(Err(SocketError::NotSupported))
    }

    fn udp_socket(
        &mut self,
        _family: AddressFamily,
    ) -> Result<Result<Resource<UdpSocket>, SocketError>, Stop> {
        Ok(Err(SocketError::NotSupported))
    }
}
