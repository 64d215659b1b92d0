//! `/erasures`: bodies go, and it is remembered for ever that they did.

use super::auth::Admin;
use super::commands::Commanded;
use super::extract::Json;
use super::problem::Problem;
use super::timeline::{CATCH_UP, LOOK};
use super::{Api, Shared, check};
use crate::log::ReadLimit;
use crate::query::{Erasable, ReadUpTo};
use axum::extract::State;
use hooklog_schemas::control::{ErasedReceipt, ErasureRequested};
use hooklog_schemas::{Offset, Partition, Position, ReceiptId, Topic};
use serde::Deserialize;
use std::ops::Range;
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

/// An erasure that forgets receipts would be worse than one that is refused: all that came in must
/// have been routed, and the tables must have read it.
async fn ensure_complete(api: &Api) -> Result<(), Problem> {
    // A full disk is no reason to refuse: erasing makes room.
    // A worker elsewhere shows itself by what is routed.
    if let Some(reason) = api
        .parts
        .health
        .of("work")
        .await
        .and_then(|work| work.reason)
    {
        return Err(Problem::unavailable(format!("the worker is {reason}")));
    }
    let behind = |detail: &str| Err(Problem::unavailable(detail));
    if !api.catch_up(CATCH_UP).await? {
        return behind(
            "the tables are behind the log, so receipts could be missed; try again later",
        );
    }
    let tails = api.tails(&[Topic::Webhooks]).await?;
    let routed = async {
        while !all_routed(api, &tails).await? {
            tokio::time::sleep(LOOK).await;
        }
        Ok(())
    };
    match tokio::time::timeout(CATCH_UP, routed).await {
        Ok(done) => done,
        Err(_) => {
            behind("not all that came in is routed, so receipts could be missed; try again later")
        }
    }
}

/// Whether the tables have a decision about every webhook before `tails` that has a body. A
/// tombstone needs none, nor what was erased before it was routed.
async fn all_routed(api: &Api, tails: &[ReadUpTo]) -> Result<bool, Problem> {
    let fences = api.parts.queries.fences().await?;
    for tail in tails {
        let routed = fences.get(&tail.partition).cloned().unwrap_or_default();
        let mut open = routed.routed_gaps.clone();
        open.push((routed.routed_next, tail.next.saturating_sub(1)));
        for (first, last) in open {
            if has_body(
                api,
                Partition(tail.partition),
                first..tail.next.min(last.saturating_add(1)),
            )
            .await?
            {
                return Ok(false);
            }
        }
    }
    Ok(true)
}

/// Whether any of these webhooks has a body.
async fn has_body(api: &Api, partition: Partition, offsets: Range<u64>) -> Result<bool, Problem> {
    let mut at = Position::new(Topic::Webhooks, partition, Offset(offsets.start));
    while at.offset.0 < offsets.end {
        let records = api.parts.log.read(at, ReadLimit::default()).await?;
        let Some(last) = records.last() else { break };
        at.offset = last.position.offset.next();
        let mut within = records
            .iter()
            .filter(|record| record.position.offset.0 < offsets.end);
        if within.any(|record| record.value.is_some()) {
            return Ok(true);
        }
    }
    Ok(false)
}
