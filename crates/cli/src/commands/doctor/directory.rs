//! The data directory: whether it is there, who may read its secrets, who holds its locks.

use super::{Check, Patient};
use crate::data::{DataDir, LOCKED, Whose};
use std::{
    fs::{self, File, TryLockError},
    io,
    os::unix::fs::{MetadataExt, PermissionsExt},
    path::Path,
};

/// Secrets with these names, and those of further executors.
const SECRETS: [&str; 3] = ["owner.key", "node.key", "api.token"];

/// What whoever may not look into a directory does about it.
const WHO: &str = "type commands as the user whose node it is";

/// That this user may not look into the directory, if it is so: then nothing more can be said of it.
pub(super) fn closed(data: &DataDir) -> Option<Check> {
    let looked = fs::metadata(data.root().join("."));
    looked.is_err_and(|error| error.kind() == io::ErrorKind::PermissionDenied).then(|| {
        let said = format!("You may not look into {}.", data.root().display());
        Check::bad("directory", said).next(WHO)
    })
}

/// What can be seen without the node.
pub(super) fn checks(data: &DataDir) -> Vec<Check> {
    let root = data.root();
    let shown = root.display();
    let which = match data.whose() {
        Whose::Named => "the one that was named",
        Whose::Own => "your own",
        Whose::Embedded => "that of the node that commands start in the background",
    };
    let Ok(metadata) = fs::metadata(root) else {
        let next = match data.whose() {
            Whose::Named => "is the name right? polity up makes it, with --genesis or --join",
            Whose::Own | Whose::Embedded => "polity run PROGRAM makes it",
        };
        return vec![
            Check::warn("directory", format!("{shown} is not there; it is {which}.")).next(next),
        ];
    };
    if !metadata.is_dir() {
        return vec![Check::bad("directory", format!("{shown} is no directory."))];
    }
    let mut checks = vec![genesis(data, which), keys(root)];
    if metadata.permissions().mode() & 0o022 != 0 {
        let said = format!("{shown} can be changed by others.");
        checks.push(Check::bad("directory", said).next(format!("chmod 700 {shown}")));
    }
    checks
}

fn genesis(data: &DataDir, which: &str) -> Check {
    let shown = data.root().display();
    match data.genesis() {
        Ok(Some(genesis)) => {
            let network = genesis.network();
            Check::good("directory", format!("{shown}, {which}, is of network {network}."))
        }
        Ok(None) => Check::warn("directory", format!("{shown}, {which}, is of no network yet."))
            .next("polity up --genesis FILE (a founder), or polity up --join -"),
        Err(error) => {
            Check { next: error.advice(), ..Check::bad("directory", format!("{error}.")) }
        }
    }
}

/// Whoever reads these files is this owner, or this node.
fn keys(root: &Path) -> Check {
    let further = (2..=16).map(|number| format!("node-{number}.key"));
    let (mut found, mut exposed, mut strange) = (0, Vec::new(), Vec::new());
    let me = rustix::process::geteuid().as_raw();
    for name in SECRETS.into_iter().map(String::from).chain(further) {
        let path = root.join(&name);
        let Ok(metadata) = fs::metadata(&path) else { continue };
        found += 1;
        if metadata.permissions().mode() & 0o077 != 0 {
            exposed.push(path.display().to_string());
        } else if metadata.uid() != me && File::open(&path).is_err() {
            strange.push(path.display().to_string());
        }
    }
    if !exposed.is_empty() {
        let files = exposed.join(" ");
        return Check::bad("keys", format!("Others can read what is secret: {files}."))
            .next(format!("if nobody else saw it, type: chmod 600 {files}"));
    }
    if !strange.is_empty() {
        let files = strange.join(" ");
        return Check::bad("keys", format!("They are another user's: {files}.")).next(WHO);
    }
    match found {
        0 => Check::good("keys", "There are none yet; they are made when they are needed."),
        _ => Check::good("keys", format!("Only you can read them (there are {found} secrets).")),
    }
}

/// Whether a process holds the locks that is not the node which says that it runs.
pub(super) fn locks(patient: &Patient<'_>) -> Check {
    let root = patient.data.root();
    let held = LOCKED.iter().any(|name| is_held(&root.join(name).join("lock")));
    match (held, patient.pid) {
        (false, None) => Check::good("locks", "Nobody holds them: a node can start."),
        (false, Some(pid)) => {
            Check::warn("locks", format!("The node (pid {pid}) runs and does not hold them."))
                .next("wait a moment: it starts, or it stops")
        }
        (true, Some(pid)) => Check::good("locks", format!("The node holds them (pid {pid}).")),
        (true, None) if patient.node.is_some() => {
            Check::good("locks", "The node holds them; its process cannot be seen from here.")
        }
        (true, None) => {
            let said = "Another process holds them: a node that starts, or one that stops.";
            Check::warn("locks", said)
                .next(format!("wait a moment, or find it with: fuser -v {}/*/lock", root.display()))
        }
    }
}

fn is_held(path: &Path) -> bool {
    let Ok(file) = File::open(path) else { return false };
    // The lock is let go with the file.
    matches!(file.try_lock_shared(), Err(TryLockError::WouldBlock))
}
