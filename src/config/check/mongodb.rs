//! `[project.mongodb]`, when the tables are there.

use crate::config::{MongodbConfig, ProjectConfig, StoreKind};

/// The key that is wrong, and why.
pub(super) fn check(project: &ProjectConfig) -> Option<(&'static str, &'static str)> {
    if project.store != StoreKind::Mongodb {
        return None;
    }
    if cfg!(not(feature = "store-mongodb")) {
        let reason = "this hooklog was built without MongoDB; build it with `--features \
                      store-mongodb`, or take one that was built with `--features full`";
        return Some(("project.store", reason));
    }
    let mongodb = &project.mongodb;
    if let Some(reason) = address(mongodb.uri.as_deref()) {
        return Some(("project.mongodb.uri", reason));
    }
    if mongodb.username.is_some() != mongodb.password_file.is_some() {
        let reason = "a user and a password go together: set `username` and `password_file`";
        return Some(("project.mongodb.username", reason));
    }
    if !is_name(&mongodb.database) {
        let reason = "a database is named by letters, digits, `_` and `-`, 63 at the most";
        return Some(("project.mongodb.database", reason));
    }
    protection(mongodb)
}

fn protection(mongodb: &MongodbConfig) -> Option<(&'static str, &'static str)> {
    let reason = "it says who may sign the server's certificate, but `tls` is off";
    let in_vain = mongodb.ca_file.is_some() && !mongodb.tls;
    in_vain.then_some(("project.mongodb.ca_file", reason))
}

/// The options that an address may have: all others have keys of their own here, or are not ours to
/// let choose.
const OPTIONS: [&str; 3] = ["replicaset", "directconnection", "loadbalanced"];

/// Several hosts may stand in it, which a URL cannot have: so it is not read as one.
fn address(uri: Option<&str>) -> Option<&'static str> {
    const FORM: &str = "write mongodb://HOST:PORT,HOST:PORT/?replicaSet=NAME";
    let Some(uri) = uri else {
        return Some(
            "the servers must be named; write mongodb://HOST:PORT,HOST:PORT/?replicaSet=NAME",
        );
    };
    if uri.starts_with("mongodb+srv://") {
        return Some(
            "hosts are not looked up by another name: write those that its SRV records name, as \
             mongodb://HOST:PORT,HOST:PORT/?replicaSet=NAME",
        );
    }
    let Some(rest) = uri.strip_prefix("mongodb://") else {
        return Some(FORM);
    };
    if rest.contains('@') {
        return Some(
            "a user and a password do not stand here; write them into `username` and \
             `password_file`",
        );
    }
    let (place, options) = rest.split_once('?').unwrap_or((rest, ""));
    let (hosts, database) = place.split_once('/').unwrap_or((place, ""));
    if !database.is_empty() {
        return Some("the database has a key of its own here, `database`");
    }
    let mut options = options.split('&').filter(|option| !option.is_empty());
    let known = |option: &str| {
        let name = option.split('=').next().unwrap_or_default();
        OPTIONS.contains(&name.to_ascii_lowercase().as_str())
    };
    if !options.all(known) {
        return Some(
            "of its options replicaSet, directConnection and loadBalanced may stand here; others \
             have keys of their own, such as `tls` and `ca_file`",
        );
    }
    let named = hosts.split(',').all(|host| !host.is_empty());
    (!named).then_some(FORM)
}

fn is_name(name: &str) -> bool {
    let known = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-';
    (1..=63).contains(&name.len()) && name.bytes().all(known)
}
