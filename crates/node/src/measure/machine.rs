//! What the operating system says of this machine: memory and GPUs. On Linux; elsewhere little.

use protocol::limits;
use std::{
    fs,
    path::{Path, PathBuf},
};

/// Memory that programs of this process may use: the machine's, or what its control groups leave.
pub(crate) fn memory_bytes() -> u64 {
    let machine = fs::read_to_string("/proc/meminfo").ok().and_then(|text| of_meminfo(&text));
    let groups = fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
    let limits = limit_files(&groups, Path::new("/sys/fs/cgroup"));
    let allowed =
        limits.iter().filter_map(|path| fs::read_to_string(path).ok()?.trim().parse().ok());
    allowed.chain(machine).min().unwrap_or(0)
}

/// The line `MemTotal:  1024 kB`.
fn of_meminfo(text: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
    let kib: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    kib.checked_mul(1024)
}

/// The files that may hold a limit for a process in these groups: of both versions of control
/// groups, and of every group above.
fn limit_files(groups: &str, root: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for line in groups.lines() {
        let mut parts = line.splitn(3, ':');
        let (Some(_), Some(controllers), Some(path)) = (parts.next(), parts.next(), parts.next())
        else {
            continue;
        };
        let (top, name) = match controllers {
            "" => (root.to_path_buf(), "memory.max"),
            several if several.split(',').any(|one| one == "memory") => {
                (root.join("memory"), "memory.limit_in_bytes")
            }
            _ => continue,
        };
        let group = Path::new(path.trim_start_matches('/'));
        files.extend(group.ancestors().map(|above| top.join(above).join(name)));
    }
    files
}

/// Names of the GPUs, as their drivers say them.
pub(crate) fn gpus() -> Vec<String> {
    let mut found = of_nvidia(Path::new("/proc/driver/nvidia/gpus"));
    found.extend(of_drm(Path::new("/sys/class/drm"), found.is_empty()));
    found.truncate(limits::LABELS);
    found
}

/// One directory for each GPU, with a file that names its model.
fn of_nvidia(dir: &Path) -> Vec<String> {
    let model = |path: PathBuf| {
        let text = fs::read_to_string(path.join("information")).ok()?;
        let model = text.lines().find_map(|line| line.strip_prefix("Model:"))?;
        Some(plain(model.trim()))
    };
    entries(dir).into_iter().filter_map(model).collect()
}

/// Devices that can compute, by the numbers of their vendor and model. Those of NVIDIA have better
/// names elsewhere, where their driver is there.
fn of_drm(dir: &Path, with_nvidia: bool) -> Vec<String> {
    const NVIDIA: &str = "0x10de";
    let render = |path: &PathBuf| {
        path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("renderD"))
    };
    let name = |path: PathBuf| {
        let read = |name: &str| fs::read_to_string(path.join("device").join(name)).ok();
        let (vendor, model) = (read("vendor")?, read("device")?);
        let (vendor, model) = (vendor.trim(), model.trim());
        (with_nvidia || vendor != NVIDIA).then(|| plain(&format!("{vendor} {model}")))
    };
    entries(dir).into_iter().filter(render).filter_map(name).collect()
}

/// What is in a directory, sorted; nothing if there is none.
fn entries(dir: &Path) -> Vec<PathBuf> {
    let read = fs::read_dir(dir).into_iter().flatten();
    let mut all: Vec<_> = read.filter_map(|entry| Some(entry.ok()?.path())).collect();
    all.sort();
    all
}

/// What a profile may hold of a name.
fn plain(name: &str) -> String {
    let good = name.chars().filter(|c| *c == ' ' || c.is_ascii_graphic());
    good.take(limits::LABEL_BYTES).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_smallest_limit_above_a_process_counts() {
        let root = Path::new("/cg");
        let shown = |groups: &str| -> Vec<String> {
            let files = limit_files(groups, root);
            files.iter().map(|path| path.display().to_string()).collect()
        };
        let unified = ["/cg/a/b/memory.max", "/cg/a/memory.max", "/cg/memory.max"];
        assert_eq!(shown("0::/a/b\n"), unified);
        let old = "11:cpu,cpuacct:/x\n9:hugetlb,memory:/a\nnonsense\n";
        let expected = ["/cg/memory/a/memory.limit_in_bytes", "/cg/memory/memory.limit_in_bytes"];
        assert_eq!(shown(old), expected);
    }

    #[test]
    fn the_memory_of_a_machine_is_read() {
        assert_eq!(of_meminfo("MemFree: 1 kB\nMemTotal:       2048 kB\n"), Some(2 << 20));
        assert_eq!(of_meminfo("MemTotal: many\n"), None);
        assert!(memory_bytes() > 0);
    }

    #[test]
    fn gpus_are_named_by_their_drivers() {
        let dir = tempfile::tempdir().unwrap();
        let write = |path: &str, text: &str| {
            let path = dir.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        };
        write("nvidia/0000:01:00.0/information", "Model: \t\t NVIDIA H200\nIRQ: 1\n");
        write("drm/renderD128/device/vendor", "0x10de\n");
        write("drm/renderD128/device/device", "0x2335\n");
        write("drm/renderD129/device/vendor", "0x1002\n");
        write("drm/renderD129/device/device", "0x744c\n");
        write("drm/card0-HDMI-A-1/device/vendor", "0x1002\n");
        assert_eq!(of_nvidia(&dir.path().join("nvidia")), ["NVIDIA H200"]);
        assert_eq!(of_nvidia(&dir.path().join("none")), Vec::<String>::new());
        assert_eq!(of_drm(&dir.path().join("drm"), false), ["0x1002 0x744c"]);
        assert_eq!(of_drm(&dir.path().join("drm"), true), ["0x10de 0x2335", "0x1002 0x744c"]);
        assert_eq!(plain(&"é\u{7}x".repeat(100)), "x".repeat(63));
    }
}
