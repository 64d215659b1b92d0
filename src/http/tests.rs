//! Given raw bytes on a socket, then this answer.
