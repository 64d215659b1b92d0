//! Given a request on a socket, then this answer and these records.

mod answers;
mod bodies;
mod evidence;
mod limits;
mod outages;
mod secrets;
mod spooling;
mod support;
