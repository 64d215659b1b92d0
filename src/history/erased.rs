//! Which records go when a cleaner runs, or are not in every copy of the log.
//!
//! An engine may have cleaned some of them and not others, so no point may depend on them: what was
//! ordered to be erased counts as gone from the moment of the order.

use super::PointError;
use crate::log::copy::is_filler;
use crate::log::{EventLog, ReadLimit};
use hooklog_projections::configuration::Configuration;
use hooklog_schemas::{DecodeError, Event, Offset, Position, Record, Topic};

/// Whether a cleaner takes this record, took its value already, or took it before a copy was made.
pub(super) fn goes(record: &Record, configuration: &Configuration) -> Result<bool, DecodeError> {
    let Position {
        topic,
        partition,
        offset,
    } = record.position;
    if record.value.is_none() || is_filler(record) {
        return Ok(true);
    }
    Ok(match topic {
        Topic::Webhooks => configuration.erased.at(partition, offset).is_some(),
        Topic::Deliveries => match Event::decode(record)? {
            Event::Answered(answered) => configuration.erased.receipt(answered.receipt).is_some(),
            _ => false,
        },
        Topic::Control => false,
    })
}

/// The first place from `end` on that holds a record which stays; the tail if there is none.
pub(super) async fn past(
    log: &dyn EventLog,
    configuration: &Configuration,
    end: Position,
) -> Result<Offset, PointError> {
    let mut next = end;
    let mut limit = ReadLimit {
        records: 1,
        bytes: 1,
    };
    loop {
        let records = log.read(next, limit).await?;
        for record in &records {
            if !goes(record, configuration)? {
                return Ok(record.position.offset);
            }
            next.offset = record.position.offset.next();
        }
        if records.is_empty() {
            let bounds = log.bounds(end.topic, end.partition).await?;
            return Ok(bounds.tail.max(next.offset));
        }
        limit = ReadLimit::default();
    }
}
