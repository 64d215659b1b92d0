//! Sets of tables and work on them as people and programs are told: in the API and by the commands.

use super::desk::{DeskState, Job, Listing};
use super::own::OwnStatus;
use super::rebuild::{Compared, Found, Progress, Rebuilt};
use super::store::{Stored, TableSet};
use hooklog_schemas::Timestamp;
use serde::Serialize;
use utoipa::ToSchema;

/// The sets of tables, and what is done about them.
#[derive(Debug, Serialize, ToSchema)]
pub struct Tables {
    /// The live set first, then those beside it.
    pub items: Vec<SetTold>,
    /// What is under way in the process that answers.
    pub work: Option<WorkTold>,
    /// What was done last there.
    pub last: Option<EndedTold>,
    /// Projections of the operator's own, where the process that answers keeps them.
    pub own: Vec<OwnStatus>,
}

/// A set of tables.
#[derive(Debug, Serialize, ToSchema)]
pub struct SetTold {
    /// Its name.
    pub set: String,
    /// `live`: queries read it; `building`; or `kept`: it was live, and can be switched back to.
    pub kind: &'static str,
    /// Since when, in microseconds since 1970; not known of the live set.
    #[schema(value_type = Option<i64>)]
    pub since: Option<Timestamp>,
    /// Its projections.
    pub projections: Vec<VersionTold>,
    /// Records that it has folded.
    pub folded: u64,
    /// Records that it has not folded yet; nothing where the log was not asked.
    pub lag: Option<u64>,
}

/// A projection of a set.
#[derive(Debug, Serialize, ToSchema)]
pub struct VersionTold {
    /// Its name.
    pub name: String,
    /// The version of its tables.
    pub version: u32,
}

/// What is under way.
#[derive(Debug, Serialize, ToSchema)]
pub struct WorkTold {
    /// `rebuild`, or `switch` (back).
    pub what: &'static str,
    /// The projections that were named; all of them for none.
    pub names: Vec<String>,
    /// `folding`, `indexing`, `comparing` or `switching`; nothing while it begins.
    pub phase: Option<&'static str>,
    /// Records that are in the new tables.
    pub folded: u64,
    /// Records in all.
    pub total: u64,
    /// Records a second.
    pub rate: u64,
    /// Seconds until all are folded, at this rate; nothing while it is not known.
    pub seconds_left: Option<u64>,
    /// Seconds since it began.
    pub seconds: f64,
}

/// What was done.
#[derive(Debug, Serialize, ToSchema)]
pub struct EndedTold {
    /// `rebuild`, or `switch` (back).
    pub what: &'static str,
    /// Why it was not done; nothing if it was.
    pub error: Option<String>,
    /// What came of it.
    #[serde(flatten)]
    pub rebuilt: Option<RebuiltTold>,
}

/// What came of a rebuild, or of a switch back.
#[derive(Debug, Serialize, ToSchema)]
pub struct RebuiltTold {
    /// Records that are in the new tables.
    pub records: u64,
    /// Of these, how many an earlier run had folded.
    pub resumed_at: u64,
    /// How long it took.
    pub seconds: f64,
    /// Records a second.
    pub rate: u64,
    /// What was found when the new tables were compared with the old ones.
    pub compared: Vec<ComparedTold>,
    /// The set that holds the tables that were replaced.
    pub kept: Option<String>,
}

/// What a comparison of one projection found.
#[derive(Debug, Serialize, ToSchema)]
pub struct ComparedTold {
    /// The projection.
    pub projection: &'static str,
    /// `same`, `different`, or `nothing`: there were no tables to compare with.
    pub found: &'static str,
    /// Rows that are the same.
    pub rows: Option<u64>,
    /// SHA-256 of what was compared, in hex.
    pub sha256: Option<String>,
    /// Columns that the old tables do not have.
    pub added: Vec<String>,
    /// The table that differs.
    pub table: Option<&'static str>,
    /// The key of the first row that differs.
    pub key: Option<String>,
}

impl Tables {
    /// The sets of `listing`; nothing is known of work.
    #[must_use]
    pub fn of(listing: &Listing) -> Self {
        let live = listing
            .live
            .iter()
            .map(|stored| told("live", None, "live", stored));
        let beside = listing
            .sets
            .iter()
            .map(|set: &TableSet| told(&set.name, Some(set.since), set.kind.as_str(), &set.stored));
        Self {
            items: live.chain(beside).collect(),
            work: None,
            last: None,
            own: Vec::new(),
        }
    }

    /// With what a desk does and did.
    #[must_use]
    pub fn with(mut self, state: DeskState) -> Self {
        self.work = state.work.map(|(job, progress)| work(&job, progress));
        self.last = state.last.map(|(job, ended)| EndedTold {
            what: what(&job),
            error: ended.as_ref().err().cloned(),
            rebuilt: ended.ok().as_ref().map(RebuiltTold::of),
        });
        self
    }
}

impl RebuiltTold {
    /// What `rebuilt` says.
    #[must_use]
    pub fn of(rebuilt: &Rebuilt) -> Self {
        let progress = rebuilt.progress;
        Self {
            records: progress.folded,
            resumed_at: progress.resumed_at,
            seconds: progress.elapsed.as_secs_f64(),
            rate: progress.rate(),
            compared: rebuilt.compared.iter().map(compared).collect(),
            kept: rebuilt.kept.clone(),
        }
    }
}

fn told(name: &str, since: Option<Timestamp>, kind: &'static str, stored: &Stored) -> SetTold {
    let version = |(name, version): (&String, &u32)| VersionTold {
        name: name.clone(),
        version: *version,
    };
    SetTold {
        set: name.to_owned(),
        kind,
        since,
        projections: stored.versions.iter().map(version).collect(),
        folded: stored.checkpoint.positions().map(|p| p.offset.0).sum(),
        lag: None,
    }
}

const fn what(job: &Job) -> &'static str {
    match job {
        Job::Rebuild { .. } => "rebuild",
        Job::SwitchBack { .. } => "switch",
    }
}

fn work(job: &Job, progress: Option<Progress>) -> WorkTold {
    let names = match job {
        Job::Rebuild { names, .. } => names.clone(),
        Job::SwitchBack { .. } => Vec::new(),
    };
    WorkTold {
        what: what(job),
        names,
        phase: progress.map(|progress| progress.phase.as_str()),
        folded: progress.map_or(0, |progress| progress.folded),
        total: progress.map_or(0, |progress| progress.total),
        rate: progress.map_or(0, |progress| progress.rate()),
        seconds_left: progress.and_then(|p| p.left()).map(|left| left.as_secs()),
        seconds: progress.map_or(0.0, |progress| progress.elapsed.as_secs_f64()),
    }
}

fn compared(compared: &Compared) -> ComparedTold {
    let mut told = ComparedTold {
        projection: compared.projection,
        found: "nothing",
        rows: None,
        sha256: None,
        added: Vec::new(),
        table: None,
        key: None,
    };
    match &compared.found {
        Found::Nothing => {}
        Found::Same {
            rows,
            sha256,
            added,
        } => {
            told.found = "same";
            told.rows = Some(*rows);
            told.sha256 = Some(sha256.clone());
            told.added.clone_from(added);
        }
        Found::Different { table, key } => {
            told.found = "different";
            told.table = Some(table);
            told.key = Some(key.clone());
        }
    }
    told
}
