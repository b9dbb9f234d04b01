//! The addresses that this node listens on, and those it must listen on again.
//!
//! A listener of all interfaces (`0.0.0.0`, `::`) asks the kernel which there are. When that
//! question fails once, libp2p's listener gives the same error for ever and lets nobody in, so it
//! is closed and the address is bound anew.

use super::driver::Driver;
use crate::{Config, Error, address, behaviour::Behaviour, config::multiaddr, transport};
use libp2p::{Multiaddr, Swarm, core::transport::ListenerId, multiaddr::Protocol};
use std::{collections::HashMap, error, io, mem};

/// One listener.
struct Binding {
    /// As in the settings.
    at: Multiaddr,
    /// It has told the address it got.
    told: bool,
}

/// A listener that is gone and wanted.
struct Lost {
    binding: Binding,
    /// The connections over it have been closed, for they may hold its port.
    cut: bool,
}

/// All listeners.
#[derive(Default)]
pub(super) struct Bindings {
    held: HashMap<ListenerId, Binding>,
    /// Those that are being closed because they failed.
    failed: HashMap<ListenerId, Binding>,
    lost: Vec<Lost>,
}

impl Bindings {
    /// Binds every address.
    pub(super) fn new(swarm: &mut Swarm<Behaviour>, config: &Config) -> Result<Self, Error> {
        let mut held = HashMap::new();
        for text in &config.listen {
            let at = multiaddr(text)?;
            held.insert(bind(swarm, &at)?, Binding { at, told: false });
        }
        for text in &config.announce {
            swarm.add_external_address(multiaddr(text)?);
        }
        Ok(Self { held, ..Self::default() })
    }

    /// A listener has an address; whether it is the first one for what the settings name.
    pub(super) fn told(&mut self, id: ListenerId) -> bool {
        self.held.get_mut(&id).is_some_and(|binding| !mem::replace(&mut binding.told, true))
    }

    /// Forgets all, so that none comes back.
    pub(super) fn take(&mut self) -> Vec<ListenerId> {
        mem::take(self).held.into_keys().collect()
    }
}

impl Driver {
    pub(super) fn on_listener_error(&mut self, id: ListenerId, error: &io::Error) {
        if !knows_no_interfaces(error) {
            return tracing::warn!(%error, "a connection could not be accepted");
        }
        let Some(binding) = self.bindings.held.remove(&id) else { return };
        let at = &binding.at;
        tracing::warn!(%at, %error, "the interfaces of this machine are not known; listening anew");
        self.bindings.failed.insert(id, binding);
        self.swarm.remove_listener(id);
    }

    /// A listener is gone, which was at `addresses`.
    pub(super) fn on_listener_closed(&mut self, id: ListenerId, addresses: &[Multiaddr]) {
        self.ends.listening.send_modify(|listening| {
            listening.addresses.retain(|known| !addresses.contains(known));
        });
        let Some(mut binding) = self.bindings.failed.remove(&id) else { return };
        if let Some((_, port, _)) = addresses.first().and_then(address::socket) {
            // Others know this one.
            binding.at = with_port(&binding.at, port);
        }
        self.bindings.lost.push(Lost { binding, cut: false });
        self.listen_again();
    }

    /// Binds what was lost; what cannot be bound now is tried at the next tick.
    pub(super) fn listen_again(&mut self) {
        for mut lost in mem::take(&mut self.bindings.lost) {
            match bind(&mut self.swarm, &lost.binding.at) {
                Ok(id) => {
                    self.bindings.held.insert(id, lost.binding);
                }
                Err(error) => {
                    if !mem::replace(&mut lost.cut, true) {
                        tracing::warn!(%error, "cannot listen anew; connections are closed for it");
                        self.cut_all();
                    }
                    self.bindings.lost.push(lost);
                }
            }
        }
    }

    /// Closes the connections to everybody. QUIC holds the port of its listener until they end.
    pub(super) fn cut_all(&mut self) {
        for peer in self.links.peers() {
            if self.swarm.disconnect_peer_id(peer).is_err() {
                tracing::trace!(%peer, "already gone");
            }
        }
    }
}

fn bind(swarm: &mut Swarm<Behaviour>, at: &Multiaddr) -> Result<ListenerId, Error> {
    transport::probe(at)?;
    swarm
        .listen_on(at.clone())
        .map_err(|error| Error::Listen { address: at.to_string(), reason: error.to_string() })
}

/// Whether a listener's error is that of its question to the kernel. Nothing else that a listener
/// does gives one of a broken pipe.
fn knows_no_interfaces(error: &io::Error) -> bool {
    let mut cause: Option<&(dyn error::Error + 'static)> = Some(error);
    while let Some(inner) = cause {
        let io = inner.downcast_ref::<io::Error>();
        if io.is_some_and(|io| io.kind() == io::ErrorKind::BrokenPipe) {
            return true;
        }
        // The error inside of an `io::Error` is not among its sources.
        cause = match io.and_then(io::Error::get_ref) {
            Some(inside) => Some(inside),
            None => inner.source(),
        };
    }
    false
}

/// The same address with a port of its own.
fn with_port(at: &Multiaddr, port: u16) -> Multiaddr {
    at.iter()
        .map(|part| match part {
            Protocol::Udp(_) => Protocol::Udp(port),
            Protocol::Tcp(_) => Protocol::Tcp(port),
            other => other,
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Network, service::connect};
    use futures::StreamExt;
    use identity::{Digest, NetworkId, SecretKey};
    use protocol::port::Streams;
    use std::time::Duration;
    use tokio::time::{interval, timeout};

    const HERE: NetworkId = NetworkId(Digest([1; 32]));

    fn settings(listen: &str) -> Config {
        let listen = vec![listen.to_string()];
        Config { listen, dial_interval_ms: 50, dial_backoff_max_ms: 200, ..Config::default() }
    }

    /// A driver that nothing runs but the test, and its handle.
    fn by_hand(listen: &str) -> (Driver, Network) {
        let key = SecretKey::from_seed([1; 32]);
        let (network, ends) = connect(settings(listen), &key, HERE);
        let keypair = address::keypair(&key);
        (Driver::new(network.shared.clone(), ends, &keypair).unwrap(), network)
    }

    /// Lets the driver work until `done`.
    async fn until(driver: &mut Driver, what: &str, done: impl Fn(&Driver) -> bool) {
        let mut tick = interval(Duration::from_millis(50));
        let work = async {
            while !done(driver) {
                tokio::select! {
                    event = driver.swarm.select_next_some() => driver.on_event(event),
                    _ = tick.tick() => driver.on_tick(),
                }
            }
        };
        assert!(timeout(Duration::from_secs(60), work).await.is_ok(), "waited too long: {what}");
    }

    /// As the errors of libp2p arrive here.
    fn watch_is_over() -> io::Error {
        io::Error::other(io::Error::new(io::ErrorKind::BrokenPipe, "rtnetlink socket closed"))
    }

    #[tokio::test]
    async fn a_listener_that_knows_no_interfaces_is_replaced_on_its_port() {
        for listen in ["/ip4/0.0.0.0/udp/0/quic-v1", "/ip4/0.0.0.0/tcp/0"] {
            let (mut driver, network) = by_hand(listen);
            let listens = |network: &Network| network.listening.borrow().addresses.clone();
            until(&mut driver, "an address", |_| !network.addresses().is_empty()).await;
            let before = listens(&network);

            // Somebody is connected, and so holds the port.
            let other = SecretKey::from_seed([2; 32]);
            let (peer, service) = crate::start(settings(listen), &other, HERE).unwrap();
            let here = network.addresses().iter().map(|address| address.at.clone()).collect();
            peer.know(network.me(), here);
            let is_up = |driver: &Driver| !driver.links.is_empty();
            until(&mut driver, "a connection", is_up).await;

            let id = *driver.bindings.held.keys().next().unwrap();
            driver.on_listener_error(id, &watch_is_over());
            until(&mut driver, "the address again", |driver| {
                !driver.bindings.held.contains_key(&id) && listens(&network) == before
            })
            .await;
            assert_eq!(network.listening.borrow().waiting, 0);
            until(&mut driver, "a connection again", is_up).await;
            service.shutdown().await.unwrap();
        }
    }

    #[tokio::test]
    async fn a_listener_whose_connection_failed_stays() {
        let (mut driver, network) = by_hand("/ip4/127.0.0.1/tcp/0");
        until(&mut driver, "an address", |_| !network.addresses().is_empty()).await;
        let id = *driver.bindings.held.keys().next().unwrap();
        driver.on_listener_error(id, &io::Error::from(io::ErrorKind::ConnectionAborted));
        assert!(driver.bindings.held.contains_key(&id));
        assert!(driver.bindings.failed.is_empty() && driver.bindings.lost.is_empty());
    }
}
