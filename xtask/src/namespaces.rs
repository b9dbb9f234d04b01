//! Namespaces of Linux, in which tests have networks that split and disks that fill.

use crate::{
    setup::{apt, is_root},
    steps::{Steps, succeeds},
};
use anyhow::bail;
use std::process::Command;

/// Debian's packages of `unshare`, `nsenter`, `mount` and `ip`.
const PACKAGES: &str = "util-linux mount iproute2";

/// Makes sure that tests can make namespaces.
pub(crate) fn find_or_install(steps: &mut Steps) -> anyhow::Result<()> {
    let lacking = || {
        let tools = [("unshare", "--version"), ("nsenter", "--version"), ("ip", "-Version")];
        tools.into_iter().find(|(tool, arg)| !succeeds(Command::new(tool).arg(arg)))
    };
    if lacking().is_some() && is_root() && succeeds(Command::new("apt-get").arg("--version")) {
        let mut update = apt(steps, "update");
        steps.run("Debian's list of packages", &mut update)?;
        let mut install = apt(steps, &format!("install --no-install-recommends {PACKAGES}"));
        steps.run("tools for namespaces", &mut install)?;
    }
    if let Some((tool, _)) = lacking() {
        bail!("`{tool}` is missing. Debian, Ubuntu: apt-get install {PACKAGES}");
    }
    let mut probe = Command::new("unshare");
    probe.args(["--user", "--map-root-user", "--net", "--mount", "ip", "link", "set", "lo", "up"]);
    if !succeeds(&mut probe) {
        bail!(
            "this user may not make namespaces, in which tests have networks that split and disks \
             that fill. Try as root, or let every user make them:\n  \
             sysctl kernel.unprivileged_userns_clone=1 kernel.apparmor_restrict_unprivileged_userns=0\n\
             in a container: it must be one that may make namespaces of its own"
        );
    }
    Ok(())
}
