//! What happens, in the terminal: the log itself, one line an event.

use crate::app::open::Opened;
use crate::log::ReadLimit;
use hooklog_schemas::deliveries::{Attempted, MatchOutcome, Outcome, Routed, Verdict};
use hooklog_schemas::webhook::Received;
use hooklog_schemas::{Event, Offset, Partition, Position, Record, Timestamp, Topic};
use std::collections::HashMap;
use std::io::Write as _;

/// Follows the log and tells every event, for ever.
pub(super) async fn tell(opened: &Opened) -> anyhow::Result<()> {
    let log = &opened.log;
    let mut positions: Vec<Position> = Vec::new();
    for topic in [Topic::Webhooks, Topic::Deliveries] {
        for partition in (0..log.partitions(topic)).map(Partition) {
            positions.push(Position::new(topic, partition, Offset(0)));
        }
    }
    let mut names = Names::new(opened);
    loop {
        log.wait(&positions).await;
        for position in &mut positions {
            for record in log.read(*position, ReadLimit::default()).await? {
                position.offset = record.position.offset.next();
                if let Some(line) = names.line(&record) {
                    writeln!(std::io::stdout().lock(), "{line}")?;
                }
            }
        }
    }
}

/// Turns ids into the names that people know.
struct Names<'a> {
    opened: &'a Opened,
    guids: HashMap<hooklog_schemas::ReceiptId, String>,
}

impl<'a> Names<'a> {
    fn new(opened: &'a Opened) -> Self {
        Self {
            opened,
            guids: HashMap::new(),
        }
    }

    fn line(&mut self, record: &Record) -> Option<String> {
        let at = clock(record.appended_at);
        if record.position.topic == Topic::Webhooks {
            let received = Received::decode(record).ok()?;
            let facts = received.facts;
            self.guids.insert(received.receipt, facts.guid.clone());
            let repository = facts.repository.unwrap_or_default();
            return Some(format!(
                "{at}  received   {}  {} {repository}",
                facts.guid, facts.event
            ));
        }
        match Event::decode(record).ok()? {
            Event::Routed(routed) => Some(format!("{at}  routed     {}", decision(&routed))),
            Event::Attempted(attempted) => {
                Some(format!("{at}  attempted  {}", self.attempt(&attempted)))
            }
            Event::Requeued(requeued) => {
                let guid = self.guids.get(&requeued.receipt)?;
                Some(format!("{at}  requeued   {guid}"))
            }
            _ => None,
        }
    }

    fn attempt(&self, attempted: &Attempted) -> String {
        let configuration = self.opened.control.current();
        let subscription = configuration.subscriptions.get(&attempted.subscription);
        let name = subscription.map_or("?", |subscription| &subscription.spec.name);
        let guid = self
            .guids
            .get(&attempted.receipt)
            .map_or("?", String::as_str);
        let outcome = match &attempted.outcome {
            Outcome::Status(status) => status.to_string(),
            Outcome::Error { class, .. } => class.as_str().to_owned(),
        };
        let then = match &attempted.verdict {
            Verdict::Delivered => "delivered".to_owned(),
            Verdict::Retry { at } => {
                format!(
                    "retry in {:.1} s",
                    at.since(attempted.started_at).as_secs_f64()
                )
            }
            Verdict::DeadLettered { reason } => format!("dead letter: {}", reason.as_str()),
            Verdict::Paused => "subscription paused".to_owned(),
        };
        let milliseconds = attempted.duration_us as f64 / 1000.0;
        format!(
            "{guid}  {name} #{}: {outcome} after {milliseconds:.1} ms, {then}",
            attempted.number
        )
    }
}

fn decision(routed: &Routed) -> String {
    let owed = routed
        .matches
        .iter()
        .filter(|m| m.outcome == MatchOutcome::Owed);
    let names: Vec<&str> = owed.map(|m| m.name.as_str()).collect();
    let to = if names.is_empty() {
        "nobody wants it".to_owned()
    } else {
        names.join(", ")
    };
    format!("{}  to {to}", routed.summary.guid)
}

fn clock(at: Timestamp) -> String {
    at.to_string().get(11..23).unwrap_or_default().to_owned()
}
