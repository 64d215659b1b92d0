//! `[project.postgres]`, when the tables are there.

use crate::config::{ProjectConfig, StoreKind};
use url::Url;

/// The key that is wrong, and why.
pub(super) fn check(project: &ProjectConfig) -> Option<(&'static str, &'static str)> {
    if project.store != StoreKind::Postgres {
        return None;
    }
    let postgres = &project.postgres;
    if cfg!(not(feature = "store-postgres")) {
        let reason = "this hooklog was built without PostgreSQL; build it with `--features \
                      store-postgres`, or take one that was built with `--features full`";
        return Some(("project.store", reason));
    }
    if let Some(reason) = address(postgres.url.as_deref()) {
        return Some(("project.postgres.url", reason));
    }
    if postgres.read_url.is_some()
        && let Some(reason) = address(postgres.read_url.as_deref())
    {
        return Some(("project.postgres.read_url", reason));
    }
    if !is_name(&postgres.schema) {
        let reason = "a schema is named by lower-case letters, digits and `_`, 63 at the most, and \
                      no digit first";
        return Some(("project.postgres.schema", reason));
    }
    if postgres.cert_file.is_some() != postgres.key_file.is_some() {
        let reason = "a certificate and its key go together: set `cert_file` and `key_file`";
        return Some(("project.postgres.cert_file", reason));
    }
    None
}

pub(super) fn address(url: Option<&str>) -> Option<&'static str> {
    const FORM: &str = "write postgres://USER@HOST:PORT/DATABASE";
    let Some(url) = url else {
        return Some("the server must be named; write postgres://USER@HOST:PORT/DATABASE");
    };
    let Ok(url) = Url::parse(url) else {
        return Some(FORM);
    };
    if url.password().is_some() {
        return Some("a password does not stand here; write it into `password_file`");
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Some("settings have keys of their own here, such as `sslmode` and `ca_file`");
    }
    let is_whole = ["postgres", "postgresql"].contains(&url.scheme())
        && url.host_str().is_some_and(|host| !host.is_empty())
        && !url.username().is_empty()
        && url.path().len() > 1;
    (!is_whole).then_some(FORM)
}

fn is_name(name: &str) -> bool {
    let known = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
    let digit_first = name.bytes().next().is_none_or(|byte| byte.is_ascii_digit());
    name.len() <= 63 && !digit_first && name.bytes().all(known)
}
