//! `[deliver]`: limits and egress rules of deliveries.

use ipnet::IpNet;
use serde::{Deserialize, Serialize};

/// Limits and egress rules of deliveries.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct DeliverConfig {
    /// Attempts under way at once, of all subscriptions together. One subscription holds at most as
    /// many as are free beside it, and slow ones together at most half.
    pub in_flight_max: usize,
    /// Bytes of large bodies (over 64 KiB) in memory for attempts under way; more of them wait.
    pub body_bytes_in_flight_max: usize,
    /// Networks that the egress rules let through, `http://` included.
    pub allow: Vec<IpNet>,
    /// Ports that may be a target, besides those of `allow`ed networks.
    pub ports: Vec<u16>,
    /// Bytes of an answer that are kept.
    pub excerpt_bytes_max: usize,
    /// Keep answers of targets that only `allow` lets through, too. Whoever may create a
    /// subscription and read its attempts can then read what internal services answer to a POST.
    pub excerpts_of_allowed: bool,
    /// How long a redelivery is recognised, in days of receipt time.
    pub redelivery_window_days: u32,
    /// Failures in a row after which a subscription gets one probe at a time.
    pub breaker_failures: u32,
}

impl Default for DeliverConfig {
    fn default() -> Self {
        Self {
            // An attempt costs a connection and its body: half of the usual limit of 1,024 open files.
            in_flight_max: 512,
            // Ten of the largest that GitHub sends.
            body_bytes_in_flight_max: 256 << 20,
            allow: Vec::new(),
            ports: vec![443, 8443, 80],
            excerpt_bytes_max: 4 << 10,
            excerpts_of_allowed: false,
            // GitHub redelivers for 3 days on cloud and 7 on Server.
            redelivery_window_days: 8,
            breaker_failures: 5,
        }
    }
}
