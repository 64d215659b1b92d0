//! `hooklog webhook verify`: whether what is stored is what GitHub signed.

use crate::cli::api::{ApiError, Reply};
use crate::cli::out::{Out, Tone};
use crate::cli::row::Row;
use crate::cli::session::{Answer, Session};
use serde_json::value::RawValue;
use std::io;

/// Receipts of one GUID that are verified at the most.
const RECEIPTS_MAX: u32 = 500;

/// Verifies a receipt; or, since both ids look alike, all receipts of an event.
pub(super) async fn run(of: &str, session: &mut Session<'_>) -> anyhow::Result<Answer> {
    let replies = match verify(session, of).await {
        Ok(reply) => vec![reply],
        Err(error @ ApiError::Problem { status: 404, .. }) => {
            let replies = of_event(session, of).await?;
            if replies.is_empty() {
                return Err(error.into());
            }
            replies
        }
        Err(error) => return Err(error.into()),
    };
    if session.json() {
        let items: Vec<&RawValue> = replies
            .iter()
            .map(|reply| serde_json::from_str(&reply.text))
            .collect::<Result<_, _>>()?;
        let text = serde_json::to_string(&items)?;
        session.out.line(format!("{{\"items\":{text}}}"))?;
    } else {
        for reply in &replies {
            tell(&mut session.out, reply.row())?;
        }
    }
    let verified = |reply: &Reply| reply.row().text("verdict") == "verified";
    Ok(if replies.iter().all(verified) {
        Answer::Yes
    } else {
        Answer::No
    })
}

async fn verify(session: &Session<'_>, receipt: &str) -> Result<Reply, ApiError> {
    let path = ["webhooks", receipt, "verification"];
    session.api.get(&path, &Vec::new()).await
}

async fn of_event(session: &Session<'_>, guid: &str) -> Result<Vec<Reply>, ApiError> {
    let query = vec![("guid", guid.to_owned())];
    let page = session
        .api
        .list(&["webhooks"], &query, RECEIPTS_MAX)
        .await?;
    let mut replies = Vec::new();
    for receipt in page.values() {
        replies.push(verify(session, &Row(&receipt).text("receipt")).await?);
    }
    Ok(replies)
}

fn tell(out: &mut Out<'_>, row: Row<'_>) -> io::Result<()> {
    let verdict = row.text("verdict");
    let (tone, words) = match verdict.as_str() {
        "verified" => (Tone::Good, "verified"),
        "differs" => (Tone::Bad, "DIFFERS: it is not what was signed"),
        "no_secret" => (
            Tone::Bad,
            "not verified: its secret is not known, or does not open",
        ),
        "erased" => (Tone::Watch, "erased: there is nothing to verify"),
        other => (Tone::Plain, other),
    };
    let secret = row.maybe("secret").map_or_else(String::new, |id| {
        let retired = if row.holds("secret_retired") {
            ", retired since"
        } else {
            ""
        };
        format!("  by secret {id}{retired}")
    });
    out.line(format!(
        "receipt {}  {}{secret}",
        row.text("receipt"),
        out.paint(tone, words)
    ))
}
