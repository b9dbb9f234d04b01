//! A network of two halves, and the cable between them, which can be pulled.

use super::space::Space;

/// The address of the left half. It stays when the cable is pulled.
pub const LEFT: &str = "10.77.1.1";
/// The address of the right half.
pub const RIGHT: &str = "10.77.2.1";

/// Two networks with one cable between them.
pub struct Halves {
    pub left: Space,
    pub right: Space,
}

impl Halves {
    pub fn new() -> Self {
        let left = Space::network();
        let right = left.network_beside();
        let cable = format!("ip link add cable type veth peer name cable netns {}", right.pid());
        left.way().shell(&cable);
        for (half, address) in [(&left, LEFT), (&right, RIGHT)] {
            half.way().shell(&format!("ip address add {address}/32 dev lo; ip link set cable up"));
        }
        let halves = Self { left, right };
        halves.route();
        halves
    }

    /// Tells each half where the other one is.
    fn route(&self) {
        for (half, other) in [(&self.left, RIGHT), (&self.right, LEFT)] {
            half.way().shell(&format!("ip route replace {other}/32 dev cable"));
        }
    }

    /// Pulls the cable.
    pub fn cut(&self) {
        self.left.way().shell("ip link set cable down");
    }

    /// Puts the cable back.
    pub fn heal(&self) {
        self.left.way().shell("ip link set cable up");
        self.route();
    }
}
