//! On what was measured: processors, memory, load, date, sources. Never whose machine it is.

use anyhow::Context as _;
use std::{
    fs,
    path::Path,
    process::Command,
    time::{SystemTime, UNIX_EPOCH},
};

/// One sentence about this machine, now, and the sources in `root`.
pub(crate) fn describe(root: &Path) -> anyhow::Result<String> {
    let cores = std::thread::available_parallelism().context("processors")?;
    let model = line_of("/proc/cpuinfo", "model name")?;
    let memory = line_of("/proc/meminfo", "MemTotal")?;
    let kib: u64 = memory.trim_end_matches("kB").trim().parse().context("/proc/meminfo")?;
    let gib = (kib + (1 << 19)) >> 20;
    let load = fs::read_to_string("/proc/loadavg").context("/proc/loadavg")?;
    let load = load.split_whitespace().next().unwrap_or_default();
    let date = today()?;
    let sources = sources(root).map(|name| format!(", sources {name}")).unwrap_or_default();
    Ok(format!("{date}, {cores} cores ({model}), {gib} GiB, load average before {load}{sources}"))
}

/// The commit, and whether something was changed since; nothing outside a git checkout.
fn sources(root: &Path) -> Option<String> {
    let git = |args: &[&str]| {
        let said = Command::new("git").args(args).current_dir(root).output().ok()?;
        said.status.success().then(|| String::from_utf8_lossy(&said.stdout).trim().to_string())
    };
    let commit = git(&["rev-parse", "--short", "HEAD"])?;
    let changed = git(&["status", "--porcelain", "--untracked-files=no", "crates", "Cargo.lock"])?;
    Some(if changed.is_empty() { commit } else { format!("{commit} with changes") })
}

fn line_of(path: &str, key: &str) -> anyhow::Result<String> {
    let text = fs::read_to_string(path).with_context(|| path.to_string())?;
    let found = text.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        (name.trim() == key).then(|| value.trim().to_string())
    });
    found.with_context(|| format!("{path} has no line '{key}'"))
}

/// The date, in UTC.
fn today() -> anyhow::Result<String> {
    let seconds = SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs();
    let (year, month, day) = civil(seconds / 86_400);
    Ok(format!("{year}-{month:02}-{day:02}"))
}

/// The day that lies so many days after 1970-01-01: Fliegel and Van Flandern, CACM 11 (1968), p. 657.
fn civil(days: u64) -> (u64, u64, u64) {
    let l = days + 2_440_588 + 68_569;
    let n = 4 * l / 146_097;
    let l = l - (146_097 * n).div_ceil(4);
    let year = 4000 * (l + 1) / 1_461_001;
    let l = l - 1461 * year / 4 + 31;
    let month = 80 * l / 2447;
    let day = l - 2447 * month / 80;
    let l = month / 11;
    (100 * (n - 49) + year + l, month + 2 - 12 * l, day)
}

#[cfg(test)]
mod tests {
    use super::{civil, describe};
    use std::path::Path;

    #[test]
    fn days_become_dates() {
        assert_eq!(civil(0), (1970, 1, 1));
        assert_eq!(civil(59), (1970, 3, 1));
        assert_eq!(civil(11_016), (2000, 2, 29));
        assert_eq!(civil(20_778), (2026, 11, 21));
    }

    #[test]
    fn this_machine_is_described() {
        let text = describe(Path::new("/")).expect("files of /proc");
        assert!(text.contains("cores"), "{text}");
    }
}
