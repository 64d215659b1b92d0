//! The address of the client, as the listener found it out.

use axum::extract::ConnectInfo;
use axum::http::Extensions;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

/// The client's address; `0.0.0.0` where the listener did not say.
pub(super) fn address(extensions: &Extensions) -> IpAddr {
    let connected = extensions.get::<ConnectInfo<SocketAddr>>();
    connected.map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), |info| info.0.ip())
}
