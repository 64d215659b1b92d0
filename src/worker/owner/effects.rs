//! Follows the configuration: deleted subscriptions, commands, erasures.

use super::{Batch, News, Owned, Owner};
use crate::worker::attempt::Surroundings;
use crate::worker::batch::Term;
use crate::worker::erasure;
use crate::worker::lines::{self, Effect};
use crate::worker::routing;
use hooklog_projections::configuration::{Action, Command};
use hooklog_schemas::control::ConfigurationVersion;
use hooklog_schemas::{Event, Offset, Partition, Position, Topic};
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

impl Owner {
    /// Takes a changed configuration over.
    pub(super) fn refresh(&mut self) {
        if *self.control.borrow() > self.configuration.next {
            self.load_configuration();
        }
    }

    pub(super) fn load_configuration(&mut self) {
        let before = std::mem::replace(&mut self.configuration, self.parts.control.current());
        let known = |command: &Arc<Command>| command.offset < before.next;
        for command in self
            .configuration
            .commands
            .iter()
            .filter(|command| !known(command))
        {
            if let Action::Erase(erasure) = &command.action {
                self.erased
                    .extend(erasure.receipts.iter().map(|erased| erased.receipt));
            }
        }
        if self.configuration.version != before.version {
            self.cancel_deleted();
            self.forget_pauses();
        }
        self.follow_replays(&before);
        self.schedule.wake_all();
    }

    /// Cancels what is open for subscriptions that are deleted since the last look. What becomes
    /// open later, by a decision that knew less or by an operator, is cancelled when it is folded.
    fn cancel_deleted(&mut self) {
        let deleted = self
            .configuration
            .subscriptions
            .values()
            .filter(|s| s.deleted);
        let fresh = deleted.filter(|s| self.deleted.insert(s.id));
        let fresh: HashMap<_, _> = fresh.map(|s| (s.id, s.version)).collect();
        if !fresh.is_empty() {
            for owned in self.owned.values_mut() {
                owned.effects.cancel_deleted(&owned.fold, &fresh);
            }
        }
    }

    pub(super) fn has_effects(&self) -> bool {
        let commands = &self.configuration.commands;
        self.acting().any(|owned| owned.effects.waiting(commands))
    }

    /// Adds the next effects of commands and deletions.
    pub(super) fn gather_effects(&mut self, batch: &mut Batch) {
        let at = self.parts.clock.now();
        for owned in self.owned.values_mut().filter(|owned| !owned.leaving) {
            let mut erasures = Vec::new();
            let order = |command: &Arc<Command>| erasures.push(Arc::clone(command));
            let configuration = &self.configuration;
            let events = owned.effects.next(&owned.fold, configuration, at, order);
            show(&self.around, owned, &events);
            for event in events {
                batch.add(owned.term(), event);
            }
            for command in erasures {
                let term = owned.term();
                let (around, tell) = (Arc::clone(&self.around), self.tell.clone());
                let gone = owned.gone.clone();
                tokio::spawn(async move {
                    let erased = erase(&around, term, &command);
                    if let Some(count) = gone.run_until_cancelled(erased).await {
                        // An error says that the owner has stopped: the next one erases again.
                        let _ = tell.send(News::Erased(term, command.id, count));
                    }
                });
            }
        }
    }

    /// Passes an offset without a body: an erased receipt gets its decision, a tombstone none.
    pub(super) fn pass(&mut self, partition: Partition, offset: Offset, batch: &mut Batch) {
        let Some(owned) = self.owned.get_mut(&partition) else {
            return;
        };
        match self.configuration.erased.at(partition, offset) {
            Some(erased) => {
                let at = self.parts.clock.now();
                let decision = routing::erased(&self.compiled, erased, at);
                batch.add(owned.term(), decision);
            }
            None => _ = owned.fold.routed.insert(offset),
        }
    }

    /// Passes the offsets from the cursor up to `next`, the first record there is: compaction took
    /// what stood between. Receipts that were erased before they were routed get their decision.
    pub(super) fn pass_gap(&mut self, partition: Partition, next: Offset, batch: &mut Batch) {
        let Some(owned) = self.owned.get_mut(&partition) else {
            return;
        };
        let gap = owned.cursor..next;
        if gap.is_empty() {
            return;
        }
        let at = self.parts.clock.now();
        let mut start = gap.start;
        let erased = self.configuration.erased.within(partition, &gap);
        for erased in erased {
            owned.fold.routed.insert_all(start, erased.offset);
            start = erased.offset.next();
            if !owned.fold.routed.contains(erased.offset) {
                let decision = routing::erased(&self.compiled, erased, at);
                batch.add(owned.term(), decision);
            }
        }
        owned.fold.routed.insert_all(start, gap.end);
    }

    pub(super) fn current_version(&self) -> ConfigurationVersion {
        let version = self.configuration.version;
        version.unwrap_or(ConfigurationVersion::START)
    }
}

/// Writes lines about effects, beside the loop: their GUIDs must be read.
fn show(around: &Surroundings, owned: &Owned, events: &[Event]) {
    for event in events {
        if let Event::CommandApplied(applied) = event {
            tracing::info!(
                command = %applied.command, partition = %owned.partition, count = applied.count,
                left = applied.left, "a command took effect"
            );
        }
    }
    if !lines::wanted() {
        return;
    }
    let placed = |effect: Effect| {
        let delivery = owned.fold.deliveries.get(&effect.delivery())?;
        let webhook = Position::new(Topic::Webhooks, owned.partition, delivery.webhook);
        Some((webhook, effect))
    };
    let effects = events.iter().filter_map(Effect::of);
    let effects: Vec<_> = effects.filter_map(placed).collect();
    if !effects.is_empty() {
        tokio::spawn(lines::effects(Arc::clone(&around.log), effects));
    }
}

/// Erases until it succeeds: an order to erase is never given up.
async fn erase(around: &Surroundings, term: Term, command: &Command) -> u64 {
    let Term { partition, epoch } = term;
    let Action::Erase(order) = &command.action else {
        return 0;
    };
    loop {
        match erasure::erase(around, partition, epoch, order).await {
            Ok(count) => return count,
            Err(error) => {
                tracing::error!(%partition, command = %command.id, %error, "the erasure is tried again");
                tokio::time::sleep(AGAIN_AFTER).await;
            }
        }
    }
}

/// The pause between two tries of an erasure.
const AGAIN_AFTER: Duration = Duration::from_secs(5);
