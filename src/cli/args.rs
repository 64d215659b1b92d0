//! Flags that many commands share.

use super::point::AsOf;
use super::row::Row;
use super::session::Usage;
use super::time::{When, span};
use clap::{Args, Subcommand, ValueEnum};
use hooklog_schemas::Timestamp;
use serde_json::{Value, json};
use std::path::PathBuf;
use std::time::Duration;
use url::Url;
use uuid::Uuid;

/// How answers are shown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// Tables and sentences, for people
    #[default]
    Table,
    /// JSON, for scripts
    Json,
}

/// Which server, as whom, and how the answer is shown.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Server and output")]
pub(crate) struct Connect {
    /// The API of the server [default: the environment variable HOOKLOG_SERVER, else
    /// http://127.0.0.1:8081]
    // Neither as a default nor as a variable of clap's, which would list it in every usage error.
    #[arg(long, global = true, value_name = "URL", value_parser = server)]
    server: Option<Url>,
    /// File that holds the API token [default: the environment variable HOOKLOG_TOKEN]
    #[arg(long, global = true, value_name = "FILE")]
    pub(crate) token_file: Option<PathBuf>,
    /// How the answer is shown
    #[arg(
        long,
        short,
        global = true,
        env = "HOOKLOG_OUTPUT",
        value_enum,
        default_value_t,
        value_name = "FORMAT"
    )]
    pub(crate) output: Format,
}

impl Connect {
    /// Whether the flag names a server.
    pub(crate) const fn names_a_server(&self) -> bool {
        self.server.is_some()
    }

    /// The API of the server: that of the flag, of the environment, or of this machine.
    ///
    /// # Errors
    /// When the environment holds no URL.
    pub(crate) fn server(&self) -> Result<Url, Usage> {
        if let Some(url) = &self.server {
            return Ok(url.clone());
        }
        let told = std::env::var("HOOKLOG_SERVER").ok();
        let told = told.filter(|text| !text.is_empty());
        server(told.as_deref().unwrap_or("http://127.0.0.1:8081"))
            .map_err(|error| Usage(format!("HOOKLOG_SERVER: {error}")))
    }
}

/// How the answer of a command without a server is shown.
#[derive(Args, Clone, Copy, Debug, Default)]
pub(crate) struct Shown {
    /// How the answer is shown
    #[arg(
        long,
        short,
        env = "HOOKLOG_OUTPUT",
        value_enum,
        default_value_t,
        value_name = "FORMAT"
    )]
    pub(crate) output: Format,
}

/// A group of commands that talk to a server.
#[derive(Args, Debug)]
pub(crate) struct Group<V: Subcommand> {
    #[command(flatten)]
    pub(super) connect: Connect,
    #[command(subcommand)]
    pub(super) verb: V,
}

/// One command that talks to a server.
#[derive(Args, Debug)]
pub(crate) struct Single<A: Args> {
    #[command(flatten)]
    pub(super) args: A,
    #[command(flatten)]
    pub(super) connect: Connect,
}

/// A command without flags of its own.
#[derive(Args, Debug)]
pub(crate) struct Nothing {}

/// A range of receipt times.
#[derive(Args, Clone, Debug, Default)]
pub(crate) struct Range {
    /// Received at or after: 2h (ago), 1d12h, 2026-11-01, 2026-11-01T12:00Z
    #[arg(long, visible_alias = "since", value_name = "WHEN")]
    pub(crate) from: Option<When>,
    /// Received before
    #[arg(long, visible_alias = "until", value_name = "WHEN")]
    pub(crate) to: Option<When>,
}

impl Range {
    /// Whether it has neither a beginning nor an end.
    pub(crate) const fn is_empty(&self) -> bool {
        self.from.is_none() && self.to.is_none()
    }

    /// The query parameters.
    pub(crate) fn query(&self, now: Timestamp) -> Vec<(&'static str, String)> {
        let stamp = |when: When| when.resolve(now).to_string();
        let from = self.from.map(|when| ("from", stamp(when)));
        let to = self.to.map(|when| ("to", stamp(when)));
        from.into_iter().chain(to).collect()
    }
}

/// Which webhooks. All given clauses must hold.
#[derive(Args, Clone, Debug, Default)]
pub(crate) struct Which {
    #[command(flatten)]
    pub(crate) range: Range,
    /// Of this source
    #[arg(long, value_name = "NAME")]
    source: Option<String>,
    /// Of this host
    #[arg(long)]
    host: Option<String>,
    /// Of this repository: acme/api, or 'acme/*'; repeatable
    #[arg(long, value_name = "NAME")]
    repository: Vec<String>,
    /// Of this event: push
    #[arg(long)]
    event: Option<String>,
}

impl Which {
    /// The query parameters.
    pub(crate) fn query(&self, now: Timestamp) -> Vec<(&'static str, String)> {
        let mut query = self.range.query(now);
        let repositories = (!self.repository.is_empty()).then(|| self.repository.join(","));
        let filters = [
            ("source", self.source.clone()),
            ("host", self.host.clone()),
            ("repository", repositories),
            ("event", self.event.clone()),
        ];
        let given = filters.into_iter();
        query.extend(given.filter_map(|(name, value)| Some((name, value?))));
        query
    }
}

/// Times of webhooks beside that of their receipt.
#[derive(Args, Clone, Debug, Default)]
pub(crate) struct Times {
    /// Happened at or after, by GitHub's time: 2h (ago), 2026-11-01T12:00Z
    #[arg(long, value_name = "WHEN")]
    event_from: Option<When>,
    /// Happened before, by GitHub's time
    #[arg(long, value_name = "WHEN")]
    event_to: Option<When>,
    /// Appended to the log at or after
    #[arg(long, value_name = "WHEN")]
    appended_from: Option<When>,
    /// Appended to the log before
    #[arg(long, value_name = "WHEN")]
    appended_to: Option<When>,
}

impl Times {
    /// The query parameters.
    pub(crate) fn query(&self, now: Timestamp) -> Vec<(&'static str, String)> {
        let given = [
            ("event_from", self.event_from),
            ("event_to", self.event_to),
            ("appended_from", self.appended_from),
            ("appended_to", self.appended_to),
        ];
        let stamp = |(name, when): (_, Option<When>)| Some((name, when?.resolve(now).to_string()));
        given.into_iter().filter_map(stamp).collect()
    }
}

/// How much of a list.
#[derive(Args, Clone, Debug)]
pub(crate) struct Paging {
    /// Rows at the most
    #[arg(long, default_value_t = 50, value_name = "ROWS", value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) limit: u32,
    /// Go on where an earlier answer ended: its `next`
    #[arg(long, value_name = "CURSOR")]
    pub(crate) cursor: Option<String>,
    #[command(flatten)]
    pub(crate) as_of: AsOf,
}

/// Why a change is made.
#[derive(Args, Clone, Debug, Default)]
pub(crate) struct Because {
    /// Why; it is recorded with the change
    #[arg(long, value_name = "TEXT")]
    pub(crate) reason: Option<String>,
}

/// What a change is based on, and why it is made.
#[derive(Args, Clone, Debug, Default)]
pub(crate) struct Basis {
    /// The version that the change is based on, as `show` shows it; it is refused if there is another
    /// by now [default: the present one]
    #[arg(long, value_name = "VERSION", value_parser = id)]
    pub(crate) expected: Option<String>,
    #[command(flatten)]
    pub(crate) because: Because,
}

impl Basis {
    /// `body` with both, as far as they are given.
    pub(crate) fn add(&self, body: Value) -> Value {
        let expected = self.expected.as_ref().map(|version| json!(version));
        let body = with_given(body, [("expected", expected)]);
        with_reason(body, self.because.reason.as_deref())
    }

    /// Both as query parameters.
    pub(crate) fn query(&self) -> Vec<(&'static str, String)> {
        let given = [
            ("expected", &self.expected),
            ("reason", &self.because.reason),
        ];
        let given = given
            .into_iter()
            .filter_map(|(name, value)| Some((name, value.clone()?)));
        given.collect()
    }
}

/// `body` with the reason, if there is one.
pub(crate) fn with_reason(mut body: Value, reason: Option<&str>) -> Value {
    if let (Some(object), Some(reason)) = (body.as_object_mut(), reason) {
        object.insert("reason".to_owned(), json!(reason));
    }
    body
}

/// `body` with those of `fields` that have a value.
pub(crate) fn with_given<const N: usize>(
    mut body: Value,
    fields: [(&str, Option<Value>); N],
) -> Value {
    if let Some(object) = body.as_object_mut() {
        let given = fields
            .into_iter()
            .filter_map(|(name, value)| Some((name.to_owned(), value?)));
        object.extend(given);
    }
    body
}

/// The fields of `row` that a change repeats, whatever they hold.
pub(crate) fn kept<const N: usize>(row: Row<'_>, fields: [&str; N]) -> Value {
    let keep = |name: &str| {
        (
            name.to_owned(),
            row.0.get(name).cloned().unwrap_or_default(),
        )
    };
    fields
        .into_iter()
        .map(keep)
        .collect::<serde_json::Map<_, _>>()
        .into()
}

/// A duration flag.
pub(crate) fn duration(text: &str) -> Result<Duration, String> {
    span(text).map_err(|error| error.to_string())
}

/// A rate: `50/s`, or `50`.
pub(crate) fn rate(text: &str) -> Result<u32, String> {
    let number = text.strip_suffix("/s").unwrap_or(text).trim();
    let rate = number.parse().ok().filter(|rate| *rate > 0);
    rate.ok_or_else(|| format!("{text:?} is not a rate; write 50/s"))
}

/// The id of a delivery or a receipt.
pub(crate) fn id(text: &str) -> Result<String, String> {
    let known = Uuid::parse_str(text).map(|id| id.to_string());
    known.map_err(|_| format!("{text:?} is not an id; lists and `timeline` show ids"))
}

/// Milliseconds of a duration.
pub(crate) fn millis(span: Duration) -> Value {
    json!(u64::try_from(span.as_millis()).unwrap_or(u64::MAX))
}

fn server(text: &str) -> Result<Url, String> {
    let url = Url::parse(text)
        .ok()
        .filter(|url| ["http", "https"].contains(&url.scheme()));
    url.filter(Url::has_host).ok_or_else(|| {
        format!("{text:?} is not an http or https URL; one looks like http://127.0.0.1:8081")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_is_an_http_url_with_a_host() {
        assert!(server("https://hooklog.example.com/base").is_ok());
        for text in ["127.0.0.1:8081", "localhost:8081", "ftp://a", "http://"] {
            assert!(
                server(text).unwrap_err().contains("http://127.0.0.1:8081"),
                "{text}"
            );
        }
    }

    #[test]
    fn an_id_is_a_uuid() {
        assert!(id("019a3c5e-7d1f-7c3a-b1de-0242ac120002").is_ok());
        assert!(id("ci").unwrap_err().contains("not an id"));
    }

    #[test]
    fn a_range_is_sent_as_instants() {
        let range = Range {
            from: Some("2h".parse().unwrap()),
            to: Some("2026-11-01T12:00Z".parse().unwrap()),
        };
        let now = "2026-11-01T12:00Z".parse().unwrap();
        let query = range.query(now);
        assert_eq!(query[0], ("from", "2026-11-01T10:00:00.000000Z".to_owned()));
        assert_eq!(query[1], ("to", "2026-11-01T12:00:00.000000Z".to_owned()));
    }
}
