//! `/webhooks/{receipt}/verification`: the stored signature, verified again over the stored bytes. No
//! byte of the body is shown, so nothing has to be recorded.

use super::auth::Reader;
use super::extract::Name;
use super::problem::Problem;
use super::{Api, Shared, webhooks};
use crate::receive::{Verifier, parse_signature};
use axum::extract::State;
use hooklog_projections::configuration::Secret;
use hooklog_schemas::webhook::Received;
use hooklog_schemas::{ReceiptId, Record, SecretId, Timestamp};
use serde::Serialize;
use std::sync::Arc;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub(super) fn routes() -> OpenApiRouter<Shared> {
    OpenApiRouter::new().routes(routes!(verify))
}

/// What came of a verification.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Verdict {
    /// The recorded secret made the stored signature over the stored bytes.
    Verified,
    /// It did not: bytes, signature or record are not what was received.
    Differs,
    /// The secret that is recorded is not known, or does not open.
    NoSecret,
    /// The webhook was erased, so there is nothing to verify.
    Erased,
}

/// A verification of one receipt.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Verification {
    /// The receipt.
    #[schema(value_type = String, format = "uuid")]
    receipt: ReceiptId,
    /// GitHub's id of the event.
    guid: String,
    /// What came of it.
    verdict: Verdict,
    /// `X-Hub-Signature-256` as GitHub sent it.
    signature: Option<String>,
    /// The secret that is recorded as the one that verified it.
    #[schema(value_type = Option<String>, format = "uuid")]
    secret: Option<SecretId>,
    /// When that secret was made.
    #[schema(value_type = Option<i64>)]
    secret_created_at: Option<Timestamp>,
    /// Whether that secret is retired by now: new webhooks are not verified with it.
    secret_retired: Option<bool>,
    /// Bytes that the signature is over.
    body_bytes: i64,
}

/// Verifies the stored signature of a webhook with the secret that verified it when it came, also
/// where that is retired by now, or its source is deleted.
#[utoipa::path(get, path = "/webhooks/{receipt}/verification", tag = "webhook",
    params(("receipt" = String, Path)), responses((status = 200, body = Verification)))]
async fn verify(
    _: Reader,
    State(api): State<Shared>,
    name: Name,
) -> Result<axum::Json<Verification>, Problem> {
    let webhook = webhooks::find(&api, &name).await?;
    let record = api.webhook_record(&webhook).await?;
    let mut answer = Verification {
        receipt: webhook.receipt,
        guid: webhook.guid,
        verdict: Verdict::Erased,
        signature: None,
        secret: None,
        secret_created_at: None,
        secret_retired: None,
        body_bytes: webhook.body_bytes,
    };
    let Some(record) = record else {
        return Ok(axum::Json(answer));
    };
    let received = Received::decode(&record).map_err(Problem::internal)?;
    let signature = record.header(SIGNATURE);
    answer.signature = signature.map(|value| String::from_utf8_lossy(value).into_owned());
    answer.secret = Some(received.secret);
    let secret = secret(&api, &received);
    let now = api.parts.clock.now();
    answer.secret_created_at = secret.as_ref().map(|secret| secret.created_at);
    answer.secret_retired = secret.as_ref().map(|secret| !secret.valid_at(now));
    answer.verdict = match secret.and_then(|secret| open(&api, &secret)) {
        None => Verdict::NoSecret,
        Some(verifier) => check(verifier, record).await?,
    };
    Ok(axum::Json(answer))
}

const SIGNATURE: &str = "x-hub-signature-256";

/// Sources and their secrets are kept for ever, so that this question can be answered.
fn secret(api: &Api, received: &Received) -> Option<Secret> {
    let configuration = api.parts.control.current();
    let source = configuration.sources.get(&received.source)?;
    let mut secrets = source.secrets.iter();
    secrets.find(|secret| secret.id == received.secret).cloned()
}

fn open(api: &Api, secret: &Secret) -> Option<Verifier> {
    let opened = api.parts.keyring.open(secret.id, &secret.sealed);
    let opened = opened.inspect_err(|error| tracing::error!(%error, "cannot verify a webhook"));
    Verifier::new(&opened.ok()?)
}

/// On a thread of its own: a body may have 40 MiB.
async fn check(verifier: Verifier, record: Arc<Record>) -> Result<Verdict, Problem> {
    let checking = tokio::task::spawn_blocking(move || {
        let signature = record.header(SIGNATURE)?;
        let digest = parse_signature(signature)?;
        let body = record.value.as_deref()?;
        verifier
            .verifies(body, &digest)
            .then_some(Verdict::Verified)
    });
    let verified = checking.await.map_err(Problem::internal)?;
    Ok(verified.unwrap_or(Verdict::Differs))
}
