//! Puts an owner together, who owns nothing yet.

use super::Owner;
use super::save::log_id;
use crate::route::Index;
use crate::worker::attempt::Surroundings;
use crate::worker::identities::Identities;
use crate::worker::room::Room;
use crate::worker::routing::Compiled;
use crate::worker::schedule::Schedule;
use crate::worker::{WorkerError, WorkerParts};
use hooklog_schemas::Timestamp;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;
use std::time::Instant;
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;

impl Owner {
    /// An owner who begins to take part. `ready` turns true once all that is assigned is restored
    /// and acquired.
    pub(in crate::worker) fn open(
        parts: WorkerParts,
        ready: watch::Sender<bool>,
        shutdown: CancellationToken,
    ) -> Result<Self, WorkerError> {
        let (tell, news) = mpsc::unbounded_channel();
        let configuration = parts.control.current();
        let log = log_id(&parts.control);
        let folder = parts.data.join("identities");
        let window = parts.config.redelivery_window_days;
        let identities = Identities::open(&folder, window, log)?;
        let around = Surroundings {
            log: Arc::clone(&parts.log),
            clock: Arc::clone(&parts.clock),
            transport: Arc::clone(&parts.transport),
            room: Room::new(parts.config.body_bytes_in_flight_max),
            erasing: tokio::sync::Mutex::default(),
        };
        let config = &parts.config;
        Ok(Self {
            around: Arc::new(around),
            ownership: parts.log.own()?,
            told: Vec::new(),
            assigned: false,
            ready,
            restoring: BTreeMap::new(),
            contested: BTreeMap::new(),
            owned: BTreeMap::new(),
            leaving: Vec::new(),
            schedule: Schedule::new(config.in_flight_max, config.breaker_failures),
            compiled: Compiled {
                version: configuration.version,
                index: Arc::new(Index::new(&configuration)),
            },
            // Taken over as a change from nothing, once the partitions are acquired.
            configuration: Arc::default(),
            control: parts.control.watch(),
            targets: HashMap::new(),
            running: Vec::new(),
            courses: HashMap::new(),
            destinations: Arc::default(),
            reading_destinations: false,
            in_flight: HashMap::new(),
            unsettled: BTreeMap::new(),
            erased: HashSet::new(),
            deleted: HashSet::new(),
            pausing: HashSet::new(),
            news,
            tell,
            early: Vec::new(),
            fresh: HashMap::new(),
            changes: Vec::new(),
            identities,
            saving: None,
            look: true,
            gauges_at: Timestamp(i64::MIN),
            asking: None,
            turned: Instant::now(),
            shutdown,
            decided: 0,
            recorded: 0,
            parts,
        })
    }
}
