//! Who may write, and until when by the clock of the server.
//!
//! The time only says when another may try: what is compared is the term, in the state that every
//! write goes on from.

use crate::project::store::{NOBODY, StoreError};
use mongodb::bson::DateTime;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// Who has the lease.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(in super::super) struct Held {
    /// Goes up whenever the lease passes.
    term: i64,
    writer: String,
    /// When it ends, unless it is renewed.
    ends_at: DateTime,
}

/// The lease of one writer.
#[derive(Clone, Debug)]
pub(in super::super) struct Lease {
    term: i64,
    writer: String,
    pub(in super::super) length: Duration,
}

impl Held {
    /// The one that nobody has had yet.
    pub(super) fn nobodys() -> Self {
        Self {
            term: 0,
            writer: NOBODY.to_owned(),
            ends_at: DateTime::from_millis(0),
        }
    }

    /// Gives it to `writer`, unless another has it and is not over.
    pub(in super::super) fn acquire(
        &mut self,
        writer: &str,
        length: Duration,
        now: DateTime,
    ) -> Result<Lease, StoreError> {
        if self.writer != writer && self.ends_at > now {
            let by = self.writer.clone();
            let ends_in = self.ends_at.saturating_duration_since(now);
            return Err(StoreError::Held { by, ends_in });
        }
        Ok(self.take_over(writer, length, now))
    }

    /// Gives it to `writer`, whoever has it.
    pub(in super::super) fn take_over(
        &mut self,
        writer: &str,
        length: Duration,
        now: DateTime,
    ) -> Lease {
        self.term += 1;
        writer.clone_into(&mut self.writer);
        self.ends_at = after(now, length);
        Lease {
            term: self.term,
            writer: writer.to_owned(),
            length,
        }
    }

    /// Whether `lease` is in force.
    pub(in super::super) fn is(&self, lease: &Lease) -> bool {
        self.term == lease.term && self.writer == lease.writer
    }

    /// Compares it with `lease`, and renews it.
    pub(in super::super) fn fence(
        &mut self,
        lease: Option<&Lease>,
        now: DateTime,
    ) -> Result<(), StoreError> {
        match lease.filter(|lease| self.is(lease)) {
            Some(lease) => {
                self.ends_at = after(now, lease.length);
                Ok(())
            }
            None => Err(StoreError::Superseded {
                by: self.writer.clone(),
            }),
        }
    }

    /// Takes it from whoever has it.
    pub(in super::super) fn release(&mut self, now: DateTime) {
        self.term += 1;
        NOBODY.clone_into(&mut self.writer);
        self.ends_at = now;
    }
}

pub(super) fn after(now: DateTime, length: Duration) -> DateTime {
    let length = i64::try_from(length.as_millis()).unwrap_or(i64::MAX);
    DateTime::from_millis(now.timestamp_millis().saturating_add(length))
}
