//! A repository as people name it, and GitHub's id of it.

use super::row::Row;
use super::session::{Session, Usage};
use std::collections::BTreeMap;

/// Webhooks in which the id is looked for.
const WEBHOOKS_MAX: u32 = 500;

/// The id that `text` is, or that the webhooks of the repository with this full name carry. Tells a
/// person what a name resolved to, before anything is done with it.
///
/// # Errors
/// When no webhook names it, or webhooks of several repositories do.
pub(super) async fn id(text: &str, session: &Session<'_>) -> anyhow::Result<i64> {
    if let Ok(id) = text.parse() {
        return Ok(id);
    }
    if text.split('/').filter(|part| !part.is_empty()).count() != 2 || text.contains('*') {
        let rule = "a repository is a numeric id, or owner/name";
        return Err(Usage(format!("{text:?} names no repository: {rule}")).into());
    }
    let query = vec![("repository", text.to_owned())];
    let page = session
        .api
        .list(&["webhooks"], &query, WEBHOOKS_MAX)
        .await?;
    let mut found = BTreeMap::new();
    for webhook in page.values() {
        let row = Row(&webhook);
        if let Some(id) = row
            .0
            .get("repository_id")
            .and_then(serde_json::Value::as_i64)
        {
            found.insert(id, row.text("host"));
        }
    }
    let told: Vec<_> = found
        .iter()
        .map(|(id, host)| format!("{id} ({host})"))
        .collect();
    let told = told.join(", ");
    match found.first_key_value() {
        Some((id, _)) if found.len() == 1 => {
            session.note(&format!("{text} is the repository {told}"));
            Ok(*id)
        }
        Some(_) => Err(Usage(format!("{text} was the name of several repositories; give the id of one: {told}")).into()),
        None => Err(Usage(format!(
            "no webhook names the repository {text}; `hooklog webhook list` shows names, `webhook show` ids"
        ))
        .into()),
    }
}
