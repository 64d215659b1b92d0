//! What the server says, and what to do about it.

use crate::project::store::StoreError;
use sqlx::Error;
use sqlx::postgres::PgConnectOptions;

/// A server on which something failed, in the words of the configuration.
#[derive(Clone, Debug)]
pub(super) struct Server {
    /// The key that names it, and the one that names the file of the password.
    key: &'static str,
    password: &'static str,
    user: String,
    host: String,
    database: String,
    schema: String,
}

impl Server {
    pub(super) fn of(
        (key, password): (&'static str, &'static str),
        options: &PgConnectOptions,
        schema: &str,
    ) -> Self {
        Self {
            key,
            password,
            user: options.get_username().to_owned(),
            host: format!("{}:{}", options.get_host(), options.get_port()),
            database: options.get_database().unwrap_or_default().to_owned(),
            schema: schema.to_owned(),
        }
    }

    /// What `error`, which came up while connecting, means.
    pub(super) fn refused(&self, error: Error) -> StoreError {
        let Self {
            key,
            password,
            user,
            host,
            database,
            ..
        } = self;
        let advice = match code(&error).as_deref() {
            Some("28P01") => format!(
                "{host} does not take the password of the user {user}: the first line of \
                 {password} must be it"
            ),
            Some("28000") => format!(
                "{host} does not let the user {user} into the database {database} from here: {}; \
                 its pg_hba.conf decides",
                message(&error)
            ),
            Some("3D000") => format!(
                "{host} has no database {database}: name another by {key}, or make \
                 it by CREATE DATABASE {database} ENCODING 'UTF8'"
            ),
            Some("42501") => format!("{host} says: {}", message(&error)),
            _ => return self.away(&error),
        };
        StoreError::Refused(advice)
    }

    /// TLS that does not come about is a wrong setting; anything else may pass.
    fn away(&self, error: &Error) -> StoreError {
        let Self { key, host, .. } = self;
        match untrusted(error) {
            Some(reason) => StoreError::Refused(format!(
                "{host} cannot be trusted: {reason}; project.postgres.ca_file must hold who signed \
                 its certificate, which must name the host of {key}; sslmode says \
                 how much of that is asked for"
            )),
            None if matches!(error, Error::PoolTimedOut) => StoreError::Failed {
                doing: "waiting for a connection",
                reason: format!(
                    "{host} is away, or all connections are busy (project.postgres.\
                     read_connections_max)"
                ),
            },
            None => StoreError::Failed {
                doing: "connecting",
                reason: format!(
                    "{host} cannot be reached: {error}; is {key} right, and the \
                     server running?"
                ),
            },
        }
    }

    /// There is no such schema.
    pub(super) fn no_schema(&self) -> StoreError {
        let Self {
            user,
            database,
            schema,
            ..
        } = self;
        StoreError::Refused(format!(
            "the database {database} has no schema {schema}: an administrator makes it there by \
             CREATE SCHEMA {schema} AUTHORIZATION {user}, or name another by \
             project.postgres.schema"
        ))
    }

    /// The user may not make tables.
    pub(super) fn not_owner(&self) -> StoreError {
        let Self { user, schema, .. } = self;
        StoreError::Refused(format!(
            "the user {user} may not make tables in the schema {schema}: its owner allows it by \
             ALTER SCHEMA {schema} OWNER TO {user}, and ALTER TABLE … OWNER TO {user} for those \
             that are there"
        ))
    }

    /// The user could change more than tables of its own.
    pub(super) fn may_too_much(&self, what: &str) -> StoreError {
        let Self { key, user, .. } = self;
        StoreError::Refused(format!(
            "the user {user} of {key} {what}, so statements that are not hooklog's could do so too: name \
             a user who may only make schemas, as docs/own-projections.md has it"
        ))
    }

    /// The user may not make schemas.
    pub(super) fn makes_no_schemas(&self) -> StoreError {
        let Self { user, database, .. } = self;
        StoreError::Refused(format!(
            "the user {user} may not make schemas in the database {database}, and each projection has \
             some of its own: its owner allows it by GRANT CREATE ON DATABASE {database} TO {user}"
        ))
    }

    /// The database keeps texts in another encoding.
    pub(super) fn not_utf8(&self, encoding: &str) -> StoreError {
        let Self { database, .. } = self;
        StoreError::Refused(format!(
            "the database {database} keeps texts as {encoding}, which cannot hold every character: \
             make another by CREATE DATABASE … ENCODING 'UTF8' TEMPLATE template0, and name it by \
             project.postgres.url"
        ))
    }

    /// The server only reads.
    pub(super) fn is_replica(&self) -> StoreError {
        StoreError::Failed {
            doing: "connecting",
            reason: format!(
                "{} is a read replica: project.postgres.url must name the primary",
                self.host
            ),
        }
    }
}

/// What an error means that came up while something else was done.
pub(super) fn failed(doing: &'static str) -> impl Fn(Error) -> StoreError {
    move |error| match code(&error).as_deref() {
        Some("42501") => StoreError::Refused(format!(
            "while it was {doing}: {}; the user of project.postgres.url must own the tables",
            message(&error)
        )),
        _ => StoreError::Failed {
            doing,
            reason: error.to_string(),
        },
    }
}

/// Whether `error` says that a table is not there, or is being dropped under us: who drops and who
/// reads may each wait for a lock of the other, and the server ends one of them.
pub(super) fn is_gone(error: &Error) -> bool {
    matches!(code(error).as_deref(), Some("42P01" | "40P01"))
}

/// Whether `error` says that a row with this key is there.
pub(super) fn is_there(error: &Error) -> bool {
    code(error).as_deref() == Some("23505")
}

/// Whether `error` says that the password is wrong: it may have been changed.
pub(super) fn is_password(error: &Error) -> bool {
    code(error).as_deref() == Some("28P01")
}

/// What is wrong with the server's certificate or with TLS, if that is what is wrong.
fn untrusted(error: &Error) -> Option<String> {
    match error {
        Error::Tls(reason) => Some(reason.to_string()),
        Error::Io(error) => {
            let reason = error.get_ref()?.downcast_ref::<rustls::Error>()?;
            Some(reason.to_string())
        }
        _ => None,
    }
}

pub(super) fn code(error: &Error) -> Option<String> {
    let code = error.as_database_error()?.code()?;
    Some(code.into_owned())
}

pub(super) fn message(error: &Error) -> String {
    let database = error.as_database_error();
    database.map_or_else(|| error.to_string(), |error| error.message().to_owned())
}
