//! One binary: the server, and the commands that talk to it.

fn main() {}
