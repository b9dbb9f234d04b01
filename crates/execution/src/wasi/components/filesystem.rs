//! `wasi:filesystem`: which functions there are, and what a handle of a file or directory names.

use super::{
    call::{Call, IoError, Thing},
    interface::interface,
    types::{Advice, DescriptorFlags, ErrorCode, NewTimestamp, OpenFlags, PathFlags},
};
use crate::{
    stop::Stop,
    wasi::{
        World,
        tree::{IN, NodeId, OUT},
    },
};
use std::sync::Arc;
use wasmtime::component::{Resource, WasmList, WasmStr};

interface! { TYPES = "wasi:filesystem/types" {
    resource "descriptor": Descriptor;
    resource "directory-entry-stream": Listing;
    call file "[method]descriptor.read-via-stream" =>
        read_via_stream(file: Resource<Descriptor>, offset: u64);
    call file "[method]descriptor.write-via-stream" =>
        write_via_stream(file: Resource<Descriptor>, offset: u64);
    call file "[method]descriptor.append-via-stream" =>
        append_via_stream(file: Resource<Descriptor>);
    call file "[method]descriptor.advise" =>
        advise(file: Resource<Descriptor>, offset: u64, len: u64, advice: Advice);
    call file "[method]descriptor.sync-data" => sync(of: Resource<Descriptor>);
    call file "[method]descriptor.get-flags" => flags(of: Resource<Descriptor>);
    call file "[method]descriptor.get-type" => kind(of: Resource<Descriptor>);
    call file "[method]descriptor.set-size" => set_size(file: Resource<Descriptor>, size: u64);
    call file "[method]descriptor.set-times" =>
        set_times(of: Resource<Descriptor>, accessed: NewTimestamp, modified: NewTimestamp);
    call file "[method]descriptor.read" =>
        read_file(file: Resource<Descriptor>, len: u64, offset: u64);
    call file "[method]descriptor.write" =>
        write_file(file: Resource<Descriptor>, bytes: WasmList<u8>, offset: u64);
    call file "[method]descriptor.read-directory" => read_directory(of: Resource<Descriptor>);
    call file "[method]descriptor.sync" => sync(of: Resource<Descriptor>);
    call file "[method]descriptor.create-directory-at" =>
        create_directory_at(base: Resource<Descriptor>, path: WasmStr);
    call file "[method]descriptor.stat" => stat(of: Resource<Descriptor>);
    call file "[method]descriptor.stat-at" =>
        stat_at(base: Resource<Descriptor>, how: PathFlags, path: WasmStr);
    call file "[method]descriptor.set-times-at" => set_times_at(
        base: Resource<Descriptor>,
        how: PathFlags,
        path: WasmStr,
        accessed: NewTimestamp,
        modified: NewTimestamp
    );
    call file "[method]descriptor.link-at" => link_at(
        base: Resource<Descriptor>,
        how: PathFlags,
        path: WasmStr,
        new_base: Resource<Descriptor>,
        new_path: WasmStr
    );
    call file "[method]descriptor.open-at" => open_at(
        base: Resource<Descriptor>,
        how: PathFlags,
        path: WasmStr,
        open: OpenFlags,
        flags: DescriptorFlags
    );
    call file "[method]descriptor.readlink-at" =>
        readlink_at(base: Resource<Descriptor>, path: WasmStr);
    call file "[method]descriptor.remove-directory-at" =>
        remove_directory_at(base: Resource<Descriptor>, path: WasmStr);
    call file "[method]descriptor.rename-at" => rename_at(
        base: Resource<Descriptor>,
        path: WasmStr,
        new_base: Resource<Descriptor>,
        new_path: WasmStr
    );
    call file "[method]descriptor.symlink-at" =>
        symlink_at(base: Resource<Descriptor>, old_path: WasmStr, path: WasmStr);
    call file "[method]descriptor.unlink-file-at" =>
        unlink_file_at(base: Resource<Descriptor>, path: WasmStr);
    call plain "[method]descriptor.is-same-object" =>
        is_same(of: Resource<Descriptor>, other: Resource<Descriptor>);
    call file "[method]descriptor.metadata-hash" => metadata_hash(of: Resource<Descriptor>);
    call file "[method]descriptor.metadata-hash-at" =>
        metadata_hash_at(base: Resource<Descriptor>, how: PathFlags, path: WasmStr);
    call file "[method]directory-entry-stream.read-directory-entry" =>
        next_entry(listing: Resource<Listing>);
    call plain "filesystem-error-code" => error_code(error: Resource<IoError>);
}}

interface! { PREOPENS = "wasi:filesystem/preopens" {
    call plain "get-directories" => directories();
}}

/// A file or a directory, opened and held.
#[derive(Clone, Copy)]
pub(crate) struct Descriptor {
    pub(crate) node: NodeId,
    pub(crate) read: bool,
    pub(crate) write: bool,
}

impl Thing for Descriptor {
    fn close(self, world: &mut World) {
        world.tree.release(self.node, &mut world.budget);
    }
}

/// A directory being listed, held.
pub(crate) struct Listing {
    pub(crate) node: NodeId,
    /// The last name that was given.
    pub(crate) last: Option<Arc<str>>,
}

impl Thing for Listing {
    fn close(self, world: &mut World) {
        world.tree.release(self.node, &mut world.budget);
    }
}

impl Call<'_> {
    fn directories(&mut self) -> Result<Vec<(Resource<Descriptor>, String)>, Stop> {
        let mut open = Vec::new();
        for (node, path) in [(IN, "/in"), (OUT, "/out")] {
            self.world.tree.hold(node);
            let descriptor = self.push(Descriptor { node, read: true, write: false })?;
            open.push((descriptor, path.to_owned()));
        }
        Ok(open)
    }

    fn error_code(&mut self, error: Resource<IoError>) -> Result<Option<ErrorCode>, Stop> {
        Ok(Some(self.get(&error).0.into()))
    }
}
