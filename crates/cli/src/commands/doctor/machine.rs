//! Processor, memory, disk, open files.

use super::{Check, Patient};
use crate::{machine, text};
use rustix::process::{Resource, getrlimit};
use std::fs;

/// Memory below which a node gets short of it.
const MEMORY_BYTES: u64 = 2 << 30;
/// Memory that should be available now.
const AVAILABLE_BYTES: u64 = 512 << 20;
/// Free disk beside the reserve that a node should have.
const DISK_BYTES: u64 = 1 << 30;
/// Files that a busy node may have open.
const FILES: u64 = 1_024;
/// Fewer than a node needs to start.
const LEAST_FILES: u64 = 128;

/// What needs no directory.
pub(super) fn checks() -> Vec<Check> {
    vec![processor(), memory()]
}

fn processor() -> Check {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let said = format!("{} for programs to run on.", text::plural(cores, "core"));
    if cores > 1 {
        return Check::good("processor", said);
    }
    Check::warn("processor", format!("{said} A node runs as many programs at a time."))
}

fn memory() -> Check {
    let Ok(meminfo) = fs::read_to_string("/proc/meminfo") else {
        return Check::warn("memory", "This system does not tell how much there is.");
    };
    let of = |name: &str| {
        let line = meminfo.lines().find_map(|line| line.strip_prefix(name))?;
        let kib: u64 = line.split_whitespace().next()?.parse().ok()?;
        Some(kib * 1024)
    };
    let (Some(total), Some(available)) = (of("MemTotal:"), of("MemAvailable:")) else {
        return Check::warn("memory", "This system does not tell how much there is.");
    };
    let said = format!("{} of {} available.", text::size(available), text::size(total));
    if total < MEMORY_BYTES || available < AVAILABLE_BYTES {
        return Check::warn("memory", said)
            .next("programs may ask for 512.0 MiB each; order with --memory, or free some");
    }
    Check::good("memory", said)
}

/// Room for data, apart from what the store leaves to the journals.
pub(super) fn disk(patient: &Patient<'_>) -> Check {
    let root = patient.data.root();
    let free = match machine::free_bytes(root) {
        Ok(free) => free,
        Err(failure) => return Check::failed("disk", &failure),
    };
    let told = patient.node.as_ref().map(|node| node.status.reserve_bytes);
    let reserve = told.or(patient.plan.as_ref().map(|plan| plan.reserve_bytes)).unwrap_or(0);
    let said = match reserve {
        0 => format!("{} free.", text::size(free)),
        _ => format!("{} free, {} kept for the journals.", text::size(free), text::size(reserve)),
    };
    let next = format!("free some space where {} is", root.display());
    if free < reserve {
        return Check::bad("disk", format!("{said} No job and no output is taken any more."))
            .next(next);
    }
    if free - reserve < DISK_BYTES {
        return Check::warn("disk", said).next(next);
    }
    Check::good("disk", said)
}

/// How many files the node, or whoever would start it here, may have open.
pub(super) fn open_files(patient: &Patient<'_>) -> Check {
    let (whose, limit) = match patient.pid.and_then(limit_of) {
        Some(limit) => ("The node", limit),
        None => ("A node that is started here", getrlimit(Resource::Nofile).current),
    };
    let Some(limit) = limit else {
        return Check::good("files", format!("{whose} may have any number open."));
    };
    let said = format!("{whose} may have {limit} open.");
    let next = "raise it where it is started: ulimit -n 4096, or LimitNOFILE=4096 in its unit";
    match limit {
        0..LEAST_FILES => Check::bad("files", said).next(next),
        LEAST_FILES..FILES => Check::warn("files", said).next(next),
        _ => Check::good("files", said),
    }
}

/// The limit of a running process; inner `None` if there is none.
fn limit_of(pid: i32) -> Option<Option<u64>> {
    let limits = fs::read_to_string(format!("/proc/{pid}/limits")).ok()?;
    let line = limits.lines().find_map(|line| line.strip_prefix("Max open files"))?;
    let soft = line.split_whitespace().next()?;
    Some(soft.parse().ok())
}
