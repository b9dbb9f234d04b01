//! A lock that outlives a panic of its holder.

use std::sync::{Mutex, MutexGuard, PoisonError};

/// Takes the lock. Everything kept under one here is consistent between any two statements, so a
/// holder that panicked leaves nothing half done. Never held across an `await`.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
