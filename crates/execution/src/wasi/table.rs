//! The functions of `wasi_snapshot_preview1`: names, types, and what they are bound to.

use super::{Host, call::enter};
use crate::stop::Stop;
use wasmtime::{Caller, Engine, Error, Linker, Result};

/// The module that programs import from.
pub(crate) const MODULE: &str = "wasi_snapshot_preview1";

/// Writes one list twice: as the linker's functions, and as the types that inspection compares.
macro_rules! functions {
    ($($name:ident($($arg:ident: $ty:ident),*))*) => {
        fn link_calls(linker: &mut Linker<Host>) -> Result<()> {
            $(linker.func_wrap(
                MODULE,
                stringify!($name),
                |mut caller: Caller<'_, Host>, $($arg: $ty),*| {
                    enter(&mut caller, |call| call.$name($($arg),*))
                },
            )?;)*
            Ok(())
        }

        /// Every function that returns an error number, with the types of its arguments.
        const CALLS: &[(&str, &[&str])] = &[$((stringify!($name), &[$(wasm_type(stringify!($ty))),*])),*];
    };
}

functions! {
    args_get(pointers: u32, buffer: u32)
    args_sizes_get(count: u32, size: u32)
    clock_res_get(clock: u32, result: u32)
    clock_time_get(clock: u32, precision: u64, result: u32)
    environ_get(pointers: u32, buffer: u32)
    environ_sizes_get(count: u32, size: u32)
    fd_advise(fd: u32, offset: u64, len: u64, advice: u32)
    fd_allocate(fd: u32, offset: u64, len: u64)
    fd_close(fd: u32)
    fd_datasync(fd: u32)
    fd_fdstat_get(fd: u32, result: u32)
    fd_fdstat_set_flags(fd: u32, flags: u32)
    fd_fdstat_set_rights(fd: u32, base: u64, inheriting: u64)
    fd_filestat_get(fd: u32, result: u32)
    fd_filestat_set_size(fd: u32, size: u64)
    fd_filestat_set_times(fd: u32, accessed: u64, modified: u64, flags: u32)
    fd_pread(fd: u32, buffers: u32, count: u32, offset: u64, result: u32)
    fd_prestat_dir_name(fd: u32, result: u32, len: u32)
    fd_prestat_get(fd: u32, result: u32)
    fd_pwrite(fd: u32, buffers: u32, count: u32, offset: u64, result: u32)
    fd_read(fd: u32, buffers: u32, count: u32, result: u32)
    fd_readdir(fd: u32, buffer: u32, len: u32, cookie: u64, result: u32)
    fd_renumber(from: u32, to: u32)
    fd_seek(fd: u32, delta: i64, whence: u32, result: u32)
    fd_sync(fd: u32)
    fd_tell(fd: u32, result: u32)
    fd_write(fd: u32, buffers: u32, count: u32, result: u32)
    path_create_directory(fd: u32, path: u32, len: u32)
    path_filestat_get(fd: u32, flags: u32, path: u32, len: u32, result: u32)
    path_filestat_set_times(fd: u32, flags: u32, path: u32, len: u32, accessed: u64, modified: u64, times: u32)
    path_link(fd: u32, flags: u32, path: u32, len: u32, new_fd: u32, new_path: u32, new_len: u32)
    path_open(fd: u32, lookup: u32, path: u32, len: u32, how: u32, base: u64, inheriting: u64, flags: u32, result: u32)
    path_readlink(fd: u32, path: u32, len: u32, buffer: u32, buffer_len: u32, result: u32)
    path_remove_directory(fd: u32, path: u32, len: u32)
    path_rename(fd: u32, path: u32, len: u32, new_fd: u32, new_path: u32, new_len: u32)
    path_symlink(old: u32, old_len: u32, fd: u32, path: u32, len: u32)
    path_unlink_file(fd: u32, path: u32, len: u32)
    poll_oneoff(from: u32, to: u32, count: u32, result: u32)
    proc_raise(signal: u32)
    random_get(buffer: u32, len: u32)
    sched_yield()
    sock_accept(fd: u32, flags: u32, result: u32)
    sock_recv(fd: u32, buffers: u32, count: u32, flags: u32, size: u32, result: u32)
    sock_send(fd: u32, buffers: u32, count: u32, flags: u32, size: u32)
    sock_shutdown(fd: u32, how: u32)
}

/// The one function that does not return.
const PROC_EXIT: &str = "proc_exit";

/// A linker with the whole world in it, and nothing else.
pub(crate) fn link(engine: &Engine) -> Result<Linker<Host>> {
    let mut linker = Linker::new(engine);
    link_calls(&mut linker)?;
    linker.func_wrap(MODULE, PROC_EXIT, |_: Caller<'_, Host>, code: u32| -> Result<()> {
        Err(Error::new(Stop::Exit(code)))
    })?;
    Ok(linker)
}

/// The type of a function of ours, as text; `None` if there is none of this name.
pub(crate) fn signature(name: &str) -> Option<String> {
    if name == PROC_EXIT {
        return Some(signature_text("i32", ""));
    }
    let (_, args) = CALLS.iter().find(|(known, _)| *known == name)?;
    Some(signature_text(&args.join(", "), "i32"))
}

/// How the type of a function is written.
pub(crate) fn signature_text(params: &str, results: &str) -> String {
    if results.is_empty() { format!("({params})") } else { format!("({params}) -> {results}") }
}

const fn wasm_type(ty: &str) -> &'static str {
    // `u32`, `u64` and `i64`: the width is what WebAssembly sees.
    match ty.as_bytes() {
        [_, b'6', b'4'] => "i64",
        _ => "i32",
    }
}

#[cfg(test)]
mod tests {
    use super::{CALLS, MODULE, PROC_EXIT, link, signature};
    use crate::settings;

    #[test]
    fn every_function_of_preview_1_is_there_once() {
        let mut names: Vec<_> = CALLS.iter().map(|(name, _)| *name).collect();
        names.dedup();
        assert_eq!(names.len() + 1, 46);
    }

    #[test]
    fn inspection_and_the_linker_agree_on_every_type() {
        let engine = wasmtime::Engine::new(&settings::wasmtime()).unwrap();
        let linker = link(&engine).unwrap();
        for name in CALLS.iter().map(|(name, _)| *name).chain([PROC_EXIT]) {
            let text = signature(name).unwrap();
            let (params, results) = text.split_once(" -> ").unwrap_or((&text, ""));
            let params = params.trim_matches(['(', ')']).replace(", ", " ");
            let results = if results.is_empty() { String::new() } else { "(result i32)".into() };
            let wat = format!(
                "(module (import \"{MODULE}\" \"{name}\" (func (param {params}) {results})))"
            );
            let module = wasmtime::Module::new(&engine, wat::parse_str(&wat).unwrap()).unwrap();
            linker.instantiate_pre(&module).unwrap_or_else(|error| panic!("{name}: {error}"));
        }
    }
}
