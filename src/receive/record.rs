//! The record of a receipt: CloudEvents in Kafka's binary mode, GitHub's headers, the raw body.

use super::facts::About;
use crate::clock;
use axum::http::HeaderMap;
use bytes::Bytes;
use hooklog_schemas::webhook::{Facts, RECEIVED, Received, VERSION};
use hooklog_schemas::{Append, EventId, Header, partition_of};

/// The append of `webhook.received`. Its event is named like the receipt.
pub(super) fn received(
    received: &Received,
    about: &About,
    headers: &HeaderMap,
    body: Bytes,
    partitions: u32,
) -> Append {
    let facts = &received.facts;
    Append {
        partition: partition_of(&facts.partition_subject(), partitions),
        event_id: EventId(received.receipt.0),
        key: clock::key(),
        event_type: RECEIVED,
        version: VERSION,
        epoch: None,
        at: received.received_at,
        headers: record_headers(received, about, headers),
        value: Some(body),
    }
}

fn record_headers(received: &Received, about: &About, headers: &HeaderMap) -> Vec<Header> {
    let facts = &received.facts;
    let mut record = Vec::with_capacity(headers.len() + 7);
    record.push(received.header());
    record.push(Header::new("ce_specversion", Bytes::from_static(b"1.0")));
    record.push(Header::new("ce_id", facts.guid.clone()));
    record.push(Header::new("ce_source", source(facts, about)));
    record.push(Header::new("ce_type", event_type(facts)));
    let time = facts.event_at.unwrap_or(received.received_at);
    record.push(Header::new("ce_time", time.to_string()));
    if let Some(subject) = &about.subject {
        record.push(Header::new("ce_subject", subject.clone()));
    }
    let kept = headers.iter().filter(|(name, _)| is_kept(name.as_str()));
    record.extend(kept.map(|(name, value)| {
        let value = Bytes::copy_from_slice(value.as_bytes());
        Header::new(name.as_str(), value)
    }));
    record
}

/// The repository's URL; of events without one the organisation, or the host.
fn source(facts: &Facts, about: &About) -> String {
    match (&about.source, &facts.organization) {
        (Some(url), _) => url.clone(),
        (None, Some(organization)) => format!("https://{}/{organization}", facts.host),
        (None, None) => format!("https://{}", facts.host),
    }
}

fn event_type(facts: &Facts) -> String {
    match &facts.action {
        Some(action) => format!("com.github.{}.{action}", facts.event),
        None => format!("com.github.{}", facts.event),
    }
}

/// GitHub's headers with the signatures, so that an auditor can verify them again.
fn is_kept(name: &str) -> bool {
    name.starts_with("x-github-")
        || matches!(
            name,
            "content-type" | "user-agent" | "x-hub-signature" | "x-hub-signature-256"
        )
}
