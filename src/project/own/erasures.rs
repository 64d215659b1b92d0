//! What was ordered to be erased by now, and what is handed to statements of a record that an order
//! names.

use super::events::RECEIVED;
use super::store::OwnError;
use crate::log::{EventLog, ReadLimit};
use hooklog_projections::configuration::Erased;
use hooklog_schemas::{Event, Offset, Partition, Position, ReceiptId, Record, Topic};
use serde_json::Value;
use std::collections::BTreeSet;

/// Every order up to the end of `control`.
#[derive(Default)]
pub(super) struct Erasures {
    erased: Erased,
    next: Offset,
    last: Option<Offset>,
}

/// The types of events of which something may be blank.
const MAY_BE_BLANK: [&str; 3] = [RECEIVED, "delivery.answered", "webhook.routed"];

/// The type of an order.
const ORDER: &str = "erasure.requested";

impl Erasures {
    /// Reads what was ordered since.
    pub(super) async fn catch_up(&mut self, log: &dyn EventLog) -> Result<(), OwnError> {
        loop {
            let at = Position::new(Topic::Control, Partition(0), self.next);
            let records = log.read(at, ReadLimit::default()).await?;
            let Some(last) = records.last() else {
                return Ok(());
            };
            for record in records
                .iter()
                .filter(|one| one.event_type.as_str() == ORDER)
            {
                if let Event::ErasureRequested(order) = Event::decode(record)? {
                    self.erased.add(&order);
                    self.last = Some(record.position.offset);
                }
            }
            self.next = last.position.offset.next();
        }
    }

    /// Up to where `control` is read.
    pub(super) const fn read_up_to(&self) -> Offset {
        self.next
    }

    /// Whether tables that were begun when `control` ended at `begun` may hold what was ordered to be
    /// erased since. Statements that want the orders see to it themselves.
    pub(super) fn concern(&self, wanted: &BTreeSet<String>, begun: Offset) -> bool {
        let may_be_blank = MAY_BE_BLANK.iter().any(|event| wanted.contains(*event));
        may_be_blank && !wanted.contains(ORDER) && self.last.is_some_and(|last| last >= begun)
    }

    /// Blanks in `data`, the body of `record`, what orders name; nothing is left of what goes as a
    /// whole. It makes no difference whether the bytes are gone already.
    pub(super) fn blank(&self, record: &Record, mut data: Value) -> Option<Value> {
        let erased = &self.erased;
        let receipt = data["receipt"].as_str().and_then(|id| id.parse().ok());
        let Some(receipt) = receipt else {
            return Some(data);
        };
        match record.event_type.as_str() {
            RECEIVED if is_erased(erased, record, receipt) => None,
            "delivery.answered" if erased.receipt(receipt).is_some() => None,
            "webhook.routed" => {
                blank_names(erased, receipt, &mut data);
                Some(data)
            }
            _ => Some(data),
        }
    }
}

fn is_erased(erased: &Erased, record: &Record, receipt: ReceiptId) -> bool {
    let Position {
        partition, offset, ..
    } = record.position;
    erased.at(partition, offset).is_some() || erased.receipt(receipt).is_some()
}

fn blank_names(erased: &Erased, receipt: ReceiptId, data: &mut Value) {
    let (Some(blank), Some(summary)) = (erased.receipt(receipt), data["summary"].as_object_mut())
    else {
        return;
    };
    summary.remove("git_ref");
    if blank.repository {
        summary.remove("repository");
    }
    if blank.sender {
        summary.remove("sender_id");
    }
}
