//! A network of points that are connected by way of a hub, each of which can be cut off.

use super::space::{Space, Way};

/// The address of the hub.
pub const HUB: &str = "10.78.0.1";

/// The hub, and the points around it.
pub struct Star {
    hub: Space,
    points: Vec<Space>,
}

impl Star {
    /// A hub with so many points.
    pub fn new(count: usize) -> Self {
        let hub = Space::network();
        let forward = "echo 1 > /proc/sys/net/ipv4/ip_forward";
        hub.way().shell(&format!("ip address add {HUB}/32 dev lo; {forward}"));
        let mut star = Self { hub, points: Vec::new() };
        for n in 0..count {
            let point = star.hub.network_beside();
            let cable = format!("ip link add cable{n} type veth peer name cable netns");
            star.hub.way().shell(&format!("{cable} {}", point.pid()));
            let address = Self::address(n);
            point.way().shell(&format!("ip address add {address}/32 dev lo; ip link set cable up"));
            star.points.push(point);
            star.heal(n);
        }
        star
    }

    /// The address of a point. It stays when the point is cut off.
    pub fn address(n: usize) -> String {
        format!("10.78.{}.1", n + 1)
    }

    /// The way to the hub.
    pub fn hub(&self) -> &Way {
        self.hub.way()
    }

    /// The way to a point.
    pub fn point(&self, n: usize) -> &Way {
        self.points[n].way()
    }

    /// Cuts a point off.
    pub fn cut(&self, n: usize) {
        self.hub.way().shell(&format!("ip link set cable{n} down"));
    }

    /// Connects a point.
    pub fn heal(&self, n: usize) {
        let address = Self::address(n);
        let to = format!("ip route replace {address}/32 dev cable{n}");
        self.hub.way().shell(&format!("ip link set cable{n} up; {to}"));
        let from =
            format!("ip route replace 10.78.0.0/16 via {HUB} dev cable onlink src {address}");
        self.points[n].way().shell(&from);
    }
}
