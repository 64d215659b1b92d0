//! Looks at a server.

use super::Check;
use crate::cli::api::{Api, ApiError, is_local, shown};
use crate::cli::out::harmless;
use crate::cli::row::{Row, counted, cut};
use crate::cli::session::Session;
use crate::cli::time::When;
use std::time::Duration;

/// Records that a projection may be behind before somebody should look.
const LAG_WARNS: u64 = 10_000;
const DAY: Duration = Duration::from_secs(86_400);

/// Everything that can be seen from outside; the first failure that hides the rest ends it.
pub(super) async fn checks(session: &Session<'_>) -> Vec<Check> {
    let api = &session.api;
    let mut checks = vec![reachable(api).await];
    if checks.iter().any(|check| check.level == super::Level::Fail) {
        return checks;
    }
    checks.push(ready(api).await);
    checks.extend(transport(api));
    let status = match api.get(&["status"], &Vec::new()).await {
        Ok(status) => status,
        Err(error) => {
            checks.push(failed("token", &error));
            return checks;
        }
    };
    checks.push(token(status.row()));
    checks.push(build(status.row()));
    checks.extend(roles(status.row()));
    checks.push(projections(status.row()));
    checks.push(sources(api).await);
    checks.push(subscriptions(api).await);
    checks.push(dead_letters(session).await);
    checks
}

fn failed(name: &'static str, error: &ApiError) -> Check {
    Check::fail(name, error.to_string(), error.hint())
}

async fn reachable(api: &Api) -> Check {
    match api.probe("healthz").await {
        Ok((200, _)) => Check::ok("server", format!("answers at {}", shown(api.base()))),
        Ok((status, _)) => {
            let error = ApiError::Foreign {
                url: api.base().clone(),
            };
            Check::fail(
                "server",
                format!("/healthz answers {status} at {}", shown(api.base())),
                error.hint(),
            )
        }
        Err(error) => failed("server", &error),
    }
}

async fn ready(api: &Api) -> Check {
    match api.probe("readyz").await {
        Ok((200, _)) => Check::ok("ready", "every role of this process does its work"),
        Ok((status, reasons)) => {
            let reasons = cut(&said(reasons.trim()), 300);
            let advice = "wait, if it has just started; else look at its log".to_owned();
            Check::fail(
                "ready",
                format!("/readyz answers {status}: {reasons}"),
                Some(advice),
            )
        }
        Err(error) => failed("ready", &error),
    }
}

/// The reasons of an answer, or the answer itself.
fn said(answer: &str) -> String {
    let value: serde_json::Value = serde_json::from_str(answer).unwrap_or_default();
    Row(&value)
        .maybe("reasons")
        .unwrap_or_else(|| harmless(answer))
}

/// A token over plain HTTP can be read on the way.
fn transport(api: &Api) -> Option<Check> {
    let open = api.base().scheme() == "http" && !is_local(api.base());
    (open && api.has_token()).then(|| {
        let advice = "put TLS in front of the API, and use an https URL";
        Check::warn(
            "transport",
            "the token goes over plain HTTP to another machine",
            advice,
        )
    })
}

fn token(status: Row<'_>) -> Check {
    let token = status.inner("token");
    let found = format!("of {}, role {}", token.text("name"), token.text("role"));
    Check::ok("token", found)
}

/// How each role of the server is.
fn roles(status: Row<'_>) -> Vec<Check> {
    let parts = status.rows("parts");
    parts.iter().filter_map(|part| role(status, part)).collect()
}

fn role(status: Row<'_>, part: &Row<'_>) -> Option<Check> {
    let (name, well, advice) = match part.text("name").as_str() {
        "receive" => (
            "receive",
            "takes webhooks, and in time",
            "webhooks get 503: make room on the disk of its log, or read the server's log",
        ),
        "append" => (
            "append",
            "moves webhooks from the intake into the log",
            "webhooks wait in the intake: the server's log says what is in the way",
        ),
        "work" => (
            "work",
            "routes and delivers",
            "it is reading the log, or has stopped; the server's log says which",
        ),
        "project" => (
            "project",
            "follows the log",
            "answers are of the past until it goes on: look at the store of the tables",
        ),
        "api" => (
            "api",
            "the tables answer",
            "look at the store of the tables; commands need none, and work",
        ),
        _ => return None,
    };
    if let Some(reason) = part.maybe("reason") {
        return Some(Check::fail(name, reason, Some(advice.to_owned())));
    }
    if name == "work" && status.holds("deliveries_paused") {
        let advice = "hooklog delivery resume --all";
        return Some(Check::warn(name, "all deliveries are paused", advice));
    }
    Some(Check::ok(name, well))
}

fn build(status: Row<'_>) -> Check {
    let own = env!("CARGO_PKG_VERSION");
    let server = status.text("build");
    if server.contains(own) {
        return Check::ok("build", server);
    }
    Check::warn(
        "build",
        format!("the server is {server}, this command {own}"),
        "use the same release of both",
    )
}

fn projections(status: Row<'_>) -> Check {
    let rows = status.rows("projections");
    let lag = |row: &Row<'_>| row.number("lag").unwrap_or_default();
    let is_old = |row: &&Row<'_>| row.number("version") < row.number("latest");
    let old: Vec<_> = rows
        .iter()
        .filter(is_old)
        .map(|row| row.text("name"))
        .collect();
    match rows.iter().max_by_key(|row| lag(row)) {
        Some(worst) if lag(worst) > LAG_WARNS => Check::warn(
            "tables",
            format!(
                "{} is {} behind",
                worst.text("name"),
                counted(lag(worst), "record", "records")
            ),
            "answers are of the past until it has caught up; if it does not, look at the disk",
        ),
        Some(_) if !old.is_empty() => Check::warn(
            "tables",
            format!("{} of an earlier version", old.join(", ")),
            "what they lack is answered once `hooklog rebuild` has built those of this release",
        ),
        Some(worst) => {
            let behind = counted(lag(worst), "record", "records");
            Check::ok("tables", format!("at most {behind} behind the log"))
        }
        None => Check::warn(
            "tables",
            "the server tells of no projections",
            "is it starting?",
        ),
    }
}

async fn sources(api: &Api) -> Check {
    match api.list(&["sources"], &Vec::new(), 500).await {
        Ok(page) if page.values().is_empty() => Check::warn(
            "sources",
            "none: every webhook is refused",
            "hooklog source create NAME --secret-file FILE",
        ),
        Ok(page) => halted(
            "sources",
            &page.values(),
            "their webhooks get 503: hooklog source resume NAME",
        ),
        Err(error) => failed("sources", &error),
    }
}

async fn subscriptions(api: &Api) -> Check {
    match api.list(&["subscriptions"], &Vec::new(), 10_000).await {
        Ok(page) if page.values().is_empty() => Check::warn(
            "subscriptions",
            "none: nothing is delivered",
            "hooklog subscription create NAME --to URL --event push",
        ),
        Ok(page) => {
            let advice = "their deliveries wait: hooklog subscription resume NAME";
            halted("subscriptions", &page.values(), advice)
        }
        Err(error) => failed("subscriptions", &error),
    }
}

fn halted(name: &'static str, all: &[serde_json::Value], advice: &str) -> Check {
    let paused: Vec<_> = all
        .iter()
        .map(Row)
        .filter(|row| row.holds("paused"))
        .collect();
    if paused.is_empty() {
        return Check::ok(name, format!("{}, none paused", all.len()));
    }
    let names: Vec<_> = paused.iter().map(|row| row.text("name")).collect();
    let found = format!(
        "{} of {} paused: {}",
        paused.len(),
        all.len(),
        cut(&names.join(", "), 120)
    );
    Check::warn(name, found, advice)
}

async fn dead_letters(session: &Session<'_>) -> Check {
    let since = When::Ago(DAY).resolve(session.now).to_string();
    match session
        .api
        .list(&["dead-letters"], &vec![("from", since)], 500)
        .await
    {
        Ok(page) if page.values().is_empty() => Check::ok("dead letters", "none of the last 24 h"),
        Ok(page) => {
            let more = if page.next.is_some() { " or more" } else { "" };
            let found = format!("{}{more} of webhooks of the last 24 h", page.values().len());
            let advice = "hooklog dead-letter list; once repaired: hooklog dead-letter redrive --subscription NAME";
            Check::warn("dead letters", found, advice)
        }
        Err(error) => failed("dead letters", &error),
    }
}
