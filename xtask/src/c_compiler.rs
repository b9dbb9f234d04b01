//! Finds, or installs, a C compiler for the guest that is written in C.

use crate::{
    project::Project,
    setup::{apt, is_root},
    steps::{Steps, succeeds},
};
use anyhow::{Context as _, bail};
use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

/// A clang that can make WASI programs.
pub(crate) struct CCompiler {
    clang: PathBuf,
    sysroot: PathBuf,
    /// Its name of WASI preview 1.
    target: &'static str,
}

/// Debian's names of the compiler, newest first, and where its package wasi-libc puts the library.
const CLANGS: [&str; 6] = ["clang-21", "clang-20", "clang-19", "clang-18", "clang", "clang-14"];
const SYSROOT: &str = "/usr";
/// Sets of Debian packages, the first of which that can be installed is taken.
const PACKAGES: [&[&str]; 2] = [
    &["clang-19", "lld-19", "libclang-rt-19-dev-wasm32", "wasi-libc"],
    &["clang", "lld", "libclang-rt-dev-wasm32", "wasi-libc"],
];

impl CCompiler {
    /// Looks for one; where there is none, installs Debian's if this is root on a Debian.
    pub(crate) fn find_or_install(project: &Project, steps: &mut Steps) -> anyhow::Result<Self> {
        if let Some(found) = Self::find(project)? {
            return Ok(found);
        }
        let by_hand = format!(
            "no C compiler for WASI was found. Install one and try again:\n  \
             Debian, Ubuntu: apt-get install {}\n  \
             elsewhere: unpack wasi-sdk and set WASI_SDK_PATH to its directory",
            PACKAGES[0].join(" ")
        );
        if !is_root() || !succeeds(Command::new("apt-get").arg("--version")) {
            bail!(by_hand);
        }
        install(steps)?;
        Self::find(project)?.context(by_hand)
    }

    /// The first candidate that builds a small program.
    fn find(project: &Project) -> anyhow::Result<Option<Self>> {
        let sdk = std::env::var_os("WASI_SDK_PATH").map(PathBuf::from);
        let from_sdk = sdk.map(|path| Self {
            clang: path.join("bin/clang"),
            sysroot: path.join("share/wasi-sysroot"),
            target: "wasm32-wasip1",
        });
        let from_debian = CLANGS.map(|name| Self {
            clang: name.into(),
            sysroot: SYSROOT.into(),
            target: "wasm32-wasi",
        });
        let directory = project.target.join("xtask");
        fs::create_dir_all(&directory).with_context(|| directory.display().to_string())?;
        let source = directory.join("probe.c");
        fs::write(&source, "#include <stdio.h>\nint main(void) { return puts(\"\") < 0; }\n")?;
        let output = directory.join("probe.wasm");
        let mut candidates = from_sdk.into_iter().chain(from_debian);
        Ok(candidates.find(|candidate| {
            succeeds(candidate.compile(&mut Command::new(&candidate.clang), &source, &output))
        }))
    }

    /// The command that makes a program of one source file.
    pub(crate) fn command(&self, steps: &Steps, source: &Path, output: &Path) -> Command {
        let mut command = steps.command(&self.clang);
        self.compile(&mut command, source, output);
        command
    }

    /// A shell script that stands for it where somebody types `clang`. It names the whole path: the
    /// script may be found under the compiler's own name.
    pub(crate) fn script(&self) -> String {
        let path = std::env::var_os("PATH").unwrap_or_default();
        let mut places = std::env::split_paths(&path).map(|at| at.join(&self.clang));
        let clang = places.find(|at| at.is_file()).unwrap_or_else(|| self.clang.clone());
        let (clang, sysroot) = (clang.display(), self.sysroot.display());
        format!("#!/bin/sh\nexec '{clang}' \"$@\" '--sysroot={sysroot}'\n")
    }

    fn compile<'a>(
        &self,
        command: &'a mut Command,
        source: &Path,
        output: &Path,
    ) -> &'a mut Command {
        command
            .arg(format!("--target={}", self.target))
            .args(["-O2", "-Wall", "-Wextra", "-Werror", "-Wl,--strip-all"])
            .arg(format!("--sysroot={}", self.sysroot.display()))
            .arg("-o")
            .arg(output)
            .arg(source)
    }
}

fn install(steps: &mut Steps) -> anyhow::Result<()> {
    let mut update = apt(steps, "update");
    steps.run("Debian's list of packages", &mut update)?;
    for packages in PACKAGES {
        let line = format!("install --no-install-recommends {}", packages.join(" "));
        let mut install = apt(steps, &line);
        if steps.status("C compiler for WASI", &mut install)?.success() {
            return Ok(());
        }
    }
    bail!("apt-get could not install {}; see above", PACKAGES[0].join(" "))
}
