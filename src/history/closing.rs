//! Closes a cut over causes: every partition shrinks to before its first record that names a webhook
//! or a configuration outside.
//!
//! How far back such a record may stand depends on how far clocks were apart, which nobody knows.
//! So each partition is read backwards from the cut, and what is read tells when it is enough:
//!
//! - An owner routes the webhooks of a partition in their order, and never by a configuration older
//!   than the one it used last. So once one of its decisions names nothing outside, no earlier one
//!   does. What a former owner tells late may stand between, so a decision of an epoch that was
//!   followed by another proves nothing, and a whole [`SPAN`] is looked at.
//! - A decision does not tell which commands its owner knew. Near a command behind the cut
//!   [`SPAN_OF_COMMANDS`] records are looked at, many more than clocks are apart.
//! - Receivers write to a partition side by side, each by the configuration that it knows. What
//!   the receipt of one that lags proves about others is little, so a whole [`SPAN`] of receipts
//!   must be inside. Nothing is folded from them: a cut that misjudged one gives the same answers.
//!
//! `control` is the root and never shrinks: what it says about webhooks and deliveries applies to
//! those that are there.

use super::causes::Causes;
use super::{PointError, range};
use crate::log::EventLog;
use hooklog_projections::configuration::{Command, Configuration};
use hooklog_schemas::{EventId, Offset, Partition, Point, Position, Record, Timestamp, Topic};
use std::collections::HashMap;
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

/// Records looked at in one step back of `deliveries`, and of `webhooks`, whose records are large.
/// Each further step is twice as long.
const SPAN: [u64; 2] = [256, 32];

/// Records of `deliveries` looked at when a command stands within [`NEAR`] behind the cut.
const SPAN_OF_COMMANDS: u64 = 8_192;
const NEAR: Duration = Duration::from_secs(600);

/// Records of `control` behind the cut whose ids are known: far more than come while clocks differ.
const OUTSIDE_MAX: u64 = 4_096;

/// A cut that is being closed.
pub(super) struct Closing<'a> {
    log: &'a dyn EventLog,
    configuration: &'a Configuration,
    time: Timestamp,
    pub(super) point: Point,
}

/// What a part of a partition names.
#[derive(Default)]
struct Seen {
    /// The first record that names something outside.
    first: Option<Offset>,
    /// Nothing before it names something outside.
    settled: bool,
    /// The end of the webhooks that it names.
    webhooks: Offset,
    /// The end of `control` as far as it names it.
    control: Offset,
}

impl<'a> Closing<'a> {
    /// Begins with `point`, which holds what was appended up to `time`.
    pub(super) fn new(
        log: &'a dyn EventLog,
        configuration: &'a Configuration,
        time: Timestamp,
        point: Point,
    ) -> Self {
        Self {
            log,
            configuration,
            time,
            point,
        }
    }

    /// Takes in the record at `position`, and what it and those before it name.
    pub(super) async fn include(&mut self, position: Position) -> Result<(), PointError> {
        let end = position.offset.next();
        let partition = position.partition;
        let place = usize::try_from(partition.0).unwrap_or(usize::MAX);
        let webhooks = match position.topic {
            Topic::Control => {
                self.point.control = end;
                return Ok(());
            }
            Topic::Webhooks => end,
            Topic::Deliveries => {
                set(&mut self.point.deliveries, place, end);
                let named = self.named(Topic::Deliveries, partition).await?;
                self.point.control = self.point.control.max(named.control);
                let now = self.point.end(Topic::Webhooks, partition);
                now.max(named.webhooks)
            }
        };
        set(&mut self.point.webhooks, place, webhooks);
        let named = self.named(Topic::Webhooks, partition).await?;
        self.point.control = self.point.control.max(named.control);
        Ok(())
    }

    /// Shrinks every partition but that of `kept`, which includes what it needs.
    pub(super) async fn close(&mut self, kept: Option<Position>) -> Result<(), PointError> {
        let outside = self.outside().await?;
        for topic in [Topic::Webhooks, Topic::Deliveries] {
            let mut ends = Vec::new();
            for number in 0..self.log.partitions(topic) {
                let partition = Partition(number);
                let stays = kept.is_some_and(|kept| {
                    kept.partition == partition
                        && (kept.topic == topic || topic == Topic::Webhooks)
                        && kept.topic != Topic::Control
                });
                ends.push(match stays {
                    true => self.point.end(topic, partition),
                    false => self.shrunk(topic, partition, &outside).await?,
                });
            }
            match topic {
                Topic::Webhooks => self.point.webhooks = ends,
                _ => self.point.deliveries = ends,
            }
        }
        Ok(())
    }

    /// The end of the part of a partition that names nothing outside.
    async fn shrunk(
        &self,
        topic: Topic,
        partition: Partition,
        outside: &Outside,
    ) -> Result<Offset, PointError> {
        let mut end = self.point.end(topic, partition);
        let mut epoch = None;
        for part in self.steps_back(topic, end) {
            let seen = self
                .look(topic, partition, part, outside, &mut epoch)
                .await?;
            end = seen.first.unwrap_or(end);
            if seen.settled {
                break;
            }
        }
        Ok(end)
    }

    /// What the end of a partition names.
    async fn named(&self, topic: Topic, partition: Partition) -> Result<Seen, PointError> {
        let outside = self.outside().await?;
        let mut named = Seen::default();
        let mut epoch = None;
        for part in self.steps_back(topic, self.point.end(topic, partition)) {
            let seen = self
                .look(topic, partition, part, &outside, &mut epoch)
                .await?;
            named.webhooks = named.webhooks.max(seen.webhooks);
            named.control = named.control.max(seen.control);
            if seen.settled {
                break;
            }
        }
        Ok(named)
    }

    fn steps_back(&self, topic: Topic, end: Offset) -> Steps {
        let [deliveries, webhooks] = SPAN;
        let near = self.time.plus(NEAR);
        let behind = |command: &&Arc<Command>| command.offset >= self.point.control;
        let mut commands = self.configuration.commands.iter().rev().take_while(behind);
        let span = match topic {
            Topic::Webhooks => webhooks,
            _ if commands.any(|command| command.at <= near) => SPAN_OF_COMMANDS,
            _ => deliveries,
        };
        Steps { end, span }
    }

    async fn look(
        &self,
        topic: Topic,
        partition: Partition,
        part: Range<Offset>,
        outside: &Outside,
        epoch: &mut Option<Offset>,
    ) -> Result<Seen, PointError> {
        let from = Position::new(topic, partition, part.start);
        let records = range::read(self.log, from, part.end).await?;
        let mut seen = Seen::default();
        let mut proof = topic == Topic::Webhooks && !records.is_empty();
        // The highest epoch of the owners that wrote here and further on.
        *epoch = records.iter().map(|r| r.epoch).max().flatten().max(*epoch);
        for record in &records {
            let causes = Causes::of(record, self.configuration)?;
            seen.webhooks = seen
                .webhooks
                .max(causes.webhook.map_or(Offset(0), Offset::next));
            let control = causes.event.and_then(|id| outside.0.get(&id).copied());
            let control = control.max(causes.configuration);
            seen.control = seen.control.max(control.map_or(Offset(0), Offset::next));
            if seen.first.is_none() && self.names_outside(record, causes, control) {
                seen.first = Some(record.position.offset);
            }
            proof |= causes.live && record.epoch == *epoch;
        }
        seen.settled = proof && seen.first.is_none();
        Ok(seen)
    }

    fn names_outside(&self, record: &Record, causes: Causes, control: Option<Offset>) -> bool {
        let webhooks = self.point.end(Topic::Webhooks, record.position.partition);
        causes.webhook.is_some_and(|webhook| webhook >= webhooks)
            || control.is_some_and(|offset| offset >= self.point.control)
    }

    /// The ids of what stands in `control` right behind the cut.
    async fn outside(&self) -> Result<Outside, PointError> {
        let from = Position::new(Topic::Control, Partition(0), self.point.control);
        let end = Offset(from.offset.0.saturating_add(OUTSIDE_MAX));
        let records = range::read(self.log, from, end).await?;
        let place = |record: &Arc<Record>| (record.event_id, record.position.offset);
        Ok(Outside(records.iter().map(place).collect()))
    }
}

/// Places in `control` behind the cut, by id.
struct Outside(HashMap<EventId, Offset>);

/// Parts of a partition, from its end to its start.
struct Steps {
    end: Offset,
    span: u64,
}

impl Iterator for Steps {
    type Item = Range<Offset>;
    fn next(&mut self) -> Option<Self::Item> {
        if self.end == Offset(0) {
            return None;
        }
        let start = Offset(self.end.0.saturating_sub(self.span));
        let part = start..self.end;
        self.end = start;
        self.span *= 2;
        Some(part)
    }
}

fn set(ends: &mut [Offset], place: usize, end: Offset) {
    if let Some(kept) = ends.get_mut(place) {
        *kept = end;
    }
}
