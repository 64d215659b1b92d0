//! A question about a long range: the server answers page by page, so that no answer takes long.

use super::api::{Query, Reply};
use super::row::{Row, counted};
use super::session::Session;
use super::time;
use hooklog_schemas::Timestamp;
use serde_json::{Value, json};

/// Webhooks that the server looks at for one page.
const PAGE: u32 = 500;

/// Pages between two words about how far it is.
const PAGES_BETWEEN: u64 = 10;

/// How a question is sent.
pub(super) enum Ask<'a> {
    /// By its query.
    Get(&'a [&'a str], Query),
    /// By its body.
    Post(&'a [&'a str], Value),
}

/// Asks page after page until the range is at its end, hands each to `take`, and tells a person how
/// far it is.
///
/// # Errors
/// When there is no answer, or it is a problem.
pub(super) async fn pages(
    ask: Ask<'_>,
    session: &Session<'_>,
    mut take: impl FnMut(Row<'_>),
) -> anyhow::Result<()> {
    let mut cursor: Option<String> = None;
    let (mut asked, mut looked_at) = (0_u64, 0);
    loop {
        let reply = page(&ask, session, cursor.as_deref()).await?;
        let row = reply.row();
        asked += 1;
        looked_at += row.size("looked_at");
        take(row);
        cursor = row.maybe("next");
        if cursor.is_none() {
            return Ok(());
        }
        if asked.is_multiple_of(PAGES_BETWEEN) {
            session.note(&progress(looked_at, row.at("reached")));
        }
    }
}

async fn page(ask: &Ask<'_>, session: &Session<'_>, cursor: Option<&str>) -> anyhow::Result<Reply> {
    Ok(match ask {
        Ask::Get(path, query) => {
            let mut query = query.clone();
            query.push(("limit", PAGE.to_string()));
            query.extend(cursor.map(|cursor| ("cursor", cursor.to_owned())));
            session.api.get(path, &query).await?
        }
        Ask::Post(path, body) => {
            let mut body = body.clone();
            body["limit"] = json!(PAGE);
            if let Some(cursor) = cursor {
                body["cursor"] = json!(cursor);
            }
            session.api.post(path, &body).await?
        }
    })
}

fn progress(looked_at: u64, reached: Option<Timestamp>) -> String {
    let looked_at = counted(looked_at, "webhook", "webhooks");
    let reached = reached.map_or_else(String::new, |at| format!(", back to {}", time::exact(at)));
    format!("looked at {looked_at}{reached} …")
}
