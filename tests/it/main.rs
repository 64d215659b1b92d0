//! The one integration binary: the whole way of an event, with real parts.
