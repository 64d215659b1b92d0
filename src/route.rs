//! Which subscriptions want a webhook: a pure function of its facts and the configuration.
//!
//! [`Index::new`] compiles a configuration once; [`Index::matches`] then looks at the few
//! subscriptions whose most selective clause fits, so its cost does not grow with their number.

mod explain;
mod filter;
mod glob;
mod index;

pub use explain::{Clause, Explanation, explain};
pub use filter::{FilterError, validate};
pub use index::Index;

/// The version of the matching rules: part of every recorded decision.
pub const MATCHER_VERSION: u32 = 1;

#[cfg(test)]
mod tests;
