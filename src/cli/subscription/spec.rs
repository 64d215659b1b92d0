//! The flags of a subscription, as the API takes them; and a subscription in words.

use crate::cli::args::{Because, duration, millis, with_given, with_reason};
use crate::cli::row::Row;
use crate::cli::session::secret_text;
use crate::cli::time::lasting;
use clap::{Args, ValueEnum};
use serde_json::{Map, Value, json};
use std::path::PathBuf;
use std::time::Duration;

/// How deliveries are signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Sign {
    /// Standard Webhooks
    Standard,
    /// As GitHub does, so that an existing GitHub receiver works unchanged
    Github,
    /// Not at all
    None,
}

impl Sign {
    /// As the API names it.
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Standard => "standard",
            Self::Github => "github",
            Self::None => "none",
        }
    }
}

/// Clauses of the filter.
#[derive(Args, Debug, Default)]
#[command(next_help_heading = "Filter")]
pub(super) struct FilterFlags {
    /// An event, with or without its action: push, pull_request.opened; repeatable
    #[arg(long, value_name = "EVENT")]
    event: Vec<String>,
    /// A source, by name; repeatable
    #[arg(long, value_name = "NAME")]
    source: Vec<String>,
    /// A host; repeatable
    #[arg(long, value_name = "HOST")]
    host: Vec<String>,
    /// A glob over the organisation's login; repeatable
    #[arg(long, value_name = "GLOB")]
    organization: Vec<String>,
    /// A glob over the repository's full name: 'acme/*'; repeatable
    #[arg(long, value_name = "GLOB")]
    repository: Vec<String>,
    /// A glob over the branch: main, 'release/*'; repeatable
    #[arg(long, value_name = "GLOB")]
    branch: Vec<String>,
    /// A glob over the sender's login; repeatable
    #[arg(long, value_name = "GLOB")]
    sender: Vec<String>,
}

impl FilterFlags {
    /// The clauses that were given.
    pub(super) fn given(&self) -> Map<String, Value> {
        let clauses = [
            ("events", &self.event),
            ("sources", &self.source),
            ("hosts", &self.host),
            ("organizations", &self.organization),
            ("repositories", &self.repository),
            ("branches", &self.branch),
            ("senders", &self.sender),
        ];
        let given = clauses.into_iter().filter(|(_, values)| !values.is_empty());
        given
            .map(|(name, values)| (name.to_owned(), json!(values)))
            .collect()
    }
}

/// Parts of the policy.
#[derive(Args, Debug, Default)]
#[command(next_help_heading = "Delivery policy")]
pub(super) struct PolicyFlags {
    /// Attempts before the dead letter, 1 to 100 [new subscriptions: 16]
    #[arg(long, value_name = "COUNT", value_parser = clap::value_parser!(u32).range(1..=100))]
    attempts: Option<u32>,
    /// Delay after the first failure; each later one doubles, with jitter [new subscriptions: 5s]
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    delay_first: Option<Duration>,
    /// The longest delay [new subscriptions: 12h]
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    delay_max: Option<Duration>,
    /// One deadline over connect, headers and body of an attempt [new subscriptions: 15s]
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    deadline: Option<Duration>,
    /// Attempts under way at once [new subscriptions: 16]
    #[arg(long, value_name = "COUNT", value_parser = clap::value_parser!(u32).range(1..))]
    concurrency: Option<u32>,
    /// Attempts a second at the most [new subscriptions: no limit]
    #[arg(long, value_name = "PER-SECOND", value_parser = clap::value_parser!(u32).range(1..))]
    rate: Option<u32>,
    /// GitHub mode: send the old X-Hub-Signature too
    #[arg(long, num_args = 0..=1, require_equals = true, default_missing_value = "true", value_name = "BOOL")]
    sha1: Option<bool>,
    /// GitHub mode: send the body as a form
    #[arg(long, num_args = 0..=1, require_equals = true, default_missing_value = "true", value_name = "BOOL")]
    form: Option<bool>,
    /// Deliver an event again when GitHub redelivers it, or another hook sees it
    #[arg(long, num_args = 0..=1, require_equals = true, default_missing_value = "true", value_name = "BOOL")]
    duplicates: Option<bool>,
}

impl PolicyFlags {
    /// The parts that were given.
    pub(super) fn given(&self) -> Map<String, Value> {
        let parts = [
            ("attempts_max", self.attempts.map(|count| json!(count))),
            ("delay_first_ms", self.delay_first.map(millis)),
            ("delay_max_ms", self.delay_max.map(millis)),
            ("deadline_ms", self.deadline.map(millis)),
            (
                "concurrency_max",
                self.concurrency.map(|count| json!(count)),
            ),
            ("rate_per_second", self.rate.map(|rate| json!(rate))),
            ("sha1", self.sha1.map(|on| json!(on))),
            ("form", self.form.map(|on| json!(on))),
            ("duplicates", self.duplicates.map(|on| json!(on))),
        ];
        parts
            .into_iter()
            .filter_map(|(name, value)| Some((name.to_owned(), value?)))
            .collect()
    }
}

/// `subscription create`.
#[derive(Args, Debug)]
pub(crate) struct Create {
    /// Its name
    name: String,
    /// Where deliveries go: an https URL
    #[arg(long, value_name = "URL")]
    to: String,
    /// The team that it belongs to
    #[arg(long, default_value = "default")]
    team: String,
    /// How deliveries are signed
    #[arg(long, value_enum, default_value = "standard", value_name = "MODE")]
    sign: Sign,
    /// File with the secret that signs, `-` for standard input; for standard: whsec_ and base64 of
    /// 24 to 64 bytes [default: one is made, and shown once]
    #[arg(long, value_name = "FILE")]
    secret_file: Option<PathBuf>,
    #[command(flatten)]
    because: Because,
    #[command(flatten)]
    filter: FilterFlags,
    #[command(flatten)]
    policy: PolicyFlags,
}

impl Create {
    /// The body of the request.
    pub(super) fn body(&self) -> anyhow::Result<Value> {
        let secret = self.secret_file.as_deref().map(secret_text).transpose()?;
        let (filter, policy) = (self.filter.given(), self.policy.given());
        let body = with_given(
            json!({"name": self.name, "to": self.to, "team": self.team, "sign": self.sign.as_str()}),
            [
                ("filter", (!filter.is_empty()).then(|| filter.into())),
                ("policy", (!policy.is_empty()).then(|| policy.into())),
                ("secret", secret.map(|secret| json!(secret))),
            ],
        );
        Ok(with_reason(body, self.because.reason.as_deref()))
    }
}

/// A filter in words.
pub(super) fn filter(filter: Row<'_>) -> String {
    let clauses = filter.0.as_object().into_iter().flatten();
    let said = clauses.filter_map(|(name, _)| Some(format!("{name}: {}", filter.maybe(name)?)));
    let said: Vec<_> = said.collect();
    if said.is_empty() {
        "everything".to_owned()
    } else {
        said.join("; ")
    }
}

/// How a policy tries, in words.
pub(super) fn attempts(policy: Row<'_>) -> String {
    let span = |field| {
        policy
            .number(field)
            .map(|ms| lasting(Duration::from_millis(ms)))
    };
    format!(
        "{} at the most, the first retry after {}, later ones within {}, each given {}",
        policy.text("attempts_max"),
        span("delay_first_ms").unwrap_or_default(),
        span("delay_max_ms").unwrap_or_default(),
        span("deadline_ms").unwrap_or_default(),
    )
}

/// What a policy limits and asks for, in words.
pub(super) fn limits(policy: Row<'_>) -> String {
    let rate = policy.maybe("rate_per_second");
    let rate = rate.map_or_else(|| "any rate".to_owned(), |rate| format!("{rate} a second"));
    let mut said = vec![format!("{} at once", policy.text("concurrency_max")), rate];
    let options = [
        ("sha1", "old signature too"),
        ("form", "as a form"),
        ("duplicates", "duplicates too"),
    ];
    let wanted = options.into_iter().filter(|(field, _)| policy.holds(field));
    said.extend(wanted.map(|(_, words)| words.to_owned()));
    said.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_filter_without_clauses_is_everything() {
        assert_eq!(filter(Row(&json!({}))), "everything");
        let two = json!({"events": ["push", "create"], "repositories": ["acme/*"], "hosts": []});
        assert_eq!(
            filter(Row(&two)),
            "events: push, create; repositories: acme/*"
        );
    }

    #[test]
    fn only_what_was_given_is_sent() {
        let flags = FilterFlags {
            event: vec!["push".to_owned()],
            ..FilterFlags::default()
        };
        assert_eq!(Value::from(flags.given()), json!({"events": ["push"]}));
        let flags = PolicyFlags {
            deadline: Some(Duration::from_secs(10)),
            ..PolicyFlags::default()
        };
        assert_eq!(Value::from(flags.given()), json!({"deadline_ms": 10_000}));
    }
}
