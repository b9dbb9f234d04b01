//! Where the node listens, or would, and who is there if it is somebody else.

use super::{Check, Patient};
use std::{
    fs, io,
    net::{IpAddr, SocketAddr, TcpListener, UdpSocket},
    path::Path,
};

/// Addresses that are looked at, at most.
const ADDRESSES: usize = 8;

/// How a place is spoken to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Udp,
    Tcp,
}

impl Kind {
    fn word(self) -> &'static str {
        match self {
            Self::Udp => "udp",
            Self::Tcp => "tcp",
        }
    }
}

/// One line for each address.
pub(super) fn checks(patient: &Patient<'_>) -> Vec<Check> {
    let told = patient.node.as_ref().map(|node| node.status.addresses.clone());
    let planned = patient.plan.as_ref().map(|plan| plan.listen.clone());
    let addresses = told.or(planned).unwrap_or_default();
    let mut places: Vec<_> = addresses.iter().filter_map(|text| place(text)).collect();
    places.sort_by_key(|(kind, addr)| (kind.word(), addr.port(), addr.ip()));
    places.dedup_by_key(|(kind, addr)| (kind.word(), addr.port()));
    places.truncate(ADDRESSES);
    if places.is_empty() {
        let alone = patient.plan.as_ref().is_some_and(|plan| plan.listen.is_empty());
        return if alone {
            vec![Check::good("ports", "The node listens nowhere: it is alone, or only dials.")]
        } else {
            Vec::new()
        };
    }
    places.into_iter().map(|(kind, addr)| check(patient, kind, addr)).collect()
}

fn check(patient: &Patient<'_>, kind: Kind, addr: SocketAddr) -> Check {
    let (word, port) = (kind.word(), addr.port());
    let runs = patient.pid.is_some() || patient.node.is_some();
    if port == 0 {
        return Check::good("ports", format!("Any free {word} port will do."));
    }
    // The place where the node listens need not be one of this machine's own, behind NAT.
    let any: IpAddr = if addr.is_ipv4() { [0, 0, 0, 0].into() } else { [0_u16; 8].into() };
    match bind(kind, SocketAddr::new(any, port)) {
        Ok(()) if runs => {
            Check::warn("ports", format!("The node runs, and nobody listens on {word} {port}."))
                .next("look at its log, and start it again")
        }
        Ok(()) => Check::good("ports", format!("{word} {port} is free for the node.")),
        Err(error) if error.kind() == io::ErrorKind::AddrInUse => {
            match (holder(kind, port), patient.pid) {
                (Some((pid, _)), Some(own)) if pid == own => {
                    Check::good("ports", format!("The node listens on {word} {port}."))
                }
                (Some((pid, _)), None) if patient.data.holder() == Some(pid) => Check::good(
                    "ports",
                    format!("The node (pid {pid}) starts or stops, and has {word} {port}."),
                ),
                (Some((pid, name)), _) => {
                    Check::bad("ports", format!("{word} {port} is in use by {name} (pid {pid})."))
                        .next("stop it, or listen elsewhere: polity key show --listen PORT")
                }
                (None, _) if runs => Check::good(
                    "ports",
                    format!("Somebody listens on {word} {port}: the node, most likely."),
                ),
                (None, _) => {
                    let said = format!("{word} {port} is in use by a process of another user.");
                    Check::bad("ports", said)
                        .next("stop it, or listen elsewhere: polity key show --listen PORT")
                }
            }
        }
        Err(error) => Check::bad("ports", format!("{word} {port} cannot be used: {error}."))
            .next("listen elsewhere: polity key show --listen PORT"),
    }
}

fn bind(kind: Kind, addr: SocketAddr) -> io::Result<()> {
    match kind {
        Kind::Udp => UdpSocket::bind(addr).map(drop),
        // Somebody who listened a moment ago keeps nobody from it (`SO_REUSEADDR`, as std sets it).
        Kind::Tcp => TcpListener::bind(addr).map(drop),
    }
}

/// `/ip4/0.0.0.0/udp/4870/quic-v1`, and the like.
fn place(text: &str) -> Option<(Kind, SocketAddr)> {
    let mut parts = text.split('/').skip(1);
    let ip: IpAddr = match (parts.next()?, parts.next()?) {
        ("ip4" | "ip6", ip) => ip.parse().ok()?,
        _ => return None,
    };
    let kind = match parts.next()? {
        "udp" => Kind::Udp,
        "tcp" => Kind::Tcp,
        _ => return None,
    };
    Some((kind, SocketAddr::new(ip, parts.next()?.parse().ok()?)))
}

/// The process that listens on a port: its number and its name, if it may be seen (`proc(5)`).
fn holder(kind: Kind, port: u16) -> Option<(i32, String)> {
    let tables = [format!("/proc/net/{}", kind.word()), format!("/proc/net/{}6", kind.word())];
    let mut inodes = Vec::new();
    for table in tables.iter().filter_map(|path| fs::read_to_string(path).ok()) {
        inodes.extend(table.lines().skip(1).filter_map(|line| inode_at(line, kind, port)));
    }
    let wanted: Vec<_> = inodes.iter().map(|inode| format!("socket:[{inode}]")).collect();
    let processes = fs::read_dir("/proc").ok()?;
    processes.flatten().find_map(|entry| {
        let pid: i32 = entry.file_name().to_str()?.parse().ok()?;
        let holds = fs::read_dir(entry.path().join("fd")).ok()?.flatten().any(|fd| {
            fs::read_link(fd.path()).is_ok_and(|to| wanted.iter().any(|w| Path::new(w) == to))
        });
        let name = fs::read_to_string(entry.path().join("comm")).ok()?;
        holds.then(|| (pid, name.trim().to_string()))
    })
}

/// The socket of a line of `/proc/net/udp` or `/proc/net/tcp`, if it listens on a port.
fn inode_at(line: &str, kind: Kind, port: u16) -> Option<u64> {
    const LISTEN: &str = "0A";
    let fields: Vec<_> = line.split_whitespace().collect();
    let (_, local) = fields.get(1)?.rsplit_once(':')?;
    let listens = kind == Kind::Udp || *fields.get(3)? == LISTEN;
    let here = u16::from_str_radix(local, 16).ok()? == port && listens;
    here.then(|| fields.get(9)?.parse().ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read() {
        let quic = place("/ip4/0.0.0.0/udp/4870/quic-v1").unwrap();
        assert_eq!(quic, (Kind::Udp, "0.0.0.0:4870".parse().unwrap()));
        let tcp = place("/ip6/::1/tcp/0").unwrap();
        assert_eq!(tcp, (Kind::Tcp, "[::1]:0".parse().unwrap()));
        for text in ["", "/dns4/x/udp/1", "/ip4/1.2.3.4", "/ip4/x/udp/1", "/ip4/1.2.3.4/udp/x"] {
            assert_eq!(place(text), None, "{text}");
        }
    }

    #[test]
    fn whoever_holds_a_port_is_named() {
        let udp = UdpSocket::bind("127.0.0.1:0").unwrap();
        let tcp = TcpListener::bind("127.0.0.1:0").unwrap();
        let me = i32::try_from(std::process::id()).unwrap();
        for (kind, addr) in
            [(Kind::Udp, udp.local_addr().unwrap()), (Kind::Tcp, tcp.local_addr().unwrap())]
        {
            assert_eq!(holder(kind, addr.port()).map(|(pid, _)| pid), Some(me), "{kind:?}");
            assert_eq!(bind(kind, addr).unwrap_err().kind(), io::ErrorKind::AddrInUse);
        }
    }
}
