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

/// Nothing happens twice and nobody ends without a fault, or an owner that began: on a machine that
/// is short of processors, a worker may be missed though nobody paused it, and the log shows that.
pub(crate) fn check(incidents: &[Incident], receipts: &[Receipt], log: &Log) -> Vec<Violation> {
    let unexplained = |again: &Again| again.cause(incidents).is_none() && !again.has_new_owner(log);
    let again = twice(receipts, log).into_iter().filter(unexplained);
    let again = again.map(|again| {
        let (id, second) = (again.id, again.second);
        let found = format!("{id} was taken again at {second}, after no fault");
        Violation::new("duplicates follow a fault", found)
    });
    again.chain(ended(incidents)).collect()
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
    /// The last fault that explains it.
    fn cause<'a>(&self, incidents: &'a [Incident]) -> Option<&'a Incident> {
        let may = |one: &&Incident| {
            one.kind.touches_ownership()
                && one.kind != Kind::Ended
                && around(one, self.first - UNDER_WAY_US, self.second)
        };
        incidents.iter().rfind(may)
    }

    /// Whether its partition got another owner between the two.
    fn has_new_owner(&self, log: &Log) -> bool {
        let partition = log.deliveries.get(&self.id).map(|one| one.partition);
        let between = self.first - UNDER_WAY_US..=self.second;
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
                .map_or("nothing", |one| one.kind.name());
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
