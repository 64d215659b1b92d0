//! `/erasures`: bodies go, and it is remembered for ever that they did.

use super::auth::Admin;
use super::commands::Commanded;
use super::extract::Json;
use super::problem::Problem;
use super::timeline::CATCH_UP;
use super::{Api, Shared, check, health};
use crate::query::Erasable;
use axum::extract::State;
use hooklog_schemas::ReceiptId;
use hooklog_schemas::control::{ErasedReceipt, ErasureRequested};
use serde::Deserialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

/// Receipts that one event names; more of them make more events.
const RECEIPTS_PER_EVENT: usize = 10_000;

pub(super) fn routes() -> OpenApiRouter<Shared> {
    OpenApiRouter::new().routes(routes!(erase))
}

/// What to erase: one of the three.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ErasureBody {
    /// One receipt.
    #[schema(value_type = Option<String>, format = "uuid")]
    receipt: Option<ReceiptId>,
    /// All receipts of a repository, by GitHub's id.
    repository_id: Option<i64>,
    /// All receipts of a sender, by GitHub's id.
    sender_id: Option<i64>,
    /// Only count.
    #[serde(default)]
    dry_run: bool,
    /// Why. It must be given.
    reason: Option<String>,
}

/// Orders bodies, headers and excerpts to be erased. Receipts that come later are not included.
#[utoipa::path(post, path = "/erasures", tag = "webhook",
    responses((status = 200, body = Commanded), (status = 404, body = Problem), (status = 503, body = Problem)))]
async fn erase(
    Admin(caller): Admin,
    State(api): State<Shared>,
    Json(body): Json<ErasureBody>,
) -> Result<axum::Json<Commanded>, Problem> {
    let what = what(&body)?;
    let reason = check::reason(body.reason.clone())?;
    if reason.is_none() {
        return Err(Problem::bad_value(
            "`reason` must be given: it is remembered for ever",
        ));
    }
    ensure_complete(&api).await?;
    let receipts = api.parts.queries.erasable(what).await?;
    if let (Erasable::Receipt(receipt), true) = (what, receipts.is_empty()) {
        let detail = format!("there is no webhook with the receipt {receipt}");
        return Err(Problem::not_found(detail));
    }
    let mut commanded = Commanded {
        count: Some(receipts.len() as u64),
        command: None,
        offset: None,
    };
    if body.dry_run {
        return Ok(axum::Json(commanded));
    }
    let by = caller.by(&api, reason);
    for part in receipts.chunks(RECEIPTS_PER_EVENT) {
        let submitted = api.submit(event(&body, part, by.clone())).await?;
        commanded.command = Some(submitted.event);
        commanded.offset = Some(submitted.offset);
    }
    Ok(axum::Json(commanded))
}

fn event(
    body: &ErasureBody,
    receipts: &[ErasedReceipt],
    by: hooklog_schemas::control::By,
) -> ErasureRequested {
    ErasureRequested {
        receipts: receipts.to_vec(),
        repository_id: body.repository_id,
        sender_id: body.sender_id,
        by,
    }
}

fn what(body: &ErasureBody) -> Result<Erasable, Problem> {
    match (body.receipt, body.repository_id, body.sender_id) {
        (Some(receipt), None, None) => Ok(Erasable::Receipt(receipt)),
        (None, Some(id), None) => Ok(Erasable::Repository(id)),
        (None, None, Some(id)) => Ok(Erasable::Sender(id)),
        _ => {
            let detail = "give exactly one of `receipt`, `repository_id` and `sender_id`";
            Err(Problem::bad_value(detail))
        }
    }
}

/// An erasure that forgets receipts would be worse than one that is refused: the tables must have
/// read what is in the log, and all that came in must have been routed.
async fn ensure_complete(api: &Api) -> Result<(), Problem> {
    // A full disk is no reason to refuse: erasing makes room.
    if let Err(reason) = health::worker(api) {
        return Err(Problem::unavailable(format!("the worker is {reason}")));
    }
    if api.catch_up(CATCH_UP).await? {
        return Ok(());
    }
    let detail = "the tables are behind the log, so receipts could be missed; try again later";
    Err(Problem::unavailable(detail))
}
