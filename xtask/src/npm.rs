//! Installs packages from npm, exactly those of a lock file.

use crate::{
    setup::{apt, is_root},
    steps::{Steps, succeeds},
};
use anyhow::{Context as _, bail, ensure};
use std::{
    fs, io,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
    process::Command,
};

/// The oldest Node.js that can install everything.
const NODE_MAJOR: u32 = 18;
const PACKAGES: &str = "nodejs npm";
/// What names all packages and their versions.
const FILES: [&str; 2] = ["package.json", "package-lock.json"];

/// The directory `node_modules` in `built` with what the files in `source` ask for; `proof` is a
/// path in it that is there when they are.
pub(crate) fn find_or_install(
    steps: &mut Steps,
    what: &str,
    (source, built): (&Path, &Path),
    proof: &str,
) -> anyhow::Result<PathBuf> {
    let modules = built.join("node_modules");
    if is_current(source, built) && modules.join(proof).exists() {
        return Ok(modules);
    }
    node(steps)?;
    fs::create_dir_all(built).with_context(|| built.display().to_string())?;
    for file in FILES {
        let (from, to) = (source.join(file), built.join(file));
        fs::copy(&from, to).with_context(|| from.display().to_string())?;
    }
    // `npm ci` would refuse a list that lacks packages for other machines, which nobody can list who
    // cannot get them. This takes the same versions, checked by the same hashes.
    let mut install = steps.command("npm");
    install.args(["install", "--no-save", "--no-audit", "--no-fund", "--no-update-notifier"]);
    install.arg("--ignore-scripts");
    let installed = steps.run(what, install.current_dir(built));
    if installed.is_err() {
        // Half of it must not look like all of it the next time.
        fs::remove_dir_all(built).with_context(|| built.display().to_string())?;
    }
    installed.map(|()| modules)
}

/// Whether what was installed is what is asked for.
fn is_current(source: &Path, built: &Path) -> bool {
    FILES.iter().all(|file| {
        let (asked, installed) = (fs::read(source.join(file)), fs::read(built.join(file)));
        matches!((asked, installed), (Ok(asked), Ok(installed)) if asked == installed)
    })
}

/// Makes sure that Node.js and npm are there.
fn node(steps: &mut Steps) -> anyhow::Result<()> {
    let npm = || succeeds(Command::new("npm").arg("--version"));
    let by_hand = format!(
        "Node.js {NODE_MAJOR} or later and npm are needed for some tests. Install them and try \
         again:\n  Debian, Ubuntu: apt-get install {PACKAGES}"
    );
    if major().is_none() || !npm() {
        if !is_root() || !succeeds(Command::new("apt-get").arg("--version")) {
            bail!(by_hand);
        }
        let mut update = apt(steps, "update");
        steps.run("Debian's list of packages", &mut update)?;
        let mut install = apt(steps, &format!("install --no-install-recommends {PACKAGES}"));
        steps.run("Node.js and npm", &mut install)?;
    }
    let found = major().context(by_hand.clone())?;
    ensure!(found >= NODE_MAJOR && npm(), "found Node.js {found}, but {by_hand}");
    Ok(())
}

/// The first number of the version of Node.js, if it is there.
pub(crate) fn major() -> Option<u32> {
    let output = Command::new("node").arg("--version").output().ok()?;
    major_of(std::str::from_utf8(&output.stdout).ok()?)
}

fn major_of(version: &str) -> Option<u32> {
    version.trim().strip_prefix('v')?.split('.').next()?.parse().ok()
}

/// Makes `link` point to `to`, wherever it pointed before.
pub(crate) fn link(to: &Path, link: &Path) -> anyhow::Result<()> {
    match fs::remove_file(link) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => symlink(to, link),
    }
    .with_context(|| link.display().to_string())
}

#[cfg(test)]
mod tests {
    use super::{FILES, is_current, major_of};
    use std::fs;

    #[test]
    fn the_version_of_node_is_read() {
        assert_eq!(major_of("v18.19.0\n"), Some(18));
        assert_eq!(major_of("18"), None);
    }

    #[test]
    fn another_version_is_installed_anew() {
        let (source, built) = (tempfile::tempdir().expect("a"), tempfile::tempdir().expect("b"));
        for file in FILES {
            fs::write(source.path().join(file), "1").expect("written");
        }
        assert!(!is_current(source.path(), built.path()));
        for file in FILES {
            fs::write(built.path().join(file), "1").expect("written");
        }
        assert!(is_current(source.path(), built.path()));
        fs::write(source.path().join(FILES[1]), "2").expect("written");
        assert!(!is_current(source.path(), built.path()));
    }
}
