//! `[receive]`: limits of the webhook listener.

use ipnet::IpNet;
use serde::{Deserialize, Serialize};

/// Limits of the webhook listener.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ReceiveConfig {
    /// Decoded bodies at the most. GitHub sends up to 25 MB, so 25 MiB.
    pub body_bytes_max: usize,
    /// A form-encoded body at the most, as sent: percent-encoding makes it longer.
    pub form_bytes_max: usize,
    /// From the first byte of a request to the end of its headers, in milliseconds.
    pub header_deadline_ms: u64,
    /// From the end of the headers to the end of the body, in milliseconds.
    pub body_deadline_ms: u64,
    /// From the first byte of a request to its answer, in milliseconds: the other deadlines are cut
    /// to what is left of it. GitHub gives up at 10 s, an Enterprise Server at 30 s.
    pub answer_deadline_ms: u64,
    /// A connection without a request is closed after this, in milliseconds.
    pub idle_deadline_ms: u64,
    /// An append that takes longer is answered 503, in milliseconds.
    pub append_deadline_ms: u64,
    /// Connections at once.
    pub connections_max: usize,
    /// Connections at once from one address.
    pub connections_per_address_max: usize,
    /// Bytes of bodies that may be in memory at once; further requests wait for a
    /// moment, then get 503.
    pub body_bytes_in_flight_max: usize,
    /// Networks of proxies whose word about the client's address counts.
    pub trusted_proxies: Vec<IpNet>,
    /// Connections of trusted proxies start with a PROXY protocol header (version 1 or 2).
    pub proxy_protocol: bool,
}

impl Default for ReceiveConfig {
    fn default() -> Self {
        Self {
            body_bytes_max: 25 << 20,
            form_bytes_max: 40 << 20,
            header_deadline_ms: 5_000,
            body_deadline_ms: 8_000,
            answer_deadline_ms: 9_000,
            idle_deadline_ms: 30_000,
            append_deadline_ms: 8_000,
            connections_max: 4_096,
            connections_per_address_max: 1_024,
            body_bytes_in_flight_max: 128 << 20,
            trusted_proxies: Vec::new(),
            proxy_protocol: false,
        }
    }
}
