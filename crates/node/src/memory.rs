//! Memory of blocks, used again instead of more, and given back when they are gone.
//!
//! Blocks of a mebibyte come and go by the thousand, on many threads. The allocator of glibc has up
//! to eight places for each processor, what is free in one is not given to a thread at another, and
//! what is free in the middle of one stays there. A node that repaired an object of 1 GiB grew to
//! 1.1 GiB, and kept them.

#![allow(unsafe_code)]

/// Has the allocator keep as many places as there are processors. Called before there are other
/// threads.
pub(crate) fn keep_together() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    {
        let processors = std::thread::available_parallelism().map_or(1, usize::from);
        let places = libc::c_int::try_from(processors).unwrap_or(libc::c_int::MAX);
        // SAFETY: it takes two numbers, may be called at any time, and touches only the allocator.
        let is_set = unsafe { libc::mallopt(libc::M_ARENA_MAX, places) };
        if is_set == 0 {
            tracing::debug!("the allocator keeps as many places as it likes");
        }
    }
}

/// Gives whatever is free back to the system. Takes milliseconds.
pub(crate) fn give_back() {
    // SAFETY: it takes a number, may be called on any thread, and touches only what is free.
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    let _gave_something = unsafe { libc::malloc_trim(0) };
}
