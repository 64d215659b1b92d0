//! Signed webhooks at a gentle pace, shaped like those of GitHub.

use crate::deliver::sign;
use crate::secret::Secret;
use rand::RngExt as _;
use rand::seq::IndexedRandom as _;
use serde_json::{Value, json};
use std::time::Duration;
use uuid::Uuid;

const REPOSITORIES: [(&str, i64); 4] = [
    ("acme/payments", 186_853_002),
    ("acme/website", 186_853_003),
    ("acme/infrastructure", 186_853_004),
    ("initech/tps-reports", 204_118_771),
];

/// From here on dice mean an alert.
const ALERT: u32 = 98;

const PEOPLE: [(&str, i64); 3] = [("ann", 21_031_067), ("bo", 583_231), ("chi", 9_919)];

/// Sends one webhook after the other, for ever.
pub(super) async fn send(client: &reqwest::Client, url: &str, secret: &str) -> anyhow::Result<()> {
    let secret = Secret::new(secret.as_bytes().to_vec());
    for number in 0_u64.. {
        let (event, body) = webhook(number);
        let body = serde_json::to_vec(&body)?;
        let request = client
            .post(url)
            .header("x-github-event", event)
            .header("x-github-delivery", Uuid::now_v7().to_string())
            .header("x-github-hook-id", "292430182")
            .header("x-hub-signature-256", sign::github(&secret, &body))
            .header("user-agent", "GitHub-Hookshot/demo")
            .header("content-type", "application/json");
        if let Err(error) = request.body(body).send().await {
            tracing::warn!(%error, "the demo could not post a webhook");
        }
        let pause = rand::rng().random_range(600..1400);
        tokio::time::sleep(Duration::from_millis(pause)).await;
    }
    Ok(())
}

/// Among the first ones are alerts, so that the plot has one to look at.
fn webhook(number: u64) -> (&'static str, Value) {
    let mut rng = rand::rng();
    let (repository, id) = *REPOSITORIES.choose(&mut rng).unwrap_or(&REPOSITORIES[0]);
    let (login, sender) = *PEOPLE.choose(&mut rng).unwrap_or(&PEOPLE[0]);
    let owner = repository.split('/').next().unwrap_or_default();
    let mut body = json!({
        "repository": {"id": id, "full_name": repository, "owner": {"login": owner, "type": "Organization", "id": id / 7}},
        "organization": {"login": owner, "id": id / 7},
        "sender": {"login": login, "id": sender},
    });
    let dice = match number {
        2 | 6 | 24 => ALERT,
        _ => rng.random_range(0..100),
    };
    let (event, specific) = specific(dice, rng.random_range(1..900));
    if let (Some(body), Value::Object(specific)) = (body.as_object_mut(), specific) {
        body.extend(specific);
    }
    (event, body)
}

/// The part of a webhook that differs from event to event; `dice` decides which one it is.
fn specific(dice: u32, number: u32) -> (&'static str, Value) {
    match dice {
        0..35 => (
            "push",
            json!({"ref": "refs/heads/main", "after": format!("{:040x}", u64::from(number) * 7919),
                   "commits": [{"message": format!("Fix the rounding of invoice {number}")}]}),
        ),
        35..60 => (
            "pull_request",
            json!({"action": "opened", "number": number,
                   "pull_request": {"number": number, "title": "Cache the exchange rates",
                                    "base": {"ref": "main"}, "head": {"ref": format!("topic-{number}")}}}),
        ),
        60..80 => (
            "workflow_run",
            json!({"action": "completed",
                   "workflow_run": {"id": number, "head_branch": "main", "conclusion": "success"}}),
        ),
        80..95 => (
            "check_run",
            json!({"action": "completed",
                   "check_run": {"id": number, "name": "lint", "conclusion": "success",
                                 "check_suite": {"head_branch": "main"}}}),
        ),
        ALERT.. => (
            "secret_scanning_alert",
            json!({"action": "created",
                   "alert": {"number": number, "secret_type": "amazon_aws_access_key_id",
                             "state": "open"}}),
        ),
        _ => (
            "issues",
            json!({"action": "opened", "issue": {"number": number, "title": "The total is off by one"}}),
        ),
    }
}
