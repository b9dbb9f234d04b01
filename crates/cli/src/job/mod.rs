//! The way of a job: from files, to an order, to its results in files.

pub(crate) mod collect;
pub(crate) mod content;
pub(crate) mod course;
mod csv;
pub(crate) mod deadline;
pub(crate) mod explain;
pub(crate) mod fetch;
pub(crate) mod files;
pub(crate) mod fit;
pub(crate) mod follow;
pub(crate) mod grid;
pub(crate) mod inputs;
pub(crate) mod known;
pub(crate) mod layout;
pub(crate) mod manifest;
pub(crate) mod names;
pub(crate) mod order;
pub(crate) mod progress;
mod range;
pub(crate) mod recipe;
pub(crate) mod results;
pub(crate) mod select;
pub(crate) mod twin;
pub(crate) mod upload;
