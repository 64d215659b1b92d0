//! Given a request on a socket, then this answer and these records.

mod answers;
mod support;
