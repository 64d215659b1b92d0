//! The log goes away and comes back, and the process with it.

pub(crate) mod support;

mod files;
mod limits;
mod outages;
