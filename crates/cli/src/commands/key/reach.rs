//! How a node is reached: what people type, as multiaddr texts.

use crate::failure::Failure;
use std::net::{IpAddr, Ipv4Addr, UdpSocket};

/// The port of a node, if nothing else is said.
const PORT: u16 = 4870;

/// Where to listen: a port means QUIC and TCP on every interface.
pub(in crate::commands) fn listen(text: &str) -> Result<Vec<String>, Failure> {
    match text.parse::<u16>() {
        Ok(port) => Ok(both(Ipv4Addr::UNSPECIFIED.into(), port)),
        Err(_) if text.starts_with('/') => Ok(vec![text.into()]),
        Err(_) => Err(Failure::usage(format!("'{text}' is neither a port nor a multiaddr"))
            .next("write one as 4870 or /ip4/0.0.0.0/udp/4870/quic-v1")),
    }
}

/// The addresses that others are told: those that were given, as IP addresses or multiaddrs, else
/// those of `here` at the ports that are listened on.
pub(super) fn addresses(
    listen: &[String],
    given: &[String],
    here: IpAddr,
) -> Result<Vec<String>, Failure> {
    let usual = both(Ipv4Addr::UNSPECIFIED.into(), PORT);
    let listen = if listen.is_empty() { &usual } else { listen };
    if given.is_empty() {
        return Ok(listen.iter().map(|at| place(at, here)).collect());
    }
    let mut addresses = Vec::new();
    for text in given {
        match text.parse::<IpAddr>() {
            Ok(ip) => addresses.extend(listen.iter().map(|at| place(at, ip))),
            Err(_) if text.starts_with('/') => addresses.push(text.clone()),
            Err(_) => {
                return Err(Failure::usage(format!(
                    "'{text}' is neither an IP address nor a multiaddr"
                ))
                .next("write one as 192.0.2.7 or /dns4/node.example/udp/4870/quic-v1"));
            }
        }
    }
    Ok(addresses)
}

/// The address of this machine towards others: the one that a packet would leave with. Nothing is
/// sent.
pub(super) fn here() -> IpAddr {
    let route = || {
        let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0))?;
        // TEST-NET-1 (RFC 5737): routed as everything else outside.
        socket.connect((Ipv4Addr::new(192, 0, 2, 1), 9))?;
        socket.local_addr()
    };
    route().map_or(Ipv4Addr::LOCALHOST.into(), |addr: std::net::SocketAddr| addr.ip())
}

fn both(ip: IpAddr, port: u16) -> Vec<String> {
    let ip = of(ip);
    vec![format!("{ip}/udp/{port}/quic-v1"), format!("{ip}/tcp/{port}")]
}

fn of(ip: IpAddr) -> String {
    match ip {
        IpAddr::V4(ip) => format!("/ip4/{ip}"),
        IpAddr::V6(ip) => format!("/ip6/{ip}"),
    }
}

/// The same port and transport at another address, if the text says every address.
fn place(listen: &str, ip: IpAddr) -> String {
    ["/ip4/0.0.0.0/", "/ip6/::/"]
        .iter()
        .find_map(|every| listen.strip_prefix(every))
        .map_or_else(|| listen.to_string(), |rest| format!("{}/{rest}", of(ip)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_is_both_transports_on_every_interface() {
        let both = ["/ip4/0.0.0.0/udp/5000/quic-v1", "/ip4/0.0.0.0/tcp/5000"];
        assert_eq!(listen("5000").unwrap(), both);
        assert_eq!(listen("/ip4/127.0.0.1/tcp/1").unwrap(), ["/ip4/127.0.0.1/tcp/1"]);
        assert!(listen("here").is_err());
    }

    #[test]
    fn others_are_told_where_this_machine_is() {
        let here: IpAddr = "192.0.2.7".parse().unwrap();
        let told = ["/ip4/192.0.2.7/udp/4870/quic-v1", "/ip4/192.0.2.7/tcp/4870"];
        assert_eq!(addresses(&[], &[], here).unwrap(), told);
        let listen = ["/ip4/0.0.0.0/tcp/9".to_string(), "/ip4/10.0.0.1/tcp/9".to_string()];
        let told = addresses(&listen, &[], here).unwrap();
        assert_eq!(told, ["/ip4/192.0.2.7/tcp/9", "/ip4/10.0.0.1/tcp/9"]);
        let given = ["2001:db8::1".to_string(), "/dns4/x/tcp/1".to_string()];
        let told = addresses(&listen[..1], &given, here).unwrap();
        assert_eq!(told, ["/ip6/2001:db8::1/tcp/9", "/dns4/x/tcp/1"]);
        assert!(addresses(&[], &["x y".into()], here).is_err());
    }
}
