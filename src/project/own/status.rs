//! How a projection of somebody's own is, as seen from outside.

use serde::Serialize;
use utoipa::ToSchema;

/// How a projection of somebody's own is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct OwnStatus {
    /// Its name.
    pub name: String,
    /// What it does now.
    #[schema(value_type = String)]
    pub state: OwnState,
    /// The version that its folder describes; nothing while that is not in order.
    pub version: Option<u32>,
    /// The version of the tables that answer; nothing while there are none.
    pub answers: Option<u32>,
    /// Records that the tables that answer have read.
    pub folded: u64,
    /// Records that they have not read.
    pub lag: Option<u64>,
    /// Records that tables which are built have not read; nothing while none are.
    pub left: Option<u64>,
    /// The versions whose tables are kept.
    pub kept: Vec<u32>,
    /// Why it stands still, if it does.
    pub error: Option<String>,
}

/// What a projection of somebody's own does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum OwnState {
    /// It has not begun, or another process writes the tables.
    Waits,
    /// It builds tables beside those that answer.
    Builds,
    /// It follows the log.
    Follows,
    /// It stands still after an error, and is tried again.
    Fails,
}

impl OwnStatus {
    /// How one is that has not begun.
    pub(super) fn of(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            state: OwnState::Waits,
            version: None,
            answers: None,
            folded: 0,
            lag: None,
            left: None,
            kept: Vec::new(),
            error: None,
        }
    }

    /// How one is that cannot be looked at.
    pub(super) fn failed(name: &str, error: String) -> Self {
        Self {
            state: OwnState::Fails,
            error: Some(error),
            ..Self::of(name)
        }
    }
}
