//! Many signed things checked at once.

use crate::Error;
use identity::Batch;

/// Checks all of `items`, their signatures together. `queue` checks one apart from its signatures
/// and adds these; `check` checks all of one, and is only asked when something does not hold, to
/// say what.
pub(crate) fn check<T>(
    items: &[T],
    queue: impl Fn(&T, &mut Batch) -> Result<(), Error>,
    check: impl Fn(&T) -> Result<(), Error>,
) -> Result<(), Error> {
    let mut batch = Batch::default();
    let queued = items.iter().all(|item| queue(item, &mut batch).is_ok());
    if queued && batch.holds() { Ok(()) } else { items.iter().try_for_each(check) }
}
