//! A disk in memory that loses power: whatever was not synced is then kept, dropped or torn, as a
//! seed says. It can be full, too.

use super::{Disk, DiskFile, Mode};
use crate::lock::lock;
use sim::Random;
use std::{
    collections::BTreeMap,
    io,
    path::{Path, PathBuf},
    sync::{Arc, Mutex},
};

/// What is written as a whole or not at all.
const SECTOR_BYTES: usize = 512;
/// Bytes that are said to be free.
const FREE_BYTES: u64 = 1 << 40;

/// The disk. Clones are the same one.
#[derive(Clone, Debug)]
pub(crate) struct PowerDisk(Arc<Mutex<State>>);

#[derive(Debug)]
struct State {
    random: Random,
    files: Vec<Inode>,
    /// What is seen now.
    names: BTreeMap<PathBuf, usize>,
    /// What survives.
    kept_names: BTreeMap<PathBuf, usize>,
    /// Changes of names since their directory was synced, in order.
    changes: Vec<(PathBuf, Option<usize>)>,
    /// Changes before the power goes; `None`: it stays.
    left: Option<u64>,
    /// Writes before the disk is full; `None`: it is not.
    room: Option<u64>,
    is_off: bool,
    /// Counts the starts: files of an earlier one are dead.
    starts: u64,
}

#[derive(Debug, Default)]
struct Inode {
    now: Vec<u8>,
    kept: Vec<u8>,
    changes: Vec<Change>,
}

#[derive(Debug)]
enum Change {
    Write(usize, Vec<u8>),
    Length(usize),
}

#[derive(Debug)]
struct PowerFile {
    disk: PowerDisk,
    inode: usize,
    start: u64,
}

impl PowerDisk {
    pub(crate) fn new(seed: u64) -> Self {
        Self(Arc::new(Mutex::new(State {
            random: Random::new(seed),
            files: Vec::new(),
            names: BTreeMap::new(),
            kept_names: BTreeMap::new(),
            changes: Vec::new(),
            left: None,
            room: None,
            is_off: false,
            starts: 0,
        })))
    }

    /// Lets the power go after so many changes.
    pub(crate) fn cut_after(&self, changes: u64) {
        lock(&self.0).left = Some(changes);
    }

    /// Lets the disk be full after so many writes, or not at all.
    pub(crate) fn full_after(&self, writes: Option<u64>) {
        lock(&self.0).room = writes;
    }

    /// Whether the power is gone.
    pub(crate) fn is_off(&self) -> bool {
        lock(&self.0).is_off
    }

    /// Changes a byte of a file, as a bad disk does.
    pub(crate) fn flip(&self, path: &Path, at: usize) {
        let mut state = lock(&self.0);
        let inode = state.names[path];
        state.files[inode].now[at] ^= 0x10;
        state.files[inode].kept[at] ^= 0x10;
    }

    /// Deletes a file for good.
    pub(crate) fn lose(&self, path: &Path) {
        let mut state = lock(&self.0);
        state.names.remove(path);
        state.kept_names.remove(path);
        state.changes.retain(|(name, _)| name != path);
    }

    /// The power goes, if it is not gone, and comes back.
    pub(crate) fn restart(&self) {
        let mut state = lock(&self.0);
        let state = &mut *state;
        state.starts += 1;
        (state.is_off, state.left) = (false, None);
        let kept = state.random.below(state.changes.len() as u64 + 1) as usize;
        for (path, inode) in state.changes.drain(..).take(kept) {
            match inode {
                Some(inode) => drop(state.kept_names.insert(path, inode)),
                None => drop(state.kept_names.remove(&path)),
            }
        }
        state.names = state.kept_names.clone();
        for file in &mut state.files {
            file.lose_power(&mut state.random);
        }
    }
}

impl State {
    /// One change; fails if there is no power for it.
    fn change(&mut self) -> io::Result<()> {
        match &mut self.left {
            Some(0) => self.is_off = true,
            Some(left) => *left -= 1,
            None => {}
        }
        self.check()
    }

    fn check(&self) -> io::Result<()> {
        if self.is_off { Err(io::Error::other("the power is gone")) } else { Ok(()) }
    }

    fn take_room(&mut self) -> io::Result<()> {
        match &mut self.room {
            Some(0) => Err(io::ErrorKind::StorageFull.into()),
            Some(room) => {
                *room -= 1;
                Ok(())
            }
            None => Ok(()),
        }
    }

    fn set_name(&mut self, path: &Path, inode: Option<usize>) {
        match inode {
            Some(inode) => drop(self.names.insert(path.into(), inode)),
            None => drop(self.names.remove(path)),
        }
        self.changes.push((path.into(), inode));
    }
}

impl Inode {
    fn write(&mut self, bytes: &[u8], at: usize) {
        write(&mut self.now, bytes, at);
        self.changes.push(Change::Write(at, bytes.to_vec()));
    }

    fn lose_power(&mut self, random: &mut Random) {
        // All, nothing, or any of it: in what order a disk writes is its own affair.
        let odds = [0, 1, 5, 9, 10][random.below(5) as usize];
        let mut is_kept = || random.below(10) < odds;
        for change in self.changes.drain(..) {
            match change {
                Change::Length(bytes) if is_kept() => self.kept.resize(bytes, 0),
                Change::Length(_) => {}
                Change::Write(at, bytes) => {
                    for (n, sector) in bytes.chunks(SECTOR_BYTES).enumerate() {
                        if is_kept() {
                            write(&mut self.kept, sector, at + n * SECTOR_BYTES);
                        }
                    }
                }
            }
        }
        self.now = self.kept.clone();
    }
}

fn write(content: &mut Vec<u8>, bytes: &[u8], at: usize) {
    if content.len() < at + bytes.len() {
        content.resize(at + bytes.len(), 0);
    }
    content[at..at + bytes.len()].copy_from_slice(bytes);
}

impl Disk for PowerDisk {
    fn make_dir(&self, _: &Path) -> io::Result<()> {
        lock(&self.0).check()
    }

    fn open(&self, path: &Path, mode: Mode) -> io::Result<Arc<dyn DiskFile>> {
        let mut state = lock(&self.0);
        state.check()?;
        let inode = match (state.names.get(path).copied(), mode) {
            (Some(_), Mode::New) => return Err(io::ErrorKind::AlreadyExists.into()),
            (None, Mode::Existing) => return Err(io::ErrorKind::NotFound.into()),
            (Some(inode), _) => inode,
            (None, _) => {
                state.change()?;
                state.take_room()?;
                state.files.push(Inode::default());
                let inode = state.files.len() - 1;
                state.set_name(path, Some(inode));
                inode
            }
        };
        let start = state.starts;
        Ok(Arc::new(PowerFile { disk: self.clone(), inode, start }))
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        let mut state = lock(&self.0);
        state.change()?;
        if !state.names.contains_key(path) {
            return Err(io::ErrorKind::NotFound.into());
        }
        state.set_name(path, None);
        Ok(())
    }

    fn names(&self, path: &Path) -> io::Result<Vec<String>> {
        let state = lock(&self.0);
        state.check()?;
        let inside = state.names.keys().filter(|name| name.parent() == Some(path));
        Ok(inside.filter_map(|name| name.file_name()?.to_str().map(String::from)).collect())
    }

    fn sync_dir(&self, path: &Path) -> io::Result<()> {
        let mut state = lock(&self.0);
        state.change()?;
        let state = &mut *state;
        let is_here = |(name, _): &mut (PathBuf, _)| name.parent() == Some(path);
        for (name, inode) in state.changes.extract_if(.., is_here) {
            match inode {
                Some(inode) => drop(state.kept_names.insert(name, inode)),
                None => drop(state.kept_names.remove(&name)),
            }
        }
        Ok(())
    }

    fn free_bytes(&self, _: &Path) -> io::Result<u64> {
        lock(&self.0).check().map(|()| FREE_BYTES)
    }
}

impl PowerFile {
    fn with<T>(&self, run: impl FnOnce(&mut State, usize) -> io::Result<T>) -> io::Result<T> {
        let mut state = lock(&self.disk.0);
        state.check()?;
        if state.starts != self.start {
            return Err(io::Error::other("this file was open before the power went"));
        }
        run(&mut state, self.inode)
    }
}

impl DiskFile for PowerFile {
    fn read_at(&self, out: &mut [u8], at: u64) -> io::Result<()> {
        self.with(|state, inode| {
            let found = state.files[inode].now.get(at as usize..at as usize + out.len());
            out.copy_from_slice(found.ok_or(io::ErrorKind::UnexpectedEof)?);
            Ok(())
        })
    }

    fn write_at(&self, bytes: &[u8], at: u64) -> io::Result<()> {
        self.with(|state, inode| {
            let result = state.take_room();
            // What fails may have been done in part, and what the power takes too.
            let cut = if result.is_err() { state.random.below(bytes.len() as u64 + 1) } else { 0 };
            let bytes = if result.is_err() { &bytes[..cut as usize] } else { bytes };
            state.files[inode].write(bytes, at as usize);
            state.change().and(result)
        })
    }

    fn length(&self) -> io::Result<u64> {
        self.with(|state, inode| Ok(state.files[inode].now.len() as u64))
    }

    fn set_length(&self, bytes: u64) -> io::Result<()> {
        self.with(|state, inode| {
            state.change()?;
            let file = &mut state.files[inode];
            if bytes as usize > file.now.len() {
                state.take_room()?;
            }
            let file = &mut state.files[inode];
            file.now.resize(bytes as usize, 0);
            file.changes.push(Change::Length(bytes as usize));
            Ok(())
        })
    }

    fn sync(&self) -> io::Result<()> {
        self.with(|state, inode| {
            state.change()?;
            let file = &mut state.files[inode];
            file.changes.clear();
            file.kept = file.now.clone();
            Ok(())
        })
    }
}

#[test]
fn what_is_synced_survives_and_the_rest_may_not() {
    let path = Path::new("a/b");
    let (mut lost, mut kept, mut torn) = (0, 0, 0);
    for seed in 0..100 {
        let disk = PowerDisk::new(seed);
        let file = disk.open(path, Mode::Any).expect("power");
        disk.sync_dir(Path::new("a")).expect("power");
        file.write_at(&[1; 2000], 0).expect("power");
        file.sync().expect("power");
        file.write_at(&[2; 2000], 2000).expect("power");
        disk.cut_after(1);
        file.write_at(&[3; 10], 4000).expect("power");
        assert!(file.sync().is_err() && disk.is_off());
        disk.restart();
        assert!(file.length().is_err(), "a file of the earlier start is dead");
        let file = disk.open(path, Mode::Existing).expect("it survived");
        let mut bytes = vec![0; file.length().expect("power") as usize];
        file.read_at(&mut bytes, 0).expect("whole");
        assert_eq!(bytes[..2000], [1; 2000]);
        let count = bytes[2000..].iter().filter(|byte| **byte == 2).count();
        match count {
            0 => lost += 1,
            2000 => kept += 1,
            _ => torn += 1,
        }
    }
    assert!(lost > 0 && kept > 0 && torn > 0);
}
