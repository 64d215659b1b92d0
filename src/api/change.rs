//! What all changes have in common: a version, a reason, an event that took effect.

use super::Api;
use super::problem::Problem;
use crate::control::{SubmitError, Submitted};
use hooklog_schemas::{Event, EventId, Offset};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

/// What every change may say, in a body.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Given {
    /// The version that the change is based on; the present one if not given.
    #[schema(value_type = Option<String>, format = "uuid")]
    pub(super) expected: Option<EventId>,
    /// Why.
    pub(super) reason: Option<String>,
}

/// What every deletion may say, in the query.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub(crate) struct GivenQuery {
    /// The version that the change is based on; the present one if not given.
    #[param(value_type = Option<String>, format = "uuid")]
    pub(super) expected: Option<EventId>,
    /// Why.
    pub(super) reason: Option<String>,
}

impl From<GivenQuery> for Given {
    fn from(query: GivenQuery) -> Self {
        Self {
            expected: query.expected,
            reason: query.reason,
        }
    }
}

/// What a change did.
#[derive(Debug, Default, Serialize, ToSchema)]
pub(crate) struct Changed {
    /// Whether anything was to be changed.
    changed: bool,
    /// The change's event, if there was.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = "uuid")]
    event: Option<EventId>,
    /// The event's offset in `control`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<u64>)]
    offset: Option<Offset>,
}

impl From<Submitted> for Changed {
    fn from(submitted: Submitted) -> Self {
        Self {
            changed: true,
            event: Some(submitted.event),
            offset: Some(submitted.offset),
        }
    }
}

impl Api {
    /// Appends a change to `control`, and waits until the fold has decided about it.
    pub(super) async fn submit(&self, event: impl Into<Event>) -> Result<Submitted, Problem> {
        Ok(self.parts.control.submit(event).await?)
    }

    /// Likewise for a new object, whose only rival is one of the same name.
    pub(super) async fn submit_new(
        &self,
        event: impl Into<Event>,
        taken: impl FnOnce() -> Problem,
    ) -> Result<Submitted, Problem> {
        match self.parts.control.submit(event).await {
            Err(SubmitError::Conflict) => Err(taken()),
            result => Ok(result?),
        }
    }
}
