//! Content on real nodes: between them, after the loss of some, and over HTTP.

#![allow(clippy::unwrap_used)]

#[path = "../society/mod.rs"]
mod society;

mod content;
mod durable;
mod http;
mod load;

use protocol::Params;
use society::{Node, Said, found};
use std::{
    fs,
    path::{Path, PathBuf},
};

/// Nodes of different owners that see each other.
struct Society {
    nodes: Vec<Option<Node>>,
    homes: Vec<PathBuf>,
    dir: tempfile::TempDir,
}

impl Society {
    /// With these settings beside what each node has anyway.
    fn up(count: u8, settings: impl Fn(usize) -> String) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let homes = found(dir.path(), count, 1, Params::default());
        let genesis = dir.path().join("genesis.polity");
        let mut society = Self { nodes: Vec::new(), homes, dir };
        for (at, home) in society.homes.iter().enumerate() {
            fs::write(home.join("config.toml"), settings(at)).unwrap();
        }
        for home in &society.homes {
            let args = ["--genesis", genesis.to_str().unwrap()];
            society.nodes.push(Some(Node::up(home, &args, None)));
        }
        for node in society.nodes.iter_mut().flatten() {
            node.ready(u64::from(count));
        }
        society
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn node(&mut self, at: usize) -> &mut Node {
        self.nodes[at].as_mut().expect("it runs")
    }

    fn kill(&mut self, at: usize) {
        self.nodes[at].take().expect("it runs").kill();
    }

    fn say(&mut self, at: usize, args: &[&str]) -> Said {
        self.node(at).polity(args)
    }
}

/// Bytes that look like nothing.
fn noise(seed: u64, bytes: usize) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()
    };
    (0..bytes.div_ceil(8)).flat_map(|_| next()).take(bytes).collect()
}

fn tree(dir: &Path) {
    fs::create_dir_all(dir.join("sub/empty")).unwrap();
    fs::write(dir.join("large"), noise(1, (5 << 20) + 77)).unwrap();
    for n in 0..50 {
        fs::write(dir.join(format!("sub/{n}.txt")), format!("{n}\n")).unwrap();
    }
    std::os::unix::fs::symlink("large", dir.join("link")).unwrap();
}

/// What a tree holds, as text.
fn listing(dir: &Path) -> Vec<(String, Vec<u8>)> {
    let (mut found, mut open) = (Vec::new(), vec![dir.to_path_buf()]);
    while let Some(at) = open.pop() {
        for entry in fs::read_dir(at).unwrap() {
            let path = entry.unwrap().path();
            let name = path.strip_prefix(dir).unwrap().to_string_lossy().into_owned();
            if path.is_symlink() {
                let target = fs::read_link(&path).unwrap();
                found.push((name, target.to_string_lossy().into_owned().into_bytes()));
            } else if path.is_dir() {
                found.push((name, Vec::new()));
                open.push(path);
            } else {
                found.push((name, fs::read(&path).unwrap()));
            }
        }
    }
    found.sort();
    found
}
