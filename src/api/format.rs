//! `/format`: which events may stand in the log, and which processes stop when that is raised.

use super::auth::{Admin, Reader};
use super::change::Changed;
use super::extract::Json;
use super::problem::Problem;
use super::{Api, Shared, check};
use axum::extract::State;
use hooklog_projections::configuration::Start;
use hooklog_schemas::control::FormatRaised;
use hooklog_schemas::{EventId, FORMAT, Timestamp};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub(super) fn routes() -> OpenApiRouter<Shared> {
    OpenApiRouter::new().routes(routes!(show, raise))
}

/// The format of the log, and who reads which.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct FormatStatus {
    /// The format in force: the log holds no event of a higher one.
    in_force: u32,
    /// The highest format that this release reads and writes.
    highest: u32,
    /// This release.
    build: String,
    /// The latest starts of processes, the newest first, at most 256. Which of them still run, the
    /// log does not say.
    starts: Vec<StartStatus>,
}

/// One start of a process.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct StartStatus {
    /// Its `process.started`.
    #[schema(value_type = String, format = "uuid")]
    process: EventId,
    /// `all`, or its roles.
    role: String,
    /// Its release.
    build: String,
    /// The name of its machine, if it told one.
    host: Option<String>,
    /// The highest format that it reads.
    format: u32,
    /// When it started.
    #[schema(value_type = i64)]
    at: Timestamp,
    /// Whether it stops when the log is raised to the highest format of this release.
    would_stop: bool,
}

/// To which format, and why.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RaiseBody {
    /// The format that is to be in force; the highest of this release if not given.
    format: Option<u32>,
    /// Why.
    reason: Option<String>,
}

/// Shows the format in force, what this release reads, and the latest starts of processes.
#[utoipa::path(get, path = "/format", tag = "server", responses((status = 200, body = FormatStatus)))]
async fn show(_: Reader, State(api): State<Shared>) -> axum::Json<FormatStatus> {
    let configuration = api.parts.control.current();
    let formats = &configuration.formats;
    let starts = formats.starts.iter().rev();
    axum::Json(FormatStatus {
        in_force: formats.in_force,
        highest: FORMAT,
        build: api.parts.build.clone(),
        starts: starts.map(|start| status(start, FORMAT)).collect(),
    })
}

fn status(start: &Start, highest: u32) -> StartStatus {
    StartStatus {
        process: start.process,
        role: start.role.clone(),
        build: start.build.clone(),
        host: start.host.clone(),
        format: start.format,
        at: start.at,
        would_stop: start.format < highest,
    }
}

/// Raises the format of the log. From then on writers use its events, and every process that does
/// not read it stops. Where it is in force already, nothing is appended.
#[utoipa::path(post, path = "/format", tag = "server",
    responses((status = 200, body = Changed), (status = 422, body = Problem)))]
async fn raise(
    Admin(caller): Admin,
    State(api): State<Shared>,
    Json(body): Json<RaiseBody>,
) -> Result<axum::Json<Changed>, Problem> {
    let reason = check::reason(body.reason)?;
    let in_force = api.parts.control.current().formats.in_force;
    let Some(format) = to_raise(body.format, in_force, FORMAT)? else {
        return Ok(axum::Json(Changed::default()));
    };
    let by = caller.by(&api, reason);
    submit(&api, FormatRaised { format, by }).await
}

async fn submit(api: &Api, event: FormatRaised) -> Result<axum::Json<Changed>, Problem> {
    Ok(axum::Json(api.submit(event).await?.into()))
}

/// The format to raise the log to; none if it is there already.
fn to_raise(asked: Option<u32>, in_force: u32, highest: u32) -> Result<Option<u32>, Problem> {
    let format = asked.unwrap_or(highest.max(in_force));
    if format > highest.max(in_force) {
        return Err(Problem::bad_value(format!(
            "`format` is {format}, and this release reads and writes formats up to {highest}; \
             run a release that knows it in every process first"
        )));
    }
    if format < in_force {
        return Err(Problem::bad_value(format!(
            "`format` is {format}, but {in_force} is in force, and a format never goes back"
        )));
    }
    Ok((format > in_force).then_some(format))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_format_is_raised_up_to_what_this_release_writes_and_never_goes_back() {
        for (asked, in_force, raised) in [
            (None, 1, Some(3)),
            (Some(2), 1, Some(2)),
            (Some(3), 2, Some(3)),
            (None, 3, None),
            (Some(3), 3, None),
        ] {
            assert_eq!(to_raise(asked, in_force, 3), Ok(raised), "{asked:?}");
        }
        for (asked, said) in [
            (4, "up to 3;"),
            (1, "never goes back"),
            (0, "never goes back"),
        ] {
            let problem = to_raise(Some(asked), 2, 3).unwrap_err();
            assert!(format!("{problem:?}").contains(said), "{problem:?}");
        }
    }

    #[test]
    fn who_reads_less_than_this_release_would_stop() {
        let start = |format| Start {
            process: EventId(uuid::Uuid::nil()),
            role: "work".into(),
            build: "1.2.3".into(),
            format,
            host: None,
            at: Timestamp(1),
        };
        let stops = [1, 2, 3].map(|format| status(&start(format), 2).would_stop);
        assert_eq!(stops, [true, false, false]);
    }
}
