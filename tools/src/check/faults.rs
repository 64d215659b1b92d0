//! What was done to the processes explains what is not as in quiet times: deliveries that were taken
//! twice, owners that changed, processes that ended.

use super::Violation;
use super::log::Log;
use crate::chaos::{Incident, Kind};
use crate::subscribe::Receipt;
use hooklog_schemas::DeliveryId;
use std::collections::BTreeMap;
use std::fmt;

/// How long after a fault is over its effects may still show: a paused worker that goes on is told
/// after a session that it has lost its partitions, and partitions move back to who comes back.
const SETTLED_AFTER_US: i64 = 20_000_000;
/// How long an attempt may have been under way when the fault came.
const UNDER_WAY_US: i64 = 5_000_000;

/// Nothing happens twice without an owner that began between, whatever fault there was: on a machine
/// that is short of processors, a worker may be missed though nobody paused it, and the log shows
/// that. After each fault no more comes twice than could be under way when it came: `in_flight` of
/// the worker that it hit, and of all if it hit the broker. And nobody ends without a fault.
pub(crate) fn check(
    incidents: &[Incident],
    receipts: &[Receipt],
    log: &Log,
    in_flight: usize,
) -> Vec<Violation> {
    let twice = twice(receipts, log);
    let unexplained = twice.iter().filter(|again| !again.has_new_owner(log));
    let unexplained = unexplained.map(|again| {
        let (id, second) = (again.id, again.second);
        let found = format!("{id} was taken again at {second}, and no owner began between");
        Violation::new("duplicates follow a fault", found)
    });
    let many = too_many(&twice, incidents, in_flight);
    unexplained.chain(many).chain(ended(incidents)).collect()
}

/// Faults after which more was taken again than could be under way.
fn too_many<'a>(
    twice: &[Again],
    incidents: &'a [Incident],
    in_flight: usize,
) -> impl Iterator<Item = Violation> + use<'a> {
    let mut counts: BTreeMap<usize, usize> = BTreeMap::new();
    for again in twice {
        if let Some(cause) = again.cause(incidents) {
            *counts.entry(cause).or_default() += 1;
        }
    }
    let workers = incidents.iter().filter(|one| {
        let worker = one.who.starts_with("worker");
        worker && one.kind == Kind::Started
    });
    let all = in_flight * workers.count().max(1);
    counts.into_iter().filter_map(move |(cause, count)| {
        let fault = incidents.get(cause)?;
        let hit = if fault.who.starts_with("worker") {
            in_flight
        } else {
            all
        };
        (count > hit).then(|| {
            let Incident {
                kind, who, begin, ..
            } = fault;
            let found = format!(
                "{count} deliveries were taken again after {} ({who}, at {begin}), where {hit} could \
                 be under way",
                kind.name()
            );
            Violation::new("duplicates are bounded by what was in flight", found)
        })
    })
}

/// How many owners began although nothing was done to anybody.
pub(crate) fn unprovoked(incidents: &[Incident], log: &Log) -> usize {
    let owners = log.acquired_at.iter().filter(|(_, _, at)| {
        let may = |one: &Incident| one.kind.touches_ownership() && around(one, at.0, at.0);
        !incidents.iter().any(may)
    });
    owners.count()
}

/// A process may give up while the log is away; otherwise none ends unless it is ended.
fn ended(incidents: &[Incident]) -> impl Iterator<Item = Violation> {
    let of_itself = incidents.iter().filter(|one| one.kind == Kind::Ended);
    let unexplained = of_itself.filter(|one| {
        let mut away = incidents.iter().filter(|other| other.kind.takes_the_log());
        !away.any(|other| around(other, one.begin, one.begin))
    });
    unexplained.map(|one| {
        let how = one.note.as_deref().unwrap_or_default();
        let found = format!("{} at {}: {how}", one.who, one.begin);
        Violation::new("nobody ends by itself", found)
    })
}

/// Whether an incident, with its aftermath, lies within or around a span of time.
const fn around(incident: &Incident, from: i64, to: i64) -> bool {
    incident.begin <= to && incident.end + SETTLED_AFTER_US >= from
}

/// A delivery that was taken once more.
struct Again {
    id: DeliveryId,
    first: i64,
    second: i64,
}

impl Again {
    /// The number of the last fault that explains it.
    fn cause(&self, incidents: &[Incident]) -> Option<usize> {
        let may = |one: &&Incident| {
            one.kind.touches_ownership()
                && one.kind != Kind::Ended
                && around(one, self.first - UNDER_WAY_US, self.second)
        };
        incidents.iter().rposition(|one| may(&one))
    }

    /// Whether its partition got another owner between the two.
    fn has_new_owner(&self, log: &Log) -> bool {
        let partition = log.deliveries.get(&self.id).map(|one| one.partition);
        // The attempt of a former owner that was paused may come long after its successor began.
        let between = self.first - SETTLED_AFTER_US..=self.second;
        let mut owners = log.acquired_at.iter();
        owners.any(|(of, _, at)| Some(*of) == partition && between.contains(&at.0))
    }
}

fn twice(receipts: &[Receipt], log: &Log) -> Vec<Again> {
    let mut taken: BTreeMap<DeliveryId, Vec<i64>> = BTreeMap::new();
    for receipt in receipts
        .iter()
        .filter(|one| (200..300).contains(&one.status))
    {
        if let Ok(id) = receipt.id.parse::<DeliveryId>() {
            taken.entry(id).or_default().push(receipt.at);
        }
    }
    let mut all = Vec::new();
    for (id, mut times) in taken {
        // What no log knows is found elsewhere.
        if log.deliveries.contains_key(&id) {
            times.sort_unstable();
            all.extend(times.windows(2).map(|two| Again {
                id,
                first: two[0],
                second: two[1],
            }));
        }
    }
    all
}

/// How many deliveries were taken again, by the sort of fault before.
pub(crate) struct Causes(BTreeMap<&'static str, usize>);

impl Causes {
    /// Counts them.
    pub(crate) fn count(incidents: &[Incident], receipts: &[Receipt], log: &Log) -> Self {
        let mut counts = BTreeMap::new();
        for again in twice(receipts, log) {
            let cause = again
                .cause(incidents)
                .and_then(|cause| incidents.get(cause));
            let cause = cause.map_or("nothing", |one| one.kind.name());
            *counts.entry(cause).or_default() += 1;
        }
        Self(counts)
    }
}

impl fmt::Display for Causes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "taken again after:")?;
        for (cause, count) in &self.0 {
            write!(f, " {cause} {count}")?;
        }
        Ok(())
    }
}
