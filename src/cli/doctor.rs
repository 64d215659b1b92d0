//! `hooklog doctor`: looks for what is wrong, and says what to do.

mod offline;
mod online;

use super::out::{Out, Tone};
use super::session::{Answer, Session};
use clap::Args;
use serde_json::json;
use std::io;
use std::path::PathBuf;

/// `hooklog doctor`: of what.
#[derive(Args, Debug)]
pub(crate) struct DoctorArgs {
    /// Look at a data folder instead of a server; nothing is changed in it
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// With --data: also look at this configuration file
    #[arg(long, value_name = "FILE", requires = "data")]
    config: Option<PathBuf>,
}

pub(super) const EXAMPLES: &str = "\
Examples:
  hooklog doctor
  hooklog doctor --server https://hooklog.acme.example
  hooklog doctor --data /var/lib/hooklog

Exit code 1 when something failed; a warning alone is 0.";

/// How a check came out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Level {
    Ok,
    Warn,
    Fail,
}

/// One thing that was looked at.
#[derive(Debug)]
struct Check {
    name: &'static str,
    level: Level,
    found: String,
    advice: Option<String>,
}

impl Check {
    fn ok(name: &'static str, found: impl Into<String>) -> Self {
        Self {
            name,
            level: Level::Ok,
            found: found.into(),
            advice: None,
        }
    }

    fn warn(name: &'static str, found: impl Into<String>, advice: &str) -> Self {
        Self {
            name,
            level: Level::Warn,
            found: found.into(),
            advice: Some(advice.to_owned()),
        }
    }

    fn fail(name: &'static str, found: impl Into<String>, advice: Option<String>) -> Self {
        Self {
            name,
            level: Level::Fail,
            found: found.into(),
            advice,
        }
    }
}

impl Level {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Warn => "warn",
            Self::Fail => "fail",
        }
    }
}

pub(super) async fn run(args: DoctorArgs, session: &mut Session<'_>) -> anyhow::Result<Answer> {
    let checks = match &args.data {
        Some(data) => offline::checks(data, args.config.as_deref()),
        None => online::checks(session).await,
    };
    let failed = checks.iter().any(|check| check.level == Level::Fail);
    if session.json() {
        session.out.line(as_json(&checks).to_string())?;
    } else {
        for check in &checks {
            tell(&mut session.out, check)?;
        }
    }
    Ok(if failed { Answer::No } else { Answer::Yes })
}

fn as_json(checks: &[Check]) -> serde_json::Value {
    let each = checks.iter().map(|check| {
        json!({"name": check.name, "result": check.level.as_str(), "found": check.found, "advice": check.advice})
    });
    json!({"checks": each.collect::<Vec<_>>()})
}

fn tell(out: &mut Out<'_>, check: &Check) -> io::Result<()> {
    let level = check.level.as_str();
    let level = out.paint(Tone::of(level), &format!("{level:4}"));
    out.line(format!("{level}  {:13}  {}", check.name, check.found))?;
    match &check.advice {
        Some(advice) => out.line(format!("      {:13}  → {advice}", "")),
        None => Ok(()),
    }
}
