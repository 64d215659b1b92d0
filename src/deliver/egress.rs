//! Where deliveries may go. Checked when a subscription is made and again at every attempt, after
//! resolution, since a name may mean another address by then.

mod own;
mod ranges;

use crate::config::DeliverConfig;
use async_trait::async_trait;
use hooklog_schemas::deliveries::ErrorClass;
use ipnet::IpNet;
use own::Own;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;
use url::{Host, Url};

/// Characters of a URL at the most.
const URL_CHARS_MAX: usize = 2_048;

/// The egress rules.
pub struct Egress {
    allow: Vec<IpNet>,
    ports: Vec<u16>,
    own: Own,
    quote_allowed: bool,
    lookup: Arc<dyn Lookup>,
}

/// Resolves names.
///
/// # Rules for implementers
/// - Return every address of the name; the rules refuse a name of which any is forbidden.
#[async_trait]
pub trait Lookup: Send + Sync {
    /// The addresses of `host`.
    async fn addresses(&self, host: &str) -> std::io::Result<Vec<IpAddr>>;
}

/// The machine's own resolver.
struct SystemLookup;

#[async_trait]
impl Lookup for SystemLookup {
    async fn addresses(&self, host: &str) -> std::io::Result<Vec<IpAddr>> {
        let found = tokio::net::lookup_host((host, 0)).await?;
        Ok(found.map(|address| address.ip()).collect())
    }
}

/// Which addresses a target may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reach {
    /// `https` to a usual port: the public internet, and the allowed networks.
    Public,
    /// `http`, or another port: the allowed networks alone.
    Allowed,
}

/// Why a target is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EgressError {
    /// It is not a URL.
    #[error("it is not a URL: {0}")]
    NotAUrl(String),
    /// It is too long.
    #[error("it has more than {URL_CHARS_MAX} characters")]
    TooLong,
    /// Another scheme.
    #[error("the scheme {0} is not allowed; use https")]
    Scheme(String),
    /// `http` without an allowed network.
    #[error("http is only for networks in [deliver] allow; use https")]
    Insecure,
    /// A name or a password in the URL.
    #[error("it holds a user name or a password; sign deliveries instead")]
    Credentials,
    /// A fragment.
    #[error("it has a fragment (#), which is never sent")]
    Fragment,
    /// No host, or one that ends in a dot.
    #[error("the host is missing or ends in a dot")]
    Host,
    /// An unusual port without an allowed network.
    #[error("port {0} is not in [deliver] ports, and its network is not in [deliver] allow")]
    Port(u16),
    /// A private or special address.
    #[error(
        "{0} is a private or special address; an operator can add its network to [deliver] allow"
    )]
    Address(IpAddr),
    /// Where this process listens itself.
    #[error("{0} is hooklog's own listener: a delivery to it would come in as a webhook again")]
    Own(SocketAddr),
    /// The name has no address, or the resolver failed.
    #[error("{host} cannot be resolved: {reason}")]
    Unresolved {
        /// The name.
        host: String,
        /// What the resolver says.
        reason: String,
    },
}

/// How long the resolver may take when a subscription is made: a person waits.
const RESOLVE_DEADLINE: Duration = Duration::from_secs(5);

impl EgressError {
    /// The class under which an attempt records it.
    #[must_use]
    pub const fn class(&self) -> ErrorClass {
        match self {
            Self::Unresolved { .. } => ErrorClass::Resolve,
            _ => ErrorClass::Refused,
        }
    }
}

impl Egress {
    /// The rules that the operator wrote, with the machine's resolver.
    #[must_use]
    pub fn new(config: &DeliverConfig) -> Self {
        Self::with_lookup(config, Arc::new(SystemLookup))
    }

    /// The rules that the operator wrote, with another resolver.
    #[must_use]
    pub fn with_lookup(config: &DeliverConfig, lookup: Arc<dyn Lookup>) -> Self {
        Self {
            allow: config.allow.clone(),
            ports: config.ports.clone(),
            own: Own::default(),
            quote_allowed: config.excerpts_of_allowed,
            lookup,
        }
    }

    /// The same rules for a process that listens at these addresses: they are no targets.
    ///
    /// It sees the addresses of this machine, not those of a proxy or load balancer before it.
    #[must_use]
    pub fn listening(mut self, at: Vec<SocketAddr>) -> Self {
        self.own = Own::new(at);
        self
    }

    /// Checks what can be checked without resolving: for when a subscription is made.
    ///
    /// # Errors
    /// Why the target is refused.
    pub fn check_url(&self, text: &str) -> Result<Url, EgressError> {
        if text.chars().count() > URL_CHARS_MAX {
            return Err(EgressError::TooLong);
        }
        let url = Url::parse(text).map_err(|error| EgressError::NotAUrl(error.to_string()))?;
        self.reach(&url)?;
        Ok(url)
    }

    /// Checks a target when a subscription is made: its form, and every address of its name.
    ///
    /// # Errors
    /// Why the target is refused, or that its name has no address (yet).
    pub async fn check_target(&self, text: &str) -> Result<(), EgressError> {
        let url = self.check_url(text)?;
        let reach = self.reach(&url)?;
        let Some(url::Host::Domain(name)) = url.host() else {
            return Ok(());
        };
        let port = url.port_or_known_default().unwrap_or_default();
        let resolving = self.resolve_and_check(name, port, reach);
        match tokio::time::timeout(RESOLVE_DEADLINE, resolving).await {
            Ok(found) => found.map(drop),
            Err(_) => Err(EgressError::Unresolved {
                host: name.to_owned(),
                reason: format!("no answer within {} s", RESOLVE_DEADLINE.as_secs()),
            }),
        }
    }

    /// Which addresses this target may have; literal addresses are checked at once.
    ///
    /// # Errors
    /// Why the target is refused.
    pub fn reach(&self, url: &Url) -> Result<Reach, EgressError> {
        if !matches!(url.scheme(), "https" | "http") {
            return Err(EgressError::Scheme(url.scheme().to_owned()));
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(EgressError::Credentials);
        }
        if url.fragment().is_some() {
            return Err(EgressError::Fragment);
        }
        let port = url.port_or_known_default().ok_or(EgressError::Host)?;
        let usual = url.scheme() == "https" && self.ports.contains(&port);
        let reach = if usual { Reach::Public } else { Reach::Allowed };
        match literal(url)? {
            Some(address) => {
                self.own.refuse(SocketAddr::new(address, port))?;
                self.admit(address, reach)?;
            }
            None if reach == Reach::Allowed && self.allow.is_empty() => {}
            None => return Ok(reach),
        }
        match (reach, url.scheme()) {
            (Reach::Allowed, "http") if self.allow.is_empty() => Err(EgressError::Insecure),
            (Reach::Allowed, _) if self.allow.is_empty() => Err(EgressError::Port(port)),
            _ => Ok(reach),
        }
    }

    /// The addresses of a host, if every one of them is admitted.
    ///
    /// # Errors
    /// When the name has no address, or any that is refused: a name that mixes public and private
    /// ones is an attack or a mistake.
    pub async fn resolve_and_check(
        &self,
        host: &str,
        port: u16,
        reach: Reach,
    ) -> Result<Vec<SocketAddr>, EgressError> {
        let unresolved = |reason: String| EgressError::Unresolved {
            host: host.to_owned(),
            reason,
        };
        let found = self.lookup.addresses(host).await;
        let found = found.map_err(|error| unresolved(error.to_string()))?;
        if found.is_empty() {
            return Err(unresolved("no address".to_owned()));
        }
        for address in &found {
            self.own.refuse(SocketAddr::new(*address, port))?;
            self.admit(*address, reach)?;
        }
        let sockets = found
            .into_iter()
            .map(|address| SocketAddr::new(address, port));
        Ok(sockets.collect())
    }

    /// Checks the addresses of a name whose port is one of our own, whichever of them it is.
    pub(super) async fn resolve_beside_own(
        &self,
        host: &str,
        reach: Reach,
    ) -> Result<Vec<SocketAddr>, EgressError> {
        let found = self.resolve_and_check(host, 0, reach).await?;
        for address in &found {
            self.own.refuse_any_port(address.ip())?;
        }
        Ok(found)
    }

    /// Whether we listen at this port ourselves.
    pub(super) fn is_own_port(&self, port: u16) -> bool {
        self.own.has_port(port)
    }

    /// Whether an answer from this address may be kept. Whoever may create a subscription could
    /// read internal services through the answers of targets that only `allow` lets through.
    #[must_use]
    pub fn may_quote(&self, address: IpAddr, reach: Reach) -> bool {
        let public = reach == Reach::Public && !ranges::is_special(address.to_canonical());
        public || self.quote_allowed
    }

    /// Checks one address.
    ///
    /// # Errors
    /// When it is private or special, and not allowed.
    pub fn admit(&self, address: IpAddr, reach: Reach) -> Result<(), EgressError> {
        let address = address.to_canonical();
        let covers = |net: &&IpNet| net.contains(&address);
        let allowed = if ranges::is_metadata(address) {
            // Only by its own name: a wider network never includes the cloud's credentials.
            self.allow
                .iter()
                .filter(covers)
                .any(|net| net.prefix_len() == net.max_prefix_len())
        } else {
            self.allow.iter().any(|net| net.contains(&address))
        };
        let public = reach == Reach::Public && !ranges::is_special(address);
        if allowed || public {
            return Ok(());
        }
        Err(EgressError::Address(address))
    }
}

/// The address that a URL names without a resolver.
fn literal(url: &Url) -> Result<Option<IpAddr>, EgressError> {
    match url.host() {
        Some(Host::Ipv4(address)) => Ok(Some(IpAddr::V4(address))),
        Some(Host::Ipv6(address)) => Ok(Some(IpAddr::V6(address))),
        Some(Host::Domain(name)) if name.is_empty() || name.ends_with('.') => {
            Err(EgressError::Host)
        }
        Some(Host::Domain(name)) if name == "localhost" || name.ends_with(".localhost") => {
            Ok(Some(IpAddr::V4(Ipv4Addr::LOCALHOST)))
        }
        Some(Host::Domain(_)) => Ok(None),
        None => Err(EgressError::Host),
    }
}

#[cfg(test)]
mod tests;
