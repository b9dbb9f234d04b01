//! The way of a job: from files, to an order, to its results in files.

pub(crate) mod content;
pub(crate) mod course;
pub(crate) mod explain;
pub(crate) mod fetch;
pub(crate) mod follow;
pub(crate) mod inputs;
pub(crate) mod layout;
pub(crate) mod names;
pub(crate) mod order;
pub(crate) mod progress;
pub(crate) mod results;
pub(crate) mod select;
pub(crate) mod upload;
