//! `hooklog subscription change`: what is not given stays as it was seen.

use super::spec::{FilterFlags, PolicyFlags, Sign};
use crate::cli::args::{Basis, kept, with_given};
use crate::cli::row::Row;
use crate::cli::session::{Answer, Session, Usage};
use clap::{Args, ValueEnum};
use serde_json::{Value, json};

/// A clause of the filter.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Clause {
    /// Let any event through
    Event,
    /// Let any source through
    Source,
    /// Let any host through
    Host,
    /// Let any organisation through
    Organization,
    /// Let any repository through
    Repository,
    /// Let any branch through, and events without one
    Branch,
    /// Let any sender through
    Sender,
}

impl Clause {
    const fn field(self) -> &'static str {
        match self {
            Self::Event => "events",
            Self::Source => "sources",
            Self::Host => "hosts",
            Self::Organization => "organizations",
            Self::Repository => "repositories",
            Self::Branch => "branches",
            Self::Sender => "senders",
        }
    }
}

/// `subscription change`.
#[derive(Args, Debug)]
pub(crate) struct Change {
    /// Its name, or its id
    name: String,
    /// Where deliveries go from now on
    #[arg(long, value_name = "URL")]
    to: Option<String>,
    /// The team that it belongs to from now on
    #[arg(long)]
    team: Option<String>,
    /// How deliveries are signed from now on
    #[arg(long, value_enum, value_name = "MODE")]
    sign: Option<Sign>,
    /// Drop a clause of the filter; repeatable
    #[arg(long, value_enum, value_name = "CLAUSE")]
    clear: Vec<Clause>,
    /// Lift the limit of attempts a second
    #[arg(long, conflicts_with = "rate")]
    no_rate: bool,
    #[command(flatten)]
    basis: Basis,
    #[command(flatten)]
    filter: FilterFlags,
    #[command(flatten)]
    policy: PolicyFlags,
}

impl Change {
    fn says_nothing(&self) -> bool {
        let named = self.to.is_some() || self.team.is_some() || self.sign.is_some();
        let lifted = self.no_rate || !self.clear.is_empty();
        let clauses = self.filter.given().len() + self.policy.given().len();
        !(named || lifted) && clauses == 0
    }

    /// The body of the request, over what was `seen`.
    fn body(self, seen: Row<'_>) -> Value {
        let mut filter = seen
            .inner("filter")
            .0
            .as_object()
            .cloned()
            .unwrap_or_default();
        for clause in &self.clear {
            filter.remove(clause.field());
        }
        filter.extend(self.filter.given());
        let mut policy = seen
            .inner("policy")
            .0
            .as_object()
            .cloned()
            .unwrap_or_default();
        if self.no_rate {
            policy.insert("rate_per_second".to_owned(), Value::Null);
        }
        policy.extend(self.policy.given());
        let body = with_given(
            kept(seen, ["to", "team", "sign"]),
            [
                ("to", self.to.map(|to| json!(to))),
                ("team", self.team.map(|team| json!(team))),
                ("sign", self.sign.map(|sign| json!(sign.as_str()))),
                ("filter", Some(filter.into())),
                ("policy", Some(policy.into())),
                ("expected", seen.0.get("version").cloned()),
            ],
        );
        self.basis.add(body)
    }
}

pub(super) async fn run(args: Change, session: &mut Session<'_>) -> anyhow::Result<Answer> {
    if args.says_nothing() {
        return Err(Usage::nothing_to_change().into());
    }
    let name = args.name.clone();
    let path = ["subscriptions", name.as_str()];
    let seen = session.api.get(&path, &Vec::new()).await?;
    let reply = session.api.put(&path, &args.body(seen.row())).await?;
    session.show(&reply, super::tell)
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        change: Change,
    }

    #[test]
    fn a_reason_alone_changes_nothing() {
        let says_nothing = |line: &[&str]| Line::parse_from(line).change.says_nothing();
        assert!(says_nothing(&["x", "ci", "--reason", "why"]));
        assert!(!says_nothing(&["x", "ci", "--event", "push"]));
        assert!(!says_nothing(&["x", "ci", "--rate", "5"]));
    }

    #[test]
    fn what_is_not_given_stays_and_the_seen_version_is_expected() {
        let seen = json!({
            "to": "https://a/", "team": "default", "sign": "standard", "version": "v1",
            "filter": {"events": ["push"], "hosts": ["github.com"]},
            "policy": {"attempts_max": 10, "rate_per_second": 5},
        });
        let line = [
            "x",
            "ci",
            "--event",
            "create",
            "--clear",
            "host",
            "--no-rate",
            "--deadline",
            "9s",
        ];
        let body = Line::parse_from(line).change.body(Row(&seen));
        let expected = json!({
            "to": "https://a/", "team": "default", "sign": "standard", "expected": "v1",
            "filter": {"events": ["create"]},
            "policy": {"attempts_max": 10, "rate_per_second": null, "deadline_ms": 9_000},
        });
        assert_eq!(body, expected);
    }
}
