//! Blanks names, refs and senders of what was ordered to be erased.

use super::fields::Fields;
use super::{Condition, DeliveryRow, QueryError, Select, Snapshot, WebhookRow};
use hooklog_projections::configuration::Blank;
use hooklog_projections::{erasures, table::Value};
use hooklog_schemas::ReceiptId;
use std::collections::{BTreeSet, HashMap};

/// What is blank of which receipts.
pub(super) struct Erased(HashMap<ReceiptId, Blank>);

/// Receipts asked for in one question.
const RECEIPTS: usize = 500;

impl Erased {
    /// What was ordered to be erased of these receipts, by now: also in answers about the past.
    pub(super) async fn of(
        snapshot: &mut dyn Snapshot,
        receipts: impl Iterator<Item = ReceiptId>,
    ) -> Result<Self, QueryError> {
        let receipts: BTreeSet<_> = receipts.collect();
        let keys: Vec<_> = receipts
            .into_iter()
            .map(|receipt| Value::Id(receipt.0.into_bytes()))
            .collect();
        let mut blanks: HashMap<ReceiptId, Blank> = HashMap::new();
        for some in keys.chunks(RECEIPTS) {
            let select = Select::oldest(&erasures::TABLE, &["receipt", "control_offset"])
                .and(Condition::OneOf("receipt", some.to_vec()));
            for row in snapshot.select(&select).await? {
                let mut fields = Fields::of(row);
                let receipt = ReceiptId(fields.id()?);
                (0..3).for_each(|_| fields.skip());
                let repository = fields.int_or_none()?.is_some();
                let sender = fields.int_or_none()?.is_some();
                let blank = blanks.entry(receipt).or_default();
                *blank = blank.or(Blank::ordered(repository, sender));
            }
        }
        Ok(Self(blanks))
    }

    pub(super) fn blank_webhook(&self, row: &mut WebhookRow) {
        if let Some(blank) = self.0.get(&row.receipt) {
            row.erased = true;
            // A branch may be named after a person.
            row.git_ref = None;
            row.repository.take_if(|_| blank.repository);
            row.sender_id.take_if(|_| blank.sender);
        }
    }

    pub(super) fn blank_delivery(&self, row: &mut DeliveryRow) {
        if let Some(blank) = self.0.get(&row.receipt) {
            row.repository.take_if(|_| blank.repository);
        }
    }
}
