//! Who is asking, and whether they may. Of a token only its SHA-256 is known.

use super::problem::Problem;
use super::{Api, Shared, client};
use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode, header};
use hooklog_projections::configuration::Configuration;
use hooklog_schemas::control::{By, Role};
use sha2::{Digest, Sha256};
use std::net::IpAddr;
use subtle::{Choice, ConditionallySelectable as _, ConstantTimeEq as _};

/// The actor behind the token of the first start. No named token may have this name.
pub(super) const BOOTSTRAP: &str = "bootstrap";

/// Who is asking.
#[derive(Clone, Debug)]
pub(crate) struct Caller {
    /// The token's name.
    pub(super) actor: String,
    /// What the token may do.
    pub(super) role: Role,
    /// The client's address.
    pub(super) from: IpAddr,
}

impl Caller {
    /// What an event says about who asked for it.
    pub(super) fn by(&self, api: &Api, why: Option<String>) -> By {
        By {
            actor: self.actor.clone(),
            from: self.from.to_string(),
            at: api.parts.clock.now(),
            why,
        }
    }
}

macro_rules! allowed {
    ($($(#[$doc:meta])* $name:ident = $role:ident;)*) => {$(
        $(#[$doc])*
        pub(crate) struct $name(pub(super) Caller);

        impl FromRequestParts<Shared> for $name {
            type Rejection = Problem;
            async fn from_request_parts(parts: &mut Parts, api: &Shared) -> Result<Self, Problem> {
                authorise(api, parts, Role::$role).map(Self)
            }
        }
    )*};
}

allowed! {
    /// Somebody who may look.
    Reader = Read;
    /// Somebody who may change subscriptions, give commands and read bodies.
    Operator = Operate;
    /// Somebody who may change sources and tokens, and erase.
    Admin = Admin;
}

fn authorise(api: &Api, parts: &Parts, needed: Role) -> Result<Caller, Problem> {
    let caller = authenticate(api, &parts.headers, client::address(api, parts))?;
    if caller.role >= needed {
        return Ok(caller);
    }
    let detail = format!(
        "{:?} has the role {}, and this needs {}",
        caller.actor,
        name(caller.role),
        name(needed)
    );
    Err(Problem::new(StatusCode::FORBIDDEN, detail))
}

pub(super) const fn name(role: Role) -> &'static str {
    match role {
        Role::Read => "read",
        Role::Operate => "operate",
        Role::Admin => "admin",
    }
}

fn authenticate(api: &Api, headers: &HeaderMap, from: IpAddr) -> Result<Caller, Problem> {
    let token = bearer(headers)?;
    let hash: [u8; 32] = Sha256::digest(token).into();
    let configuration = api.parts.control.current();
    if let Some((actor, role)) = named(&configuration, &hash) {
        return Ok(Caller { actor, role, from });
    }
    let now = api.parts.clock.now();
    // A person may have chosen the first token, so an address has few tries at it. Named tokens
    // have 256 random bits: whoever holds one is let in, whatever others try from the same address.
    api.failures.check(from, now)?;
    if is_bootstrap(api, &configuration, &hash) {
        let actor = BOOTSTRAP.to_owned();
        return Ok(Caller {
            actor,
            role: Role::Admin,
            from,
        });
    }
    api.failures.count(from, now);
    tracing::warn!(client = %from, "a token of the API was refused");
    Err(unauthorized("the token is not known, or was revoked"))
}

/// The token of the one `Authorization` header.
fn bearer(headers: &HeaderMap) -> Result<&[u8], Problem> {
    let mut given = headers.get_all(header::AUTHORIZATION).iter();
    let (Some(value), None) = (given.next(), given.next()) else {
        return Err(unauthorized(
            "send one header `Authorization: Bearer TOKEN`",
        ));
    };
    let (scheme, token) = value.as_bytes().split_at_checked(7).unwrap_or_default();
    if scheme.eq_ignore_ascii_case(b"bearer ") {
        return Ok(token.trim_ascii());
    }
    Err(unauthorized(
        "the header must be `Authorization: Bearer TOKEN`",
    ))
}

fn unauthorized(detail: &str) -> Problem {
    Problem::new(StatusCode::UNAUTHORIZED, detail)
}

/// Compares with every token in constant time, so that the time tells nothing about any.
fn named(configuration: &Configuration, hash: &[u8; 32]) -> Option<(String, Role)> {
    let given = hex::encode(hash);
    let tokens: Vec<_> = configuration
        .tokens
        .values()
        .filter(|token| !token.revoked)
        .collect();
    let mut found = u32::MAX;
    for (index, token) in (0_u32..).zip(&tokens) {
        let same: Choice = token.sha256.as_bytes().ct_eq(given.as_bytes());
        found.conditional_assign(&index, same);
    }
    let token = tokens.get(usize::try_from(found).ok()?)?;
    Some((token.name.clone(), token.role))
}

/// The token of the first start counts until the first named admin token exists, and never again,
/// also not when that one is revoked.
fn is_bootstrap(api: &Api, configuration: &Configuration, hash: &[u8; 32]) -> bool {
    let replaced = configuration
        .tokens
        .values()
        .any(|token| token.role == Role::Admin);
    let Some(token) = api
        .parts
        .bootstrap_admin
        .as_ref()
        .filter(|token| !token.is_empty())
    else {
        return false;
    };
    let expected: [u8; 32] = Sha256::digest(token.expose()).into();
    let same: bool = expected.ct_eq(hash).into();
    same && !replaced
}
