//! What stores say alike about the statements of projections of somebody's own.

use crate::project::own::{OwnError, Statement};
use std::time::Duration;

/// That a statement failed: what the store `said`, or that it was ended since it was `late`.
pub(super) fn statement_failed(
    file: &'static str,
    statement: &Statement,
    said: String,
    late: Option<Duration>,
) -> OwnError {
    let reason = match late {
        Some(timeout) => format!(
            "it was ended after {} s (project.own.timeout_ms): {said}",
            timeout.as_secs_f32()
        ),
        None => said,
    };
    OwnError::Statement {
        file,
        line: statement.line,
        reason,
    }
}

/// What is stored beside the tables does not read.
pub(super) fn unreadable(error: impl std::fmt::Display) -> OwnError {
    OwnError::Damaged(error.to_string())
}
