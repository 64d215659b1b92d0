//! What a listener allows.

use crate::config::ReceiveConfig;
use crate::metrics::Metrics;
use ipnet::IpNet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::gauge::Gauge;
use std::net::IpAddr;
use std::time::Duration;

/// Limits of one listener.
#[derive(Clone, Debug)]
pub struct HttpLimits {
    /// From the first byte of a request to the end of its headers.
    pub header_deadline: Duration,
    /// A connection without a request is closed after this.
    pub idle_deadline: Duration,
    /// From the end of the headers to the first byte of the answer. Streams may then go on.
    pub request_deadline: Duration,
    /// A client that takes nothing of an answer for this long is cut off.
    pub write_deadline: Duration,
    /// Connections at once.
    pub connections_max: usize,
    /// Connections at once from one address; trusted proxies are exempt.
    pub connections_per_address_max: usize,
    /// How long requests that are under way may take when the server stops.
    pub shutdown: Duration,
    /// Networks of proxies whose word about the client's address counts.
    pub trusted_proxies: Vec<IpNet>,
    /// Connections of trusted proxies start with a PROXY protocol header (version 1 or 2).
    pub proxy_protocol: bool,
    /// Open connections.
    pub open: Gauge,
    /// Connections that were refused: over a cap, or not the protocol.
    pub refused: Counter,
    /// Panics that were caught and answered 500.
    pub panics: Counter,
}

impl HttpLimits {
    /// The limits of the webhook listener.
    #[must_use]
    pub fn webhooks(config: &ReceiveConfig, shutdown: Duration, metrics: &Metrics) -> Self {
        let ms = Duration::from_millis;
        // The receiver keeps its own deadlines and answers; this is the net beneath them.
        let request_ms = config.answer_deadline_ms + 2_000;
        Self {
            header_deadline: ms(config.header_deadline_ms),
            idle_deadline: ms(config.idle_deadline_ms),
            request_deadline: ms(request_ms),
            write_deadline: ms(config.idle_deadline_ms),
            connections_max: config.connections_max,
            connections_per_address_max: config.connections_per_address_max,
            shutdown,
            trusted_proxies: config.trusted_proxies.clone(),
            proxy_protocol: config.proxy_protocol,
            open: metrics.connections.clone(),
            refused: metrics.connections_refused.clone(),
            panics: metrics.panics.clone(),
        }
    }

    /// The limits of the listener for API, console and metrics. Streams may last as long as their
    /// readers take what is sent.
    #[must_use]
    pub fn api(shutdown: Duration, metrics: &Metrics) -> Self {
        Self {
            header_deadline: Duration::from_secs(5),
            idle_deadline: Duration::from_secs(60),
            request_deadline: Duration::from_secs(60),
            write_deadline: Duration::from_secs(30),
            connections_max: 1_024,
            connections_per_address_max: 256,
            shutdown,
            trusted_proxies: Vec::new(),
            proxy_protocol: false,
            open: Gauge::default(),
            refused: metrics.connections_refused.clone(),
            panics: metrics.panics.clone(),
        }
    }

    pub(super) fn trusts(&self, address: IpAddr) -> bool {
        self.trusted_proxies
            .iter()
            .any(|net| net.contains(&address))
    }
}
