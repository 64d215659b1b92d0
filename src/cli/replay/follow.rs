//! `hooklog replay show --follow`: how far it is, until nothing is left to do.

use super::tell;
use crate::cli::api::{ApiError, Reply};
use crate::cli::row::Row;
use crate::cli::session::{Answer, Session};
use std::io::{self, IsTerminal as _, Write as _};
use std::time::Duration;

/// How often it looks.
const EVERY: Duration = Duration::from_millis(500);
/// Characters of the bar.
const BAR: u64 = 30;
/// How often a server that does not answer is asked again.
const TRIES: u32 = 60;

/// Shows progress on standard error, and the replay when it has come to its end.
pub(super) async fn run(id: &str, session: &mut Session<'_>) -> anyhow::Result<Answer> {
    let mut shown = String::new();
    loop {
        let reply = ask(id, session).await?;
        let line = line(reply.row());
        if line != shown {
            show(session, &line);
            shown = line;
        }
        if is_over(reply.row()) {
            if is_bar(session) {
                session.note("");
            }
            return session.show(&reply, tell);
        }
        tokio::time::sleep(EVERY).await;
    }
}

/// A server that restarts is waited for.
async fn ask(id: &str, session: &Session<'_>) -> Result<Reply, ApiError> {
    let mut tries = 0;
    loop {
        tries += 1;
        match session.api.get(&["replays", id], &Vec::new()).await {
            Err(ApiError::Unreachable { .. } | ApiError::Slow { .. }) if tries < TRIES => {}
            Err(ApiError::Problem { status: 503, .. }) if tries < TRIES => {}
            result => return result,
        }
        tokio::time::sleep(EVERY).await;
    }
}

fn show(session: &Session<'_>, line: &str) {
    if is_bar(session) {
        // The line before is written over; a closed standard error is worth no failure.
        let _ = write!(io::stderr(), "\r\u{1b}[2K{line}");
        let _ = io::stderr().flush();
    } else {
        session.note(line);
    }
}

fn is_bar(session: &Session<'_>) -> bool {
    !session.json() && io::stderr().is_terminal()
}

/// Nothing of it is left to do: a paused one waits for somebody.
fn is_over(row: Row<'_>) -> bool {
    match row.text("state").as_str() {
        "finished" | "cancelled" => row.size("open") == 0,
        _ => false,
    }
}

/// `[#####…] 37% running: 120 made, 100 delivered, 20 open`.
fn line(row: Row<'_>) -> String {
    let (done, all) = (row.size("looked_at"), row.size("webhooks").max(1));
    let filled = usize::try_from(BAR * done.min(all) / all).unwrap_or_default();
    let width = usize::try_from(BAR).unwrap_or_default();
    let bar = format!("{:.<width$}", "#".repeat(filled));
    let mut text = format!(
        "[{bar}] {:>4} {}: {} made, {} delivered, {} open",
        super::percent(row),
        row.text("state"),
        row.size("owed"),
        row.size("delivered"),
        row.size("open"),
    );
    for (field, word) in [("dead", "dead"), ("cancelled", "cancelled")] {
        if row.size(field) > 0 {
            text.push_str(&format!(", {} {word}", row.size(field)));
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn the_bar_is_as_long_as_what_is_decided() {
        let row = json!({"state": "running", "looked_at": 50, "webhooks": 100, "owed": 7,
            "delivered": 3, "open": 4});
        let expected = "[###############...............]  50% running: 7 made, 3 delivered, 4 open";
        assert_eq!(line(Row(&row)), expected);
        assert!(!is_over(Row(&row)));
        assert!(is_over(Row(&json!({"state": "finished", "open": 0}))));
        assert!(!is_over(Row(&json!({"state": "finished", "open": 2}))));
    }
}
