//! `hooklog log dump`: records as JSON, with today's erasures applied.

use super::Place;
use crate::app::offline;
use crate::cli::session::Answer;
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use hooklog_projections::configuration::Erased;
use hooklog_schemas::{Event, Header, Record, Topic};
use serde_json::{Value, json};
use std::io::Write;
use std::ops::ControlFlow;

/// The arguments of `hooklog log dump`.
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Dump {
    #[command(flatten)]
    place: Place,
    /// Only this topic: webhooks, deliveries or control.
    #[arg(long)]
    topic: Option<Topic>,
    /// Only this partition.
    #[arg(long)]
    partition: Option<u32>,
    /// Only from this offset on.
    #[arg(long)]
    from: Option<u64>,
    /// At most so many records.
    #[arg(long)]
    limit: Option<u64>,
    /// The bodies of webhooks as well, in Base64. They may hold personal data.
    #[arg(long)]
    bodies: bool,
}

impl Dump {
    pub(super) fn run(&self, out: &mut dyn Write) -> anyhow::Result<Answer> {
        let log = offline::look(&self.place.data)?;
        let erased = offline::configuration(&log)?.erased;
        let mut left = self.limit.unwrap_or(u64::MAX);
        for topic in Topic::ALL
            .into_iter()
            .filter(|topic| self.topic.is_none_or(|t| t == *topic))
        {
            let mut written = Ok(());
            log.records(topic, &mut |record, bytes_gone| {
                if left == 0 {
                    return ControlFlow::Break(());
                }
                if self.wants(&record) {
                    left -= 1;
                    written = writeln!(out, "{}", self.line(record, bytes_gone, &erased));
                }
                if written.is_err() {
                    ControlFlow::Break(())
                } else {
                    ControlFlow::Continue(())
                }
            })?;
            written?;
        }
        Ok(Answer::Yes)
    }

    fn wants(&self, record: &Record) -> bool {
        let position = record.position;
        self.partition
            .is_none_or(|partition| position.partition.0 == partition)
            && self.from.is_none_or(|from| position.offset.0 >= from)
    }

    fn line(&self, mut record: Record, bytes_gone: bool, erased: &Erased) -> Value {
        let gone = bytes_gone || blanked(&mut record, erased);
        let mut line = json!({
            "position": record.position.to_string(),
            "at": record.appended_at.to_string(),
            "type": record.event_type.as_str(),
            "version": record.version,
            "event_id": record.event_id.to_string(),
            "key": record.key.to_string(),
            "epoch": record.epoch,
            "headers": record.headers.iter().map(header_json).collect::<Vec<_>>(),
        });
        match &record.value {
            None if gone => line["erased"] = true.into(),
            None => line["tombstone"] = true.into(),
            Some(body) if record.position.topic == Topic::Webhooks => {
                line["body_bytes"] = body.len().into();
                if self.bodies {
                    line["body_base64"] = BASE64_STANDARD.encode(body).into();
                }
            }
            Some(value) => match serde_json::from_slice::<Value>(value) {
                Ok(mut value) => {
                    blank_names(&record, &mut value, erased);
                    line["value"] = value;
                }
                Err(_) => line["value_base64"] = BASE64_STANDARD.encode(value).into(),
            },
        }
        line
    }
}

fn header_json(header: &Header) -> Value {
    match std::str::from_utf8(&header.value) {
        Ok(value) => json!({ "name": header.name, "value": value }),
        Err(_) => {
            json!({ "name": header.name, "value_base64": BASE64_STANDARD.encode(&header.value) })
        }
    }
}

/// Drops headers and body if an order names them: that counts from then on, before the bytes go.
fn blanked(record: &mut Record, erased: &Erased) -> bool {
    let position = record.position;
    let named = match position.topic {
        Topic::Webhooks => erased.at(position.partition, position.offset).is_some(),
        Topic::Deliveries => is_erased_answer(record, erased),
        Topic::Control => false,
    };
    if named {
        record.headers.clear();
        record.value = None;
    }
    named
}

fn is_erased_answer(record: &Record, erased: &Erased) -> bool {
    match (record.event_type.as_str(), Event::decode(record)) {
        ("delivery.answered", Ok(Event::Answered(answered))) => {
            erased.receipt(answered.receipt).is_some()
        }
        _ => false,
    }
}

/// Blanks in a decision what orders name: bytes of `deliveries` stay, but no answer shows them.
fn blank_names(record: &Record, value: &mut Value, erased: &Erased) {
    if record.event_type.as_str() != "webhook.routed" {
        return;
    }
    let receipt = value["receipt"].as_str().and_then(|id| id.parse().ok());
    let blank = receipt.and_then(|receipt| erased.receipt(receipt));
    let (Some(blank), Some(summary)) = (blank, value["summary"].as_object_mut()) else {
        return;
    };
    if blank.repository {
        summary.remove("repository");
    }
    if blank.sender {
        summary.remove("sender_id");
    }
}
