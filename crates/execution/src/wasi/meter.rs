//! Fuel, during one host call.

use crate::stop::Stop;

/// What is left of the guest's fuel.
pub(crate) struct Meter {
    left: u64,
}

impl Meter {
    pub(crate) fn new(left: u64) -> Self {
        Self { left }
    }

    /// Pays for work that is about to be done.
    pub(crate) fn pay(&mut self, fuel: u64) -> Result<(), Stop> {
        match self.left.checked_sub(fuel) {
            Some(left) => {
                self.left = left;
                Ok(())
            }
            None => {
                self.left = 0;
                Err(Stop::OutOfFuel)
            }
        }
    }

    pub(crate) fn left(&self) -> u64 {
        self.left
    }
}
