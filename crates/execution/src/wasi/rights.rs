//! Rights and flags of descriptors, in the numbers of WASI preview 1.

pub(crate) const FD_DATASYNC: u64 = 1;
pub(crate) const FD_READ: u64 = 1 << 1;
pub(crate) const FD_SEEK: u64 = 1 << 2;
pub(crate) const FD_FDSTAT_SET_FLAGS: u64 = 1 << 3;
pub(crate) const FD_SYNC: u64 = 1 << 4;
pub(crate) const FD_TELL: u64 = 1 << 5;
pub(crate) const FD_WRITE: u64 = 1 << 6;
pub(crate) const FD_ADVISE: u64 = 1 << 7;
pub(crate) const FD_ALLOCATE: u64 = 1 << 8;
pub(crate) const PATH_CREATE_DIRECTORY: u64 = 1 << 9;
pub(crate) const PATH_CREATE_FILE: u64 = 1 << 10;
pub(crate) const PATH_OPEN: u64 = 1 << 13;
pub(crate) const FD_READDIR: u64 = 1 << 14;
pub(crate) const PATH_READLINK: u64 = 1 << 15;
pub(crate) const PATH_RENAME_SOURCE: u64 = 1 << 16;
pub(crate) const PATH_RENAME_TARGET: u64 = 1 << 17;
pub(crate) const PATH_FILESTAT_GET: u64 = 1 << 18;
pub(crate) const PATH_FILESTAT_SET_SIZE: u64 = 1 << 19;
pub(crate) const PATH_FILESTAT_SET_TIMES: u64 = 1 << 20;
pub(crate) const FD_FILESTAT_GET: u64 = 1 << 21;
pub(crate) const FD_FILESTAT_SET_SIZE: u64 = 1 << 22;
pub(crate) const FD_FILESTAT_SET_TIMES: u64 = 1 << 23;
pub(crate) const PATH_REMOVE_DIRECTORY: u64 = 1 << 25;
pub(crate) const PATH_UNLINK_FILE: u64 = 1 << 26;
pub(crate) const POLL_FD_READWRITE: u64 = 1 << 27;

/// What can be done with a directory.
pub(crate) const DIRECTORY: u64 = PATH_CREATE_DIRECTORY
    | PATH_CREATE_FILE
    | PATH_OPEN
    | FD_READDIR
    | PATH_READLINK
    | PATH_RENAME_SOURCE
    | PATH_RENAME_TARGET
    | PATH_FILESTAT_GET
    | PATH_FILESTAT_SET_SIZE
    | PATH_FILESTAT_SET_TIMES
    | FD_FILESTAT_GET
    | FD_FILESTAT_SET_TIMES
    | FD_SYNC
    | FD_DATASYNC
    | PATH_REMOVE_DIRECTORY
    | PATH_UNLINK_FILE;

/// What can be done with any file.
const FILE: u64 = FD_SEEK
    | FD_TELL
    | FD_ADVISE
    | FD_SYNC
    | FD_DATASYNC
    | FD_FDSTAT_SET_FLAGS
    | FD_FILESTAT_GET
    | FD_FILESTAT_SET_TIMES
    | POLL_FD_READWRITE;

/// What can be done with a file that was opened this way.
pub(crate) fn of_file(read: bool, write: bool) -> u64 {
    let read = if read { FD_READ } else { 0 };
    let write = if write { FD_WRITE | FD_ALLOCATE | FD_FILESTAT_SET_SIZE } else { 0 };
    FILE | read | write
}

/// What may be inherited from a directory: wasi-libc asks for no more than this. It is the same
/// under `/in`, so that opening a file there for writing fails instead of opening it for reading.
pub(crate) const INHERITED: u64 =
    DIRECTORY | FILE | FD_READ | FD_WRITE | FD_ALLOCATE | FD_FILESTAT_SET_SIZE;

/// Flags of an open file.
pub(crate) const APPEND: u16 = 1;
/// All flags of an open file.
pub(crate) const FLAGS: u16 = 31;

/// Create the file if it is not there.
pub(crate) const CREAT: u32 = 1;
/// Fail if it is no directory.
pub(crate) const MUST_BE_DIRECTORY: u32 = 2;
/// Fail if it is there.
pub(crate) const EXCL: u32 = 4;
/// Empty the file.
pub(crate) const TRUNC: u32 = 8;
