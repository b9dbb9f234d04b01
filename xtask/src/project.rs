//! Where things are in this checkout.

use anyhow::{Context as _, ensure};
use std::{ffi::OsString, path::PathBuf, process::Command};

/// The checkout and its target directory.
pub(crate) struct Project {
    /// The root of the workspace.
    pub(crate) root: PathBuf,
    /// Cargo's target directory.
    pub(crate) target: PathBuf,
}

impl Project {
    /// Asks cargo, in the directory of this crate.
    pub(crate) fn find() -> anyhow::Result<Self> {
        let here = std::env::var_os("CARGO_MANIFEST_DIR")
            .context("run this as `cargo xtask`, which tells it where the checkout is")?;
        let output = Command::new(cargo())
            .args(["metadata", "--no-deps", "--format-version", "1"])
            .current_dir(here)
            .output()
            .context("cargo cannot be run")?;
        ensure!(
            output.status.success(),
            "cargo metadata failed:\n{}",
            String::from_utf8_lossy(&output.stderr)
        );
        let metadata: serde_json::Value =
            serde_json::from_slice(&output.stdout).context("cargo metadata printed no JSON")?;
        let path = |key: &str| {
            let text =
                metadata[key].as_str().with_context(|| format!("cargo metadata: no {key}"))?;
            anyhow::Ok(PathBuf::from(text))
        };
        Ok(Self { root: path("workspace_root")?, target: path("target_directory")? })
    }

    /// Where the guests' sources are.
    pub(crate) fn guest_sources(&self) -> PathBuf {
        self.root.join("examples/guests")
    }

    /// Where Helia is, and the Node.js that runs it.
    pub(crate) fn helia(&self) -> PathBuf {
        self.target.join("helia")
    }

    /// Where the built guests are, as `NAME.wasm`.
    pub(crate) fn guests(&self) -> PathBuf {
        self.target.join("guests")
    }
}

/// The cargo that runs this program.
pub(crate) fn cargo() -> OsString {
    std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into())
}
