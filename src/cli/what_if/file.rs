//! The file with what is proposed.

use crate::route;
use anyhow::{Context as _, bail};
use hooklog_schemas::control::{Filter, Policy, Signing};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::io::{self, Read as _};
use std::path::Path;

/// Bytes of the file at the most: what the API takes.
const BYTES_MAX: u64 = 1 << 20;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    complete: bool,
    #[serde(default)]
    subscription: Vec<Proposed>,
}

/// One subscription, as the API describes a new one.
#[derive(Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct Proposed {
    name: String,
    #[serde(default)]
    filter: Filter,
    #[serde(skip_serializing_if = "Option::is_none")]
    policy: Option<Policy>,
    #[serde(default)]
    deleted: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    to: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    team: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    sign: Option<Signing>,
}

/// The proposal as the API takes it.
///
/// # Errors
/// When the file cannot be read, or is no proposal: which key, in which line, and why.
pub(super) fn read(path: &Path) -> anyhow::Result<Value> {
    let text = text(path).with_context(|| format!("{} cannot be read", path.display()))?;
    parse(&text).with_context(|| format!("{} is no proposal", path.display()))
}

fn text(path: &Path) -> io::Result<String> {
    let mut text = String::new();
    if path == Path::new("-") {
        io::stdin().take(BYTES_MAX).read_to_string(&mut text)?;
    } else {
        std::fs::File::open(path)?
            .take(BYTES_MAX)
            .read_to_string(&mut text)?;
    }
    Ok(text)
}

fn parse(text: &str) -> anyhow::Result<Value> {
    let file: File = toml::from_str(text)?;
    if file.subscription.is_empty() && !file.complete {
        bail!("it has no [[subscription]], so nothing would be different");
    }
    for one in &file.subscription {
        let valid = route::validate(&one.filter);
        valid.with_context(|| format!("the filter of {:?}", one.name))?;
    }
    Ok(json!({"complete": file.complete, "subscriptions": file.subscription}))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_proposal_is_read_as_the_api_takes_it() {
        let text = r#"
            [[subscription]]
            name = "billing"
            filter = { events = ["push"] }
            policy = { duplicates = true }
            [[subscription]]
            name = "old"
            deleted = true
        "#;
        let body = parse(text).unwrap();
        assert_eq!(body["complete"], false);
        let first = &body["subscriptions"][0];
        assert_eq!(first["filter"], json!({"events": ["push"]}));
        assert_eq!(first["policy"]["duplicates"], true);
        assert_eq!(body["subscriptions"][1]["deleted"], true);
        assert!(parse("complete = true").is_ok());
    }

    #[test]
    fn what_is_wrong_is_named_with_its_line() {
        for (text, parts) in [
            ("", &["no [[subscription]]"][..]),
            (
                "[[subscriptions]]\nname = \"a\"",
                &["subscriptions", "line 1"],
            ),
            (
                "[[subscription]]\nname = \"a\"\nfilter = { event = [\"push\"] }",
                &["event", "line 3", "events"],
            ),
            (
                "[[subscription]]\nname = \"a\"\nfilter = { branches = [\"a{\"] }",
                &["branches", "\"a\""],
            ),
            ("[[subscription]]\nfilter = {}", &["name"]),
        ] {
            let error = format!("{:#}", parse(text).unwrap_err());
            for part in parts {
                assert!(error.contains(part), "{text}: {error}");
            }
        }
    }
}
