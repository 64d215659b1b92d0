//! `/webhooks/{receipt}/body`: the bytes themselves. That somebody looked is recorded first.

use super::auth::{Caller, Operator};
use super::extract::Name;
use super::problem::Problem;
use super::record::{is_erased, position};
use super::{Api, Shared, webhooks};
use crate::clock;
use axum::extract::State;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use hooklog_schemas::deliveries::BodyRead;
use hooklog_schemas::{Append, Event, Partition, ReceiptId, Record, Topic};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub(super) fn routes() -> OpenApiRouter<Shared> {
    OpenApiRouter::new().routes(routes!(body))
}

/// Gives the body of a webhook, byte for byte as GitHub sent it, and records who asked.
#[utoipa::path(get, path = "/webhooks/{receipt}/body", tag = "webhook", params(("receipt" = String, Path)),
    responses((status = 200, body = Vec<u8>, content_type = "application/octet-stream"),
        (status = 404, body = Problem), (status = 410, body = Problem)))]
async fn body(
    Operator(caller): Operator,
    State(api): State<Shared>,
    name: Name,
) -> Result<Response, Problem> {
    let webhook = webhooks::find(&api, &name).await?;
    let gone = || Problem::new(StatusCode::GONE, "the body was erased; the metadata stays");
    if webhook.erased || is_erased(&api.parts.control.current(), webhook.receipt) {
        return Err(gone());
    }
    let at = position(Topic::Webhooks, webhook.partition, webhook.offset);
    let record = api.record(at).await?.ok_or_else(gone)?;
    let bytes = record.value.clone().ok_or_else(gone)?;
    evidence(&api, &caller, webhook.receipt, at.partition).await?;
    let mut response = bytes.into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, content_type(&record));
    let attachment = HeaderValue::from_static("attachment");
    headers.insert(header::CONTENT_DISPOSITION, attachment);
    Ok(response)
}

/// Without the evidence there is no body.
async fn evidence(
    api: &Api,
    caller: &Caller,
    receipt: ReceiptId,
    partition: Partition,
) -> Result<(), Problem> {
    let by = caller.by(api, None);
    let event = Event::from(BodyRead {
        receipt,
        actor: by.actor,
        from: by.from,
        at: by.at,
    });
    let Some((event_type, version, value)) = event.encode() else {
        return Err(Problem::internal("body.read does not encode"));
    };
    let append = Append {
        partition,
        event_id: clock::event_id(),
        key: clock::key(),
        event_type,
        version,
        epoch: None,
        at: by.at,
        headers: Vec::new(),
        value: Some(value),
    };
    api.parts
        .log
        .append(Topic::Deliveries, vec![append])
        .await?;
    Ok(())
}

/// What GitHub called it. It never opens in a browser: see `content-disposition`.
fn content_type(record: &Record) -> HeaderValue {
    let given = record.header("content-type");
    let given = given.and_then(|value| HeaderValue::from_bytes(value).ok());
    given.unwrap_or(HeaderValue::from_static("application/octet-stream"))
}
