//! Compiled programs on disk, authenticated.
//!
//! This is the one place of the house that calls `unsafe` functions. The `deserialize` of wasmtime
//! trusts its bytes: altered ones would run as native code. So every file begins with a digest under a
//! secret key that only this node's user can read; a file whose digest does not hold, in whole or
//! for its name, is never given to wasmtime, and its program is compiled again.
#![allow(unsafe_code)]

use crate::Error;
use identity::Digest;
use std::{
    fs::{self, File, OpenOptions, Permissions},
    io::{ErrorKind, Read, Result, Write},
    os::unix::fs::{OpenOptionsExt, PermissionsExt},
    path::{Path, PathBuf},
    sync::atomic::{AtomicU64, Ordering},
    time::SystemTime,
};
use wasmtime::{Engine, Module, Precompiled, component::Component};

const KEY: &str = "key";
const SUFFIX: &str = "aot";
const UNFINISHED: &str = "new";
/// Bytes of the digest before the compiled program.
const TAG_BYTES: usize = 32;
/// A compiled program larger than this is not read.
const FILE_BYTES: u64 = 1 << 30;

/// A compiled program.
pub(crate) enum Code {
    Module(Module),
    Component(Component),
}

impl Code {
    fn serialize(&self) -> wasmtime::Result<Vec<u8>> {
        match self {
            Self::Module(module) => module.serialize(),
            Self::Component(component) => component.serialize(),
        }
    }
}

/// A directory of compiled programs.
pub(crate) struct Cache {
    directory: PathBuf,
    key: [u8; 32],
    limit_bytes: u64,
    /// Makes names of files that are not finished yet.
    written: AtomicU64,
}

impl Cache {
    /// Opens the directory, and makes it and its key if they are not there.
    pub(crate) fn open(directory: &Path, limit_bytes: u64) -> std::result::Result<Self, Error> {
        let failed = |path: &Path| {
            let path = path.to_owned();
            move |source| Error::Cache { path, source }
        };
        fs::create_dir_all(directory).map_err(failed(directory))?;
        remove_unfinished(directory).map_err(failed(directory))?;
        let path = directory.join(KEY);
        let key = match read_key(&path).map_err(failed(&path))? {
            Some(key) => key,
            None => {
                let mut key = [0; 32];
                getrandom::fill(&mut key).map_err(|error| Error::Randomness(error.to_string()))?;
                write_key(&path, &key).map_err(failed(&path))?;
                key
            }
        };
        let directory = directory.to_owned();
        Ok(Self { directory, key, limit_bytes, written: AtomicU64::new(0) })
    }

    /// The compiled program of this name, if it is here unaltered and fits the engine.
    pub(crate) fn load(&self, engine: &Engine, name: Digest) -> Option<Code> {
        let path = self.path(name);
        let bytes = match read_bounded(&path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == ErrorKind::NotFound => return None,
            Err(error) => {
                tracing::warn!(path = %path.display(), %error, "a compiled program cannot be read");
                return None;
            }
        };
        let (tag, code) = bytes.split_at_checked(TAG_BYTES)?;
        if !same(tag, self.tag(name, code).as_bytes()) {
            tracing::warn!(path = %path.display(), "a compiled program was altered; compiling again");
            return None;
        }
        match deserialize(engine, code) {
            Ok(code) => {
                touch(&path);
                Some(code)
            }
            Err(error) => {
                tracing::debug!(path = %path.display(), %error, "compiled for another engine");
                None
            }
        }
    }

    /// Keeps a compiled program. What cannot be kept is compiled again another time.
    pub(crate) fn store(&self, name: Digest, code: &Code) {
        let stored = code
            .serialize()
            .map_err(std::io::Error::other)
            .and_then(|code| self.write(name, &code))
            .and_then(|()| self.prune());
        if let Err(error) = stored {
            let directory = self.directory.display();
            tracing::warn!(%directory, %error, "a compiled program was not kept");
        }
    }

    fn write(&self, name: Digest, code: &[u8]) -> Result<()> {
        let number = self.written.fetch_add(1, Ordering::Relaxed);
        let unfinished =
            self.directory.join(format!("{}-{number}.{UNFINISHED}", std::process::id()));
        let written = private()
            .open(&unfinished)
            .and_then(|mut file| {
                file.write_all(self.tag(name, code).as_bytes())?;
                file.write_all(code)
            })
            .and_then(|()| fs::rename(&unfinished, self.path(name)));
        if written.is_err() {
            remove(&unfinished)?;
        }
        written
    }

    /// Removes what was not used for longest, until the rest fits.
    fn prune(&self) -> Result<()> {
        let mut kept = Vec::new();
        for entry in fs::read_dir(&self.directory)? {
            let path = entry?.path();
            let suffix = path.extension().and_then(|suffix| suffix.to_str());
            if suffix != Some(SUFFIX) {
                continue;
            }
            // Another thread may have removed it meanwhile.
            if let Ok(about) = fs::metadata(&path) {
                kept.push((about.modified()?, about.len(), path));
            }
        }
        let mut total: u64 = kept.iter().map(|(_, size_bytes, _)| size_bytes).sum();
        kept.sort_unstable();
        for (_, size_bytes, path) in kept {
            if total <= self.limit_bytes {
                break;
            }
            remove(&path)?;
            total -= size_bytes;
        }
        Ok(())
    }

    /// HMAC in shape: a digest under the key of a digest under the key.
    fn tag(&self, name: Digest, code: &[u8]) -> Digest {
        let inner = Digest::of("polity aot inner", &[&self.key, name.as_bytes(), code]);
        Digest::of("polity aot", &[&self.key, inner.as_bytes()])
    }

    fn path(&self, name: Digest) -> PathBuf {
        self.directory.join(format!("{name}.{SUFFIX}"))
    }
}

/// Loads a compiled program whose tag holds.
fn deserialize(engine: &Engine, code: &[u8]) -> wasmtime::Result<Code> {
    // SAFETY: `deserialize` asks for bytes that `serialize` made. The tag holds for exactly these
    // bytes, in our own memory, so `store` wrote them under the secret key, and `store` writes
    // nothing but what `serialize` gave. Another version or configuration of wasmtime is detected by
    // `deserialize` itself, and so is a module taken for a component.
    unsafe {
        match Engine::detect_precompiled(code) {
            Some(Precompiled::Component) => {
                Component::deserialize(engine, code).map(Code::Component)
            }
            _ => Module::deserialize(engine, code).map(Code::Module),
        }
    }
}

/// The key, if there is one that nobody else could read.
fn read_key(path: &Path) -> Result<Option<[u8; 32]>> {
    let mut file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    let about = file.metadata()?;
    if about.permissions().mode() & 0o077 != 0 || about.len() != 32 {
        tracing::warn!(path = %path.display(), "others could read or write this key; replacing it");
        return Ok(None);
    }
    let mut key = [0; 32];
    file.read_exact(&mut key)?;
    Ok(Some(key))
}

fn write_key(path: &Path, key: &[u8; 32]) -> Result<()> {
    let unfinished = path.with_extension(UNFINISHED);
    remove(&unfinished)?;
    let mut file = private().open(&unfinished)?;
    file.set_permissions(Permissions::from_mode(0o600))?;
    file.write_all(key)?;
    fs::rename(&unfinished, path)
}

/// Makes a new file that only this user can read.
fn private() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true).mode(0o600);
    options
}

fn read_bounded(path: &Path) -> Result<Vec<u8>> {
    let file = File::open(path)?;
    let size_bytes = file.metadata()?.len();
    if size_bytes > FILE_BYTES {
        return Err(std::io::Error::other(format!("{size_bytes} bytes are too many")));
    }
    let mut bytes = Vec::new();
    file.take(FILE_BYTES).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// Removes what an earlier process did not finish.
fn remove_unfinished(directory: &Path) -> Result<()> {
    for entry in fs::read_dir(directory)? {
        let path = entry?.path();
        if path.extension().is_some_and(|suffix| suffix == UNFINISHED) {
            remove(&path)?;
        }
    }
    Ok(())
}

fn remove(path: &Path) -> Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// Marks a file as used now.
fn touch(path: &Path) {
    let touched = File::options()
        .append(true)
        .open(path)
        .and_then(|file| file.set_modified(SystemTime::now()));
    if let Err(error) = touched {
        tracing::debug!(path = %path.display(), %error, "the time of use was not noted");
    }
}

/// Compares without telling by its duration where the first difference is.
fn same(a: &[u8], b: &[u8]) -> bool {
    a.len() == b.len() && a.iter().zip(b).fold(0, |difference, (a, b)| difference | (a ^ b)) == 0
}

#[cfg(test)]
mod tests {
    use super::{Cache, Code, Component, Digest, Module};
    use crate::settings;
    use std::{fs, os::unix::fs::PermissionsExt, path::Path};
    use wasmtime::Engine;

    fn engine() -> Engine {
        Engine::new(&settings::wasmtime()).unwrap()
    }

    fn module(engine: &Engine) -> Code {
        let bytes = wat::parse_str("(module (func (export \"f\")))").unwrap();
        Code::Module(Module::new(engine, bytes).unwrap())
    }

    fn aot_file(directory: &Path) -> std::path::PathBuf {
        let mut files = fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path());
        files.find(|path| path.extension().is_some_and(|suffix| suffix == "aot")).unwrap()
    }

    #[test]
    fn what_is_kept_is_loaded_by_the_same_key_only() {
        let directory = tempfile::tempdir().unwrap();
        let (engine, name) = (engine(), Digest::plain(b"a"));
        Cache::open(directory.path(), 1 << 20).unwrap().store(name, &module(&engine));
        let again = Cache::open(directory.path(), 1 << 20).unwrap();
        assert!(again.load(&engine, name).is_some());
        assert!(again.load(&engine, Digest::plain(b"b")).is_none());
        fs::remove_file(directory.path().join("key")).unwrap();
        assert!(Cache::open(directory.path(), 1 << 20).unwrap().load(&engine, name).is_none());
    }

    #[test]
    fn a_component_is_loaded_as_a_component_and_a_module_as_a_module() {
        let directory = tempfile::tempdir().unwrap();
        let engine = engine();
        let component = Component::new(&engine, wat::parse_str("(component)").unwrap()).unwrap();
        let cache = Cache::open(directory.path(), 1 << 20).unwrap();
        let (one, other) = (Digest::plain(b"a"), Digest::plain(b"b"));
        cache.store(one, &Code::Component(component));
        cache.store(other, &module(&engine));
        assert!(matches!(cache.load(&engine, one), Some(Code::Component(_))));
        assert!(matches!(cache.load(&engine, other), Some(Code::Module(_))));
    }

    #[test]
    fn no_altered_file_is_loaded() {
        let directory = tempfile::tempdir().unwrap();
        let (engine, name) = (engine(), Digest::plain(b"a"));
        let cache = Cache::open(directory.path(), 1 << 20).unwrap();
        cache.store(name, &module(&engine));
        let path = aot_file(directory.path());
        let bytes = fs::read(&path).unwrap();
        for at in [0, 31, 32, bytes.len() / 2, bytes.len() - 1] {
            let mut altered = bytes.clone();
            altered[at] ^= 1;
            fs::write(&path, altered).unwrap();
            assert!(cache.load(&engine, name).is_none(), "byte {at}");
        }
        for altered in [&bytes[..bytes.len() - 1], &bytes[..20], &[]] {
            fs::write(&path, altered).unwrap();
            assert!(cache.load(&engine, name).is_none(), "{} bytes", altered.len());
        }
        fs::write(&path, &bytes).unwrap();
        assert!(cache.load(&engine, name).is_some());
        // The file of one program under the name of another.
        let other = Digest::plain(b"b");
        fs::copy(&path, cache.path(other)).unwrap();
        assert!(cache.load(&engine, other).is_none());
    }

    #[test]
    fn the_key_is_private_and_replaced_if_it_was_not() {
        let directory = tempfile::tempdir().unwrap();
        let first = Cache::open(directory.path(), 1 << 20).unwrap().key;
        let path = directory.path().join("key");
        let mode = fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        assert_eq!(Cache::open(directory.path(), 1 << 20).unwrap().key, first);
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
        let second = Cache::open(directory.path(), 1 << 20).unwrap().key;
        assert_ne!(first, second);
        fs::write(&path, b"short").unwrap();
        assert_ne!(Cache::open(directory.path(), 1 << 20).unwrap().key, second);
    }

    #[test]
    fn the_directory_is_kept_below_its_limit() {
        let directory = tempfile::tempdir().unwrap();
        let engine = engine();
        let module = module(&engine);
        let size_bytes = module.serialize().unwrap().len() as u64 + 32;
        let cache = Cache::open(directory.path(), size_bytes * 2).unwrap();
        for name in 0..5u8 {
            cache.store(Digest::plain(&[name]), &module);
        }
        let kept = (0..5u8).filter(|name| cache.load(&engine, Digest::plain(&[*name])).is_some());
        assert_eq!(kept.count(), 2);
    }
}
