//! What the server says, and what to do about it.

use crate::project::store::StoreError;
use mongodb::error::{Error, ErrorKind, WriteFailure};

/// A server on which something failed, in the words of the configuration.
#[derive(Clone, Debug)]
pub(super) struct Server {
    /// Its address, as it is configured.
    uri: String,
    user: String,
    database: String,
}

impl Server {
    pub(super) fn of(uri: &str, user: Option<&str>, database: &str) -> Self {
        Self {
            uri: uri.to_owned(),
            user: user.unwrap_or("nobody").to_owned(),
            database: database.to_owned(),
        }
    }

    /// What `error`, which came up while connecting, means.
    pub(super) fn refused(&self, error: &Error) -> StoreError {
        let Self { uri, user, .. } = self;
        if is_password(error) {
            return StoreError::Refused(format!(
                "{uri} does not take the password of the user {user}: the first line of \
                 project.mongodb.password_file must be it, and project.mongodb.auth_source the \
                 database that knows the user"
            ));
        }
        let reason = said(error);
        if is_certificate(&reason) {
            return StoreError::Refused(format!(
                "{uri} cannot be trusted: {reason}; project.mongodb.ca_file must hold who signed \
                 its certificate, which must name the host of project.mongodb.uri"
            ));
        }
        match error.kind.as_ref() {
            ErrorKind::IncompatibleServer { message, .. } => StoreError::TooOld {
                found: format!("a server of which its driver says: {message}"),
                needed: "MongoDB 4.4",
            },
            ErrorKind::InvalidTlsConfig { message, .. } => {
                StoreError::Refused(format!("project.mongodb.ca_file: {message}"))
            }
            _ => StoreError::Failed {
                doing: "connecting",
                reason: format!(
                    "{uri} cannot be reached: {reason}; is project.mongodb.uri right, and the \
                     server running?"
                ),
            },
        }
    }

    /// The same error, with the address: an answer that never came does not say whose it was.
    pub(super) fn named(&self, error: StoreError) -> StoreError {
        match error {
            StoreError::Failed { doing, reason } if !reason.contains(&self.uri) => {
                let reason = format!("{}: {reason}", self.uri);
                StoreError::Failed { doing, reason }
            }
            other => other,
        }
    }

    /// The server asks who we are, or the user may not do what is needed.
    pub(super) fn forbidden(&self, error: &Error) -> StoreError {
        let Self {
            uri,
            user,
            database,
        } = self;
        StoreError::Refused(format!(
            "{uri} does not let the user {user} work in the database {database}: {}; the user needs \
             the role readWrite there, and project.mongodb.username and password_file must name it",
            said(error)
        ))
    }
}

/// What an error means that came up while something was done.
pub(super) fn failed(doing: &'static str) -> impl Fn(Error) -> StoreError {
    move |error| {
        let reason = said(&error);
        if is_password(&error) || is_forbidden(&error) {
            return StoreError::Refused(format!(
                "while it was {doing}: {reason}; the user of project.mongodb.username needs the role \
                 readWrite in project.mongodb.database, and the first line of password_file must be \
                 its password"
            ));
        }
        StoreError::Failed { doing, reason }
    }
}

/// Whether the server does not let us in. Not every failure while it asks who we are is one: it may be
/// stopping, or electing.
pub(super) fn is_password(error: &Error) -> bool {
    const AUTHENTICATION_FAILED: i32 = 18;
    match error.kind.as_ref() {
        ErrorKind::Authentication { message, .. } => {
            let source = std::error::Error::source(error);
            let source = source.and_then(|source| source.downcast_ref::<Box<Error>>());
            source.and_then(|source| code(source)) == Some(AUTHENTICATION_FAILED)
                || message.to_lowercase().contains("authentication failed")
        }
        _ => code(error) == Some(AUTHENTICATION_FAILED),
    }
}

/// Whether certificates are all that is wrong. The driver says of each server what it found: while
/// one fails in another way, it may be the one that comes back.
fn is_certificate(reason: &str) -> bool {
    let mut parts = reason.split("Address: ");
    let about_all = parts.next().unwrap_or_default();
    let mut servers = parts.peekable();
    let is_one = |said: &str| said.contains("certificate");
    match servers.peek() {
        Some(_) => servers.all(is_one),
        None => is_one(about_all),
    }
}

/// Whether the server does not let us do what we asked.
pub(super) fn is_forbidden(error: &Error) -> bool {
    const UNAUTHORIZED: i32 = 13;
    code(error) == Some(UNAUTHORIZED)
}

const DUPLICATE_KEY: i32 = 11_000;

/// Whether a document with this id is there, and nothing else is wrong.
pub(super) fn is_duplicate(error: &Error) -> bool {
    match error.kind.as_ref() {
        ErrorKind::Write(WriteFailure::WriteError(error)) => error.code == DUPLICATE_KEY,
        ErrorKind::InsertMany(many) => {
            let mut errors = many.write_errors.iter().flatten();
            many.write_concern_error.is_none() && errors.all(|error| error.code == DUPLICATE_KEY)
        }
        _ => false,
    }
}

/// Whether a collection with this name is there.
pub(super) fn is_there(error: &Error) -> bool {
    const NAMESPACE_EXISTS: i32 = 48;
    code(error) == Some(NAMESPACE_EXISTS)
}

fn code(error: &Error) -> Option<i32> {
    match error.kind.as_ref() {
        ErrorKind::Command(error) => Some(error.code),
        _ => None,
    }
}

/// What it says, without what the driver adds for itself.
fn said(error: &Error) -> String {
    error.kind.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn certificates_are_blamed_only_where_nothing_else_is_wrong() {
        let server =
            |error: &str| format!("{{ Address: db:27017, Type: Unknown, Error: {error} }}");
        let untrusted = server("Kind: I/O error: invalid peer certificate: UnknownIssuer");
        let away = server("Kind: I/O error: Connection refused");
        let all = |servers: &[&str]| format!("Topology: {{ Servers: [{}] }}", servers.join(", "));
        assert!(is_certificate(&all(&[&untrusted, &untrusted])));
        assert!(!is_certificate(&all(&[&untrusted, &away])));
        assert!(!is_certificate(&all(&[&away, &untrusted])));
        assert!(!is_certificate(&all(&[])));
        assert!(is_certificate("invalid peer certificate: Expired"));
    }
}
