//! `hooklog openapi`: the API's description.

use super::session::{Answer, Session};

pub(super) async fn run(session: &mut Session<'_>) -> anyhow::Result<Answer> {
    let reply = session.api.get(&["openapi.json"], &Vec::new()).await?;
    session
        .out
        .line(serde_json::to_string_pretty(&reply.value)?)?;
    Ok(Answer::Yes)
}
