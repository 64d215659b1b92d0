//! Questions about the past, as pure functions over what the log and the tables say: who set a field,
//! what differs between two attempts, why a subscription missed something, what would have been.

pub mod attempts;
pub mod blame;
pub mod life;
pub mod missed;
pub mod what_if;
