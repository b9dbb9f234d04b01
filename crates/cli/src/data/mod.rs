//! The directory that a node and its owner's commands share.
//!
//! ```text
//! owner.key        0600  the owner's secret key, made when it is first needed
//! node.key         0600  the node's secret key, likewise
//! genesis.polity         the network that this directory belongs to
//! settings.json          how the node is reached (`polity key show --listen`)
//! node-2.key …     0600  those of further executors in the same process
//! api.json               which process the node is, and where its API listens; while it runs
//! orders/                what was ordered from here, to find it again while it runs
//! api.token        0600  what the API asks for, made at the first start
//! start.lock       0600  held by whoever starts a node in the background
//! node.lock        0600  held by that node until its process is over
//! node.log         0600  what a node in the background has to say, and node.log.1 before it
//! ```
//!
//! Everything else in it is the node's.

mod error;
mod key_file;
mod process;
mod settings;

pub use error::Error;
pub(crate) use error::plain;
pub use process::Process;
pub use settings::Settings;

use crate::{failure::Failure, machine};
use identity::SecretKey;
use protocol::{Genesis, Time};
use serde::{Deserialize, Serialize};
use std::{
    fs::{self, DirBuilder, File, OpenOptions},
    io::{self, Write},
    net::SocketAddr,
    os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt},
    path::{Path, PathBuf},
};
use zeroize::Zeroizing;

/// Bytes of any file that is read whole here, apart from the genesis.
const SMALL_BYTES: u64 = 64 << 10;
/// Name of the file with the genesis.
const GENESIS: &str = "genesis.polity";
/// Name of the file that says where the API is.
const API: &str = "api.json";
/// Directories that a node locks while it runs.
pub(crate) const LOCKED: [&str; 3] = ["chain", "cluster", "store"];

/// A data directory. Nothing is created before it is needed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DataDir {
    root: PathBuf,
    whose: Whose,
}

/// Why a directory is the one to use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Whose {
    /// Somebody named it.
    Named,
    /// It is where a person's own node usually is.
    Own,
    /// It is the one of the node that commands start in the background.
    Embedded,
}

/// Where the API of a running node is.
#[derive(Clone, Debug)]
pub struct ApiPlace {
    /// Its address.
    pub addr: SocketAddr,
    /// Its token.
    pub token: Zeroizing<String>,
    /// The node's process, if it said so.
    pub run: Option<Run>,
}

/// A run of a node.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Run {
    /// Its process.
    pub process: Process,
    /// The program's version.
    pub version: String,
    /// When its door opened.
    pub since: Time,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct ApiFile {
    addr: SocketAddr,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    run: Option<Run>,
}

impl DataDir {
    /// The directory at `root`.
    pub fn at(root: impl Into<PathBuf>) -> Self {
        Self { root: root.into(), whose: Whose::Named }
    }

    /// The directory of a person's own node when none is named: `$POLITY_DATA`, else `polity` in
    /// the XDG data home (XDG Base Directory Specification).
    ///
    /// # Errors
    /// [`Error::NoHome`].
    pub fn usual() -> Result<Self, Error> {
        if let Some(data) = std::env::var_os("POLITY_DATA").filter(|data| !data.is_empty()) {
            return Ok(Self::at(data));
        }
        Ok(Self { root: share()?.join("polity"), whose: Whose::Own })
    }

    /// The directory of the node that commands start in the background: `polity-embedded` in the
    /// XDG data home.
    ///
    /// # Errors
    /// [`Error::NoHome`].
    pub fn embedded() -> Result<Self, Error> {
        Ok(Self { root: share()?.join("polity-embedded"), whose: Whose::Embedded })
    }

    /// The directory of the node that commands talk to when none is named: the usual one, or, if
    /// nobody named that and it belongs to no network, the one of the node in the background.
    ///
    /// # Errors
    /// [`Error::NoHome`], or what the file system says.
    pub fn to_use() -> Result<Self, Error> {
        let usual = Self::usual()?;
        if usual.whose == Whose::Own && !exists(&usual.root.join(GENESIS))? {
            return Self::embedded();
        }
        Ok(usual)
    }

    /// Why it is the one to use.
    pub(crate) fn whose(&self) -> Whose {
        self.whose
    }

    /// Where it is.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Makes the directory, readable by its owner only, if it is not there.
    ///
    /// # Errors
    /// What the file system says.
    pub fn create(&self) -> Result<(), Error> {
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(&self.root)
            .map_err(|error| Error::io(&self.root, error))
    }

    /// The owner's key, if this directory has one.
    ///
    /// # Errors
    /// If there is one that cannot be used.
    pub fn owner_key(&self) -> Result<Option<SecretKey>, Error> {
        key_file::read(&self.root.join("owner.key"), "owner")
    }

    /// The owner's key. It is made of `entropy` if there is none; an existing one never changes.
    ///
    /// # Errors
    /// If there is one that cannot be used, or none can be made.
    pub fn owner_key_or_new(&self, entropy: [u8; 32]) -> Result<SecretKey, Error> {
        self.create()?;
        key_file::read_or_new(&self.root.join("owner.key"), "owner", entropy)
    }

    /// The node's key, if this directory has one.
    ///
    /// # Errors
    /// If there is one that cannot be used.
    pub fn node_key(&self) -> Result<Option<SecretKey>, Error> {
        key_file::read(&self.root.join("node.key"), "node")
    }

    /// The node's key. It is made of `entropy` if there is none; an existing one never changes.
    ///
    /// # Errors
    /// If there is one that cannot be used, or none can be made.
    pub fn node_key_or_new(&self, entropy: [u8; 32]) -> Result<SecretKey, Error> {
        self.create()?;
        key_file::read_or_new(&self.root.join("node.key"), "node", entropy)
    }

    /// The key of a further executor in the node's process, from 2 on. It is made of `entropy` if
    /// there is none; an existing one never changes.
    ///
    /// # Errors
    /// If there is one that cannot be used, or none can be made.
    pub fn executor_key_or_new(&self, number: u8, entropy: [u8; 32]) -> Result<SecretKey, Error> {
        self.create()?;
        key_file::read_or_new(&self.root.join(format!("node-{number}.key")), "node", entropy)
    }

    /// The genesis of the network that this directory belongs to.
    ///
    /// # Errors
    /// If there is one that cannot be read.
    pub fn genesis(&self) -> Result<Option<Genesis>, Error> {
        let path = self.root.join(GENESIS);
        if !exists(&path)? {
            return Ok(None);
        }
        read_genesis(&path).map(Some)
    }

    /// Makes the directory belong to a network. It belongs to one for ever.
    ///
    /// # Errors
    /// [`Error::OtherNetwork`] if it belongs to another one.
    pub fn keep_genesis(&self, genesis: &Genesis) -> Result<(), Error> {
        self.create()?;
        let path = self.root.join(GENESIS);
        if let Some(kept) = self.genesis()? {
            let (kept, given) = (kept.network(), genesis.network());
            let same = kept == given;
            return if same { Ok(()) } else { Err(Error::OtherNetwork { path, kept, given }) };
        }
        create_new(&path, &genesis.encode(), 0o644).map_err(|error| Error::io(&path, error))
    }

    /// How the node is reached.
    ///
    /// # Errors
    /// If the file cannot be read.
    pub fn settings(&self) -> Result<Settings, Error> {
        let path = self.root.join("settings.json");
        match read_small(&path)? {
            Some(bytes) => serde_json::from_slice(&bytes)
                .map_err(|error| Error::Malformed { path, reason: error.to_string() }),
            None => Ok(Settings::default()),
        }
    }

    /// Keeps how the node is reached.
    ///
    /// # Errors
    /// What the file system says.
    pub fn set_settings(&self, settings: &Settings) -> Result<(), Error> {
        self.create()?;
        let bytes = serde_json::to_vec_pretty(settings).expect("settings have a JSON form");
        let path = self.root.join("settings.json");
        replace(&path, &bytes, 0o644).map_err(|error| Error::io(&path, error))
    }

    /// Says where the API of this process is and what it asks for. For the node, when it listens.
    ///
    /// # Errors
    /// What the file system says.
    pub fn set_api(&self, addr: SocketAddr, token: &str) -> Result<(), Error> {
        let path = self.root.join("api.token");
        replace(&path, token.as_bytes(), 0o600).map_err(|error| Error::io(&path, error))?;
        let path = self.root.join(API);
        let process = Process::current().map_err(|error| Error::io("/proc/self", error))?;
        let version = env!("CARGO_PKG_VERSION").to_string();
        let run = Some(Run { process, version, since: machine::now() });
        let bytes = serde_json::to_vec(&ApiFile { addr, run }).expect("it has a JSON form");
        replace(&path, &bytes, 0o644).map_err(|error| Error::io(&path, error))
    }

    /// Says that the API is gone. For the node, when it stops. The token stays, so that commands
    /// which wait find the node again after its next start.
    ///
    /// # Errors
    /// What the file system says.
    pub fn remove_api(&self) -> Result<(), Error> {
        let path = self.root.join(API);
        match fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(Error::io(&path, error)),
            _ => Ok(()),
        }
    }

    /// Where the node's API is; `None` if no node runs here. It may have died since.
    ///
    /// # Errors
    /// If the files are there and cannot be used.
    pub fn api(&self) -> Result<Option<ApiPlace>, Error> {
        let path = self.root.join(API);
        let Some(bytes) = read_small(&path)? else { return Ok(None) };
        let file: ApiFile = serde_json::from_slice(&bytes)
            .map_err(|error| Error::Malformed { path, reason: error.to_string() })?;
        let ApiFile { addr, run } = file;
        Ok(self.token()?.map(|token| ApiPlace { addr, token, run }))
    }

    /// A file to be locked.
    ///
    /// # Errors
    /// What the file system says.
    pub(crate) fn lock_file(&self, name: &str) -> Result<File, Error> {
        self.create()?;
        let path = self.root.join(name);
        let mut options = OpenOptions::new();
        options.create(true).truncate(false).write(true).mode(0o600);
        options.open(&path).map_err(|error| Error::io(path, error))
    }

    /// The process that holds what a node locks, from the beginning of its start to the end of its
    /// stop, if it may be seen. A node that starts is not disturbed.
    pub(crate) fn holder(&self) -> Option<i32> {
        let locks = fs::read_to_string("/proc/locks").ok()?;
        let held = |name| process::holder(&locks, &self.root.join(name).join("lock"));
        LOCKED.into_iter().find_map(held)
    }

    /// Where a node in the background writes its log.
    pub(crate) fn log(&self) -> PathBuf {
        self.root.join("node.log")
    }

    /// What the API asks for, since the first start.
    ///
    /// # Errors
    /// If there is a token that others can read, or that is no text.
    pub fn token(&self) -> Result<Option<Zeroizing<String>>, Error> {
        let path = self.root.join("api.token");
        if !exists(&path)? {
            return Ok(None);
        }
        check_private(&path)?;
        let Some(token) = read_small(&path)? else { return Ok(None) };
        let token = String::from_utf8(token)
            .map_err(|_| Error::Malformed { path, reason: "it is no text".into() })?;
        Ok(Some(Zeroizing::new(token)))
    }
}

/// Where a person's data is.
fn share() -> Result<PathBuf, Error> {
    let absolute = |name| {
        std::env::var_os(name).map(PathBuf::from).filter(|path: &PathBuf| path.is_absolute())
    };
    absolute("XDG_DATA_HOME")
        .or_else(|| absolute("HOME").map(|home| home.join(".local/share")))
        .ok_or(Error::NoHome)
}

/// Reads a genesis document from a file.
///
/// # Errors
/// If it cannot be read, or is none.
pub fn read_genesis(path: &Path) -> Result<Genesis, Error> {
    let limit_bytes = protocol::limits::GENESIS_BYTES as u64;
    let bytes = read_bounded(path, limit_bytes).map_err(|error| Error::io(path, error))?;
    Genesis::decode(&bytes)
        .map_err(|error| Error::Malformed { path: path.into(), reason: error.to_string() })
}

/// Reads a genesis document that a person names.
pub(crate) fn named_genesis(path: &Path) -> Result<Genesis, Failure> {
    read_genesis(path).map_err(|error| match error {
        Error::Io { error, .. } => Failure::file(path, &error),
        _ => Failure::usage(format!("{} is no genesis, or a damaged one", path.display()))
            .next("is this the file that 'polity found' wrote?"),
    })
}

/// Reads a file of at most `limit_bytes`.
pub(crate) fn read_bounded(path: &Path, limit_bytes: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    io::Read::read_to_end(&mut io::Read::take(File::open(path)?, limit_bytes + 1), &mut bytes)?;
    if bytes.len() as u64 > limit_bytes {
        let reason = format!("more than {limit_bytes} bytes");
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, reason));
    }
    Ok(bytes)
}

fn read_small(path: &Path) -> Result<Option<Vec<u8>>, Error> {
    match read_bounded(path, SMALL_BYTES) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(Error::io(path, error)),
    }
}

fn exists(path: &Path) -> Result<bool, Error> {
    path.try_exists().map_err(|error| Error::io(path, error))
}

/// Refuses a secret that others can read.
fn check_private(path: &Path) -> Result<(), Error> {
    let metadata = fs::metadata(path).map_err(|error| Error::io(path, error))?;
    let mode = metadata.permissions().mode() & 0o777;
    if mode & 0o077 == 0 { Ok(()) } else { Err(Error::Exposed { path: path.into(), mode }) }
}

/// Writes a file that must not be there yet. It appears whole and durable, or not at all.
fn create_new(path: &Path, bytes: &[u8], mode: u32) -> io::Result<()> {
    let dir = directory_of(path);
    let draft = draft(dir, bytes, mode)?;
    fs::hard_link(&draft, path)?;
    File::open(dir)?.sync_all()
}

/// Writes a file, in place of one that may be there. It changes whole and durable, or not at all.
fn replace(path: &Path, bytes: &[u8], mode: u32) -> io::Result<()> {
    let dir = directory_of(path);
    draft(dir, bytes, mode)?.persist(path)?;
    File::open(dir)?.sync_all()
}

fn directory_of(path: &Path) -> &Path {
    path.parent().filter(|dir| !dir.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// A file under another name in the same directory; it goes away if it is not persisted.
fn draft(dir: &Path, bytes: &[u8], mode: u32) -> io::Result<tempfile::TempPath> {
    let make = |path: &Path| OpenOptions::new().write(true).create_new(true).mode(mode).open(path);
    let mut file = tempfile::Builder::new().prefix(".draft-").make_in(dir, make)?;
    file.write_all(bytes)?;
    file.as_file().sync_all()?;
    Ok(file.into_temp_path())
}

/// Writes a file that must not be there yet, for other commands: it is readable by everybody.
pub(crate) fn write_new(path: &Path, bytes: &[u8]) -> io::Result<()> {
    create_new(path, bytes, 0o644)
}

#[cfg(test)]
mod tests;
