//! The addresses at which this process listens: deliveries there would go in circles.

use super::EgressError;
use std::net::{IpAddr, SocketAddr, UdpSocket};

/// Where this process listens.
#[derive(Default)]
pub(super) struct Own(Vec<SocketAddr>);

impl Own {
    pub(super) const fn new(listening: Vec<SocketAddr>) -> Self {
        Self(listening)
    }

    pub(super) fn has_port(&self, port: u16) -> bool {
        self.0.iter().any(|own| own.port() == port)
    }

    /// Refuses a target that one of the listeners would accept.
    pub(super) fn refuse(&self, target: SocketAddr) -> Result<(), EgressError> {
        let ip = target.ip().to_canonical();
        let own = |own: &&SocketAddr| own.port() == target.port() && accepts(own.ip(), ip);
        match self.0.iter().find(own) {
            Some(_) => Err(EgressError::Own(target)),
            None => Ok(()),
        }
    }

    /// Refuses an address at which any of the listeners is.
    pub(super) fn refuse_any_port(&self, ip: IpAddr) -> Result<(), EgressError> {
        let target = |own: &SocketAddr| SocketAddr::new(ip, own.port());
        self.0.iter().map(target).try_for_each(|at| self.refuse(at))
    }
}

/// Whether a connection to `ip` ends at a listener that is bound to `bound`.
fn accepts(bound: IpAddr, ip: IpAddr) -> bool {
    // A connection to the unspecified address goes to this machine.
    ip == bound.to_canonical() || ip.is_unspecified() || (bound.is_unspecified() && is_here(ip))
}

/// Whether an address is one of this machine's: no socket can be bound to another's.
fn is_here(ip: IpAddr) -> bool {
    ip.is_loopback() || UdpSocket::bind((ip, 0)).is_ok()
}
