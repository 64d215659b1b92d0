//! The one integration binary: the whole way of an event, with real parts on 127.0.0.1.

mod harness;
mod way;
