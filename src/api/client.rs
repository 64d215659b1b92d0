//! The address of the client, as the listener or a trusted proxy tells it.

use super::Api;
use crate::http::ClientAddress;
use crate::receive;
use axum::http::request::Parts;
use std::net::{IpAddr, Ipv4Addr};

/// The client's address; `0.0.0.0` where no listener said it.
pub(super) fn address(api: &Api, parts: &Parts) -> IpAddr {
    let told = parts.extensions.get::<ClientAddress>();
    let peer = told.map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), |address| address.0);
    receive::behind(peer, &parts.headers, &api.parts.trusted_proxies)
}
