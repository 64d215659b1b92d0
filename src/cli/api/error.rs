//! What can go wrong between the command line and the server, and what to do then.

use std::error::Error as _;
use url::Url;

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ApiError {
    /// Nobody answers.
    #[error("no server answers at {}: {cause}", shown(url))]
    Unreachable {
        /// Where.
        url: Url,
        /// The innermost cause.
        cause: String,
    },
    /// The server did not answer in time.
    #[error("the server at {} did not answer in time", shown(url))]
    Slow {
        /// Where.
        url: Url,
    },
    /// Something answers that is not hooklog's API.
    #[error("what answers at {} is not the API of hooklog", shown(url))]
    Foreign {
        /// Where.
        url: Url,
    },
    /// The server says no.
    #[error("{}", sentence(title, detail))]
    Problem {
        /// The HTTP status.
        status: u16,
        /// The last part of the problem's type.
        slug: String,
        /// What kind of problem it is.
        title: String,
        /// What it is this time.
        detail: String,
        /// Whether a token was shown.
        had_token: bool,
    },
    /// The token has characters that no token has.
    #[error("the API token has characters that cannot stand in a header")]
    Token,
    /// The HTTP client cannot be set up.
    #[error("the HTTP client cannot be set up")]
    Client(#[source] reqwest::Error),
}

impl ApiError {
    /// From an error of the HTTP client.
    pub(super) fn unreachable(url: &Url, error: &reqwest::Error) -> Self {
        if error.is_timeout() && !error.is_connect() {
            return Self::Slow { url: url.clone() };
        }
        let mut cause = error.to_string();
        let mut source = error.source();
        while let Some(inner) = source {
            cause = inner.to_string();
            source = inner.source();
        }
        Self::Unreachable {
            url: url.clone(),
            cause,
        }
    }

    /// What to do.
    pub(crate) fn hint(&self) -> Option<String> {
        let hint = match self {
            Self::Unreachable { .. } => {
                "start a server with `hooklog serve --data DIR`, or name another with --server URL or HOOKLOG_SERVER"
            }
            Self::Slow { .. } => "`hooklog doctor` looks for the reason",
            Self::Foreign { .. } => {
                "--server wants the API's address (--api-listen of the server, 8081 by default), not the one for webhooks"
            }
            Self::Problem {
                status: 401,
                had_token: false,
                ..
            } => {
                "set HOOKLOG_TOKEN; on the server's machine: export HOOKLOG_TOKEN=$(cat DIR/admin-token)"
            }
            Self::Problem { status: 401, .. } => {
                "HOOKLOG_TOKEN (or --token-file) holds a token that this server does not know, or that was deleted; \
                 the bootstrap token ends when the first named admin token is created"
            }
            Self::Problem { status: 403, .. } => {
                "the token's role does not allow it; `hooklog token create NAME --role …` makes another, as an admin"
            }
            Self::Problem { status: 503, .. } => "`hooklog doctor` shows what the server waits for",
            Self::Problem { .. } | Self::Client(_) => return None,
            Self::Token => "is HOOKLOG_TOKEN, or the file, what you meant?",
        };
        Some(hint.to_owned())
    }
}

/// As it was typed: without the slash that an empty path gets, and without a password.
pub(crate) fn shown(url: &Url) -> String {
    let mut url = url.clone();
    // It fails for URLs that cannot have a password, which have none to hide.
    let _ = url.set_password(None);
    url.as_str().trim_end_matches('/').to_owned()
}

fn sentence(title: &str, detail: &str) -> String {
    if detail.is_empty() {
        title.to_owned()
    } else {
        format!("{title}: {detail}")
    }
}
