//! `/status`: the server at a glance.

use super::auth::Reader;
use super::problem::Problem;
use super::{Api, Shared, schema};
use crate::health::PartStatus;
use crate::project::own::OwnStatus;
use crate::query::{ReadUpTo, Standing};
use axum::extract::State;
use hooklog_projections::projection::{PROJECTIONS, Projection};
use hooklog_schemas::control::Role;
use hooklog_schemas::{EventId, Offset, Partition, Topic};
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub(super) fn routes() -> OpenApiRouter<Shared> {
    OpenApiRouter::new().routes(routes!(show))
}

/// The server at a glance.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Status {
    /// The release.
    build: String,
    /// The log's id.
    #[schema(value_type = Option<String>, format = "uuid")]
    log_id: Option<EventId>,
    /// Every partition of the log.
    partitions: Vec<PartitionStatus>,
    /// The offset in `control` of the configuration in force.
    #[schema(value_type = Option<u64>)]
    configuration_offset: Option<Offset>,
    /// No attempt starts, of any subscription.
    deliveries_paused: bool,
    /// The tables; none if they cannot be read now.
    projections: Vec<ProjectionStatus>,
    /// Projections of the operator's own, where this process keeps them.
    own_projections: Vec<OwnStatus>,
    /// The roles of this process, and whether they are ready.
    parts: Vec<PartStatus>,
    /// The token that asks.
    token: TokenStatus,
}

/// The token that asks.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct TokenStatus {
    /// Whom it names.
    name: String,
    /// What it may do: `read`, `operate` or `admin`.
    #[schema(value_type = schema::Role)]
    role: Role,
}

/// One partition.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct PartitionStatus {
    /// The topic.
    topic: &'static str,
    /// Its number.
    partition: u32,
    /// The first offset that can be read.
    #[schema(value_type = u64)]
    start: Offset,
    /// The first offset that is not written yet.
    #[schema(value_type = u64)]
    tail: Offset,
}

/// One projection.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ProjectionStatus {
    /// Its name.
    name: &'static str,
    /// The version of its tables that answer; none if there are none.
    version: Option<u32>,
    /// The version that this release makes: `hooklog rebuild` builds it.
    latest: u32,
    /// Records that it has not folded yet.
    lag: u64,
}

/// Shows the log's partitions, the lag of the tables, and whether this process is ready.
#[utoipa::path(get, path = "/status", tag = "server",
    responses((status = 200, body = Status), (status = 503, body = Problem)))]
async fn show(
    Reader(caller): Reader,
    State(api): State<Shared>,
) -> Result<axum::Json<Status>, Problem> {
    let configuration = api.parts.control.current();
    let partitions = partitions(&api).await?;
    let tables = api.parts.queries.standing().await.ok();
    Ok(axum::Json(Status {
        build: api.parts.build.clone(),
        log_id: configuration.log.map(|(id, _)| id),
        configuration_offset: configuration.version.map(|version| version.offset),
        deliveries_paused: configuration.deliveries_paused,
        projections: tables.map_or_else(Vec::new, |tables| projections(&partitions, &tables)),
        partitions,
        own_projections: api.parts.own.statuses(),
        parts: api.parts.health.look().await,
        token: TokenStatus {
            name: caller.actor,
            role: caller.role,
        },
    }))
}

async fn partitions(api: &Api) -> Result<Vec<PartitionStatus>, Problem> {
    let mut all = Vec::new();
    for topic in Topic::ALL {
        for partition in 0..api.parts.log.partitions(topic) {
            let bounds = api.parts.log.bounds(topic, Partition(partition)).await?;
            all.push(PartitionStatus {
                topic: topic.as_str(),
                partition,
                start: bounds.start,
                tail: bounds.tail,
            });
        }
    }
    Ok(all)
}

/// All projections share one checkpoint, so they share its lag.
fn projections(partitions: &[PartitionStatus], tables: &Standing) -> Vec<ProjectionStatus> {
    let unread = |partition: &PartitionStatus| {
        let same = |r: &&ReadUpTo| r.topic == partition.topic && r.partition == partition.partition;
        let next = tables.read.iter().find(same).map_or(0, |read| read.next);
        partition.tail.0.saturating_sub(next)
    };
    let webhooks = Topic::Webhooks.as_str();
    let folded = partitions
        .iter()
        .filter(|partition| partition.topic != webhooks);
    let lag = folded.map(unread).sum();
    let status = |projection: &&Projection| ProjectionStatus {
        name: projection.name,
        version: tables.versions.get(projection.name).copied(),
        latest: projection.version,
        lag,
    };
    PROJECTIONS.iter().map(status).collect()
}
