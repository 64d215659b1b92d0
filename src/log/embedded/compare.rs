//! Compares the topics of a log with each other: what a lost journal or a lost end leaves behind.

use super::files::{DiskFiles, LogFiles as _};
use super::offline::OfflineLog;
use super::open_error::OpenError;
use super::scan::{self, Window};
use super::segment::{JournalId, SegmentHeader};
use crate::log::report::TopicReport;
use hooklog_schemas::deliveries::Routed;
use hooklog_schemas::{Event, Offset, Partition, Position, Record, Topic};
use std::collections::BTreeMap;
use std::ops::ControlFlow;

impl OfflineLog {
    /// Adds to the reports of all topics, as [`OfflineLog::examine`] made them, what is wrong
    /// between them.
    ///
    /// # Errors
    /// The file system says no.
    pub fn compare(&self, reports: &mut [TopicReport]) -> Result<(), OpenError> {
        missing(reports);
        self.foreign(reports)?;
        self.references(reports)
    }

    /// All journals of a log have the same id.
    fn foreign(&self, reports: &mut [TopicReport]) -> Result<(), OpenError> {
        let mut first: Option<(Topic, JournalId)> = None;
        for report in reports {
            let Some(id) = self.journal_id(report.topic)? else {
                continue;
            };
            let (topic, other) = *first.get_or_insert((report.topic, id));
            if other != id {
                let wrong = format!("this journal is of another log than that of {topic}");
                report.wrong.push(wrong);
            }
        }
        Ok(())
    }

    /// The id in the header of a topic's last segment; none if there is none that reads.
    fn journal_id(&self, topic: Topic) -> Result<Option<JournalId>, OpenError> {
        let Some(last) = self.segments(topic)?.pop() else {
            return Ok(None);
        };
        let path = self.path(topic, last);
        let file = DiskFiles.open(&path);
        let window = file.and_then(|file| Window::new(file, SegmentHeader::longest()));
        let header = window.and_then(|mut window| scan::header(&mut window));
        let header = header.map_err(|error| OpenError::io(&path, error))?;
        Ok(header.ok().map(|header| header.journal))
    }

    /// What decisions name is there.
    fn references(&self, reports: &mut [TopicReport]) -> Result<(), OpenError> {
        let mut named = BTreeMap::new();
        let read = self.records(Topic::Deliveries, &mut |record, _| {
            note(&record, &mut named);
            ControlFlow::Continue(())
        });
        match read {
            // It is reported already; what was read until there counts.
            Ok(()) | Err(OpenError::Damaged { .. }) => {}
            Err(error) => return Err(error),
        }
        for ((topic, partition), (offset, decision)) in named {
            let report = reports.iter_mut().find(|report| report.topic == topic);
            let Some(report) = report else { continue };
            let tail = report.partitions.get(partition.0 as usize);
            let tail = Offset(tail.map_or(0, |partition| partition.tail));
            if offset >= tail {
                let last = Position::new(topic, partition, offset);
                report.wrong.push(format!(
                    "records are missing: the decision {decision} names {last}, but \
                     {topic}/{partition} ends before {tail}"
                ));
            }
        }
        Ok(())
    }
}

/// A journal that is not there, beside one with records.
fn missing(reports: &mut [TopicReport]) {
    let records = |report: &&TopicReport| report.partitions.iter().any(|p| p.records > 0);
    let Some(other) = reports.iter().find(records).map(|report| report.topic) else {
        return;
    };
    for report in reports.iter_mut().filter(|report| report.segments == 0) {
        let wrong = format!("there is no segment, but {other} has records: the journal is missing");
        report.wrong.push(wrong);
    }
}

/// By topic and partition, the highest offset that is named, and by which decision.
type Named = BTreeMap<(Topic, Partition), (Offset, Position)>;

fn note(record: &Record, named: &mut Named) {
    if let Some(routed) = decision(record) {
        let at = record.position;
        let mut note = |topic, partition, offset| {
            let highest = named.entry((topic, partition)).or_insert((offset, at));
            *highest = (*highest).max((offset, at));
        };
        note(Topic::Webhooks, at.partition, routed.webhook);
        note(Topic::Control, Partition(0), routed.configuration.offset);
    }
}

/// What does not decode is not for this look to judge.
fn decision(record: &Record) -> Option<Box<Routed>> {
    if record.event_type.as_str() != "webhook.routed" {
        return None;
    }
    match Event::decode(record) {
        Ok(Event::Routed(routed)) => Some(routed),
        _ => None,
    }
}
