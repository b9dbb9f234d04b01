//! `wasi:io/streams`: stdin, stdout, stderr and files as streams. None of them ever has to wait.

use super::{
    call::{Broken, Call, Thing},
    interface::interface,
    poll::Pollable,
};
use crate::{
    stop::Stop,
    wasi::{
        World,
        errno::{Answer, Errno},
        meter::Meter,
        tree::NodeId,
    },
};
use bytes::Buf;
use wasmtime::component::{Resource, WasmList};

/// Bytes that one call reads at most.
pub(crate) const READ_BYTES: u64 = 1 << 20;
/// Bytes that a stream always says it takes.
pub(crate) const WRITE_BYTES: u64 = 1 << 20;
/// Bytes that the standard lets a guest write and flush in one call.
const FLUSH_BYTES: u64 = 4096;

interface! { STREAMS = "wasi:io/streams" {
    resource "input-stream": InputStream;
    resource "output-stream": OutputStream;
    call stream "[method]input-stream.read" => read(from: Resource<InputStream>, len: u64);
    call stream "[method]input-stream.blocking-read" => read(from: Resource<InputStream>, len: u64);
    call stream "[method]input-stream.skip" => skip(from: Resource<InputStream>, len: u64);
    call stream "[method]input-stream.blocking-skip" => skip(from: Resource<InputStream>, len: u64);
    call plain "[method]input-stream.subscribe" => subscribe_input(from: Resource<InputStream>);
    call stream "[method]output-stream.check-write" => check_write(to: Resource<OutputStream>);
    call stream "[method]output-stream.write" =>
        write(to: Resource<OutputStream>, bytes: WasmList<u8>);
    call stream "[method]output-stream.blocking-write-and-flush" =>
        write_and_flush(to: Resource<OutputStream>, bytes: WasmList<u8>);
    call stream "[method]output-stream.flush" => flush(to: Resource<OutputStream>);
    call stream "[method]output-stream.blocking-flush" => flush(to: Resource<OutputStream>);
    call plain "[method]output-stream.subscribe" => subscribe_output(to: Resource<OutputStream>);
    call stream "[method]output-stream.write-zeroes" =>
        write_zeroes(to: Resource<OutputStream>, len: u64);
    call stream "[method]output-stream.blocking-write-zeroes-and-flush" =>
        write_zeroes_and_flush(to: Resource<OutputStream>, len: u64);
    call stream "[method]output-stream.splice" =>
        splice(to: Resource<OutputStream>, from: Resource<InputStream>, len: u64);
    call stream "[method]output-stream.blocking-splice" =>
        splice(to: Resource<OutputStream>, from: Resource<InputStream>, len: u64);
}}

/// What is read from front to back.
#[derive(Clone, Copy)]
pub(crate) enum InputStream {
    Stdin,
    /// A file, held, from an offset.
    File {
        node: NodeId,
        offset: u64,
    },
}

impl Thing for InputStream {
    fn close(self, world: &mut World) {
        if let Self::File { node, .. } = self {
            world.tree.release(node, &mut world.budget);
        }
    }
}

/// What is written from front to back.
#[derive(Clone, Copy)]
pub(crate) enum OutputStream {
    Stdout,
    Stderr,
    /// A file, held, from an offset.
    File {
        node: NodeId,
        offset: u64,
    },
    /// A file, held, always at its end.
    Append(NodeId),
}

impl Thing for OutputStream {
    fn close(self, world: &mut World) {
        if let Self::File { node, .. } | Self::Append(node) = self {
            world.tree.release(node, &mut world.budget);
        }
    }
}

impl Call<'_> {
    fn read(&mut self, from: Resource<InputStream>, len: u64) -> Result<Vec<u8>, Broken> {
        let rest = self.rest(&from)?;
        let len = len.min(READ_BYTES).min(rest.len() as u64) as usize;
        self.meter.pay(len as u64)?;
        let bytes = self.rest(&from)?[..len].to_vec();
        self.advance(&from, len);
        Ok(bytes)
    }

    fn skip(&mut self, from: Resource<InputStream>, len: u64) -> Result<u64, Broken> {
        let len = len.min(self.rest(&from)?.len() as u64);
        self.advance(&from, len as usize);
        Ok(len)
    }

    /// What was not read yet. At the end, a stream is closed.
    fn rest(&self, from: &Resource<InputStream>) -> Result<&[u8], Broken> {
        let rest = match *self.get(from) {
            InputStream::Stdin => &self.world.stdin[..],
            InputStream::File { node, offset } => {
                let bytes = self.world.tree.bytes(node);
                usize::try_from(offset).ok().and_then(|offset| bytes.get(offset..)).unwrap_or(&[])
            }
        };
        if rest.is_empty() { Err(Broken::Closed) } else { Ok(rest) }
    }

    fn advance(&mut self, from: &Resource<InputStream>, len: usize) {
        match self.get_mut(from) {
            InputStream::Stdin => self.world.stdin.advance(len),
            InputStream::File { offset, .. } => *offset += len as u64,
        }
    }

    fn subscribe_input(
        &mut self,
        _from: Resource<InputStream>,
    ) -> Result<Resource<Pollable>, Stop> {
        self.push(Pollable::Ready)
    }

    fn check_write(&mut self, _to: Resource<OutputStream>) -> Result<u64, Broken> {
        Ok(WRITE_BYTES)
    }

    fn write(&mut self, to: Resource<OutputStream>, bytes: WasmList<u8>) -> Result<(), Broken> {
        permitted(bytes.len() as u64, WRITE_BYTES)?;
        let bytes = bytes.as_le_slice(&self.store);
        put(self.world, &mut self.meter, &to, bytes)
    }

    fn write_and_flush(
        &mut self,
        to: Resource<OutputStream>,
        bytes: WasmList<u8>,
    ) -> Result<(), Broken> {
        permitted(bytes.len() as u64, FLUSH_BYTES)?;
        self.write(to, bytes)
    }

    /// Files are in memory: what was written is kept.
    fn flush(&mut self, _to: Resource<OutputStream>) -> Result<(), Broken> {
        Ok(())
    }

    fn subscribe_output(
        &mut self,
        _to: Resource<OutputStream>,
    ) -> Result<Resource<Pollable>, Stop> {
        self.push(Pollable::Ready)
    }

    fn write_zeroes(&mut self, to: Resource<OutputStream>, len: u64) -> Result<(), Broken> {
        permitted(len, WRITE_BYTES)?;
        put(self.world, &mut self.meter, &to, &vec![0; len as usize])
    }

    fn write_zeroes_and_flush(
        &mut self,
        to: Resource<OutputStream>,
        len: u64,
    ) -> Result<(), Broken> {
        permitted(len, FLUSH_BYTES)?;
        self.write_zeroes(to, len)
    }

    fn splice(
        &mut self,
        to: Resource<OutputStream>,
        from: Resource<InputStream>,
        len: u64,
    ) -> Result<u64, Broken> {
        let bytes = self.read(from, len)?;
        put(self.world, &mut self.meter, &to, &bytes)?;
        Ok(bytes.len() as u64)
    }
}

/// A guest that writes more than it was told it may is stopped, as the standard has it.
fn permitted(len: u64, most: u64) -> Result<(), Stop> {
    if len > most { Err(Stop::Breach("more was written than was permitted")) } else { Ok(()) }
}

/// Writes to a stream, and moves it on.
fn put(
    world: &mut World,
    meter: &mut Meter,
    to: &Resource<OutputStream>,
    bytes: &[u8],
) -> Result<(), Broken> {
    let stream = *world.things.get(to).expect("a live handle names a thing");
    match stream {
        OutputStream::Stdout | OutputStream::Stderr => {
            world.budget.check(bytes.len() as u64)?;
            meter.pay(bytes.len() as u64)?;
            world.print(matches!(stream, OutputStream::Stderr), bytes)?;
        }
        OutputStream::File { node, offset } => {
            let offset = write_at(world, meter, node, offset, bytes)?;
            let stream = world.things.get_mut(to).expect("a live handle names a thing");
            *stream = OutputStream::File { node, offset };
        }
        OutputStream::Append(node) => {
            let end = world.tree.bytes(node).len() as u64;
            write_at(world, meter, node, end, bytes)?;
        }
    }
    Ok(())
}

/// Writes to a file and gives the offset after it.
pub(super) fn write_at(
    world: &mut World,
    meter: &mut Meter,
    node: NodeId,
    offset: u64,
    bytes: &[u8],
) -> Answer<u64> {
    let end = offset.checked_add(bytes.len() as u64).ok_or(Errno::Fbig)?;
    if !bytes.is_empty() {
        world.extend(node, end, meter)?;
        meter.pay(bytes.len() as u64)?;
        world.tree.overwrite(node, offset, bytes)?;
    }
    Ok(end)
}
