//! The configuration: the fold of `control` that receivers, workers and the API decide by.

mod bookmarks;
mod erased;
mod formats;
mod objects;
pub use bookmarks::{Bookmark, Bookmarks};
mod replay;
pub use erased::{Blank, Erased};
pub use formats::{Formats, Start};
pub use objects::{Secret, Source, Subscription, Token};
pub use replay::Replay;

use hooklog_schemas::control::{
    ConfigurationVersion, ErasureRequested, Role, Scope, SealedSecret, SecretOwner,
};
use hooklog_schemas::{
    Event, EventId, Offset, ReplayId, SourceId, SubscriptionId, Timestamp, TokenId,
};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Sources, subscriptions, secrets and tokens at one version. Cheap to clone, never changed.
#[derive(Clone, Debug, Default)]
pub struct Configuration {
    /// The log's id and its number of partitions, once `log.created` was read.
    pub log: Option<(EventId, u32)>,
    /// The key with which the log began: whoever shares the log has it.
    pub key: Option<String>,
    /// The last event that changed a source, a subscription, a secret or a token.
    pub version: Option<ConfigurationVersion>,
    /// The next offset of `control` to read.
    pub next: Offset,
    /// All sources, deleted ones too: their secrets verify old signatures.
    pub sources: BTreeMap<SourceId, Arc<Source>>,
    /// All subscriptions, deleted ones too.
    pub subscriptions: BTreeMap<SubscriptionId, Arc<Subscription>>,
    /// All tokens, revoked ones too.
    pub tokens: BTreeMap<TokenId, Arc<Token>>,
    /// No attempt may start.
    pub deliveries_paused: bool,
    /// Commands in their order; every partition applies each once.
    pub commands: Vec<Arc<Command>>,
    /// What the erasures among them name.
    pub erased: Erased,
    /// All replays, cancelled ones too. Which of them have finished, the partitions tell.
    pub replays: BTreeMap<ReplayId, Arc<Replay>>,
    /// The format in force, and who started lately.
    pub formats: Formats,
    /// Points that have a name.
    pub bookmarks: Bookmarks,
}

/// An operator's command, with its place in `control`.
#[derive(Clone, Debug)]
pub struct Command {
    /// Its event.
    pub id: EventId,
    /// Its offset in `control`.
    pub offset: Offset,
    /// When it was given.
    pub at: Timestamp,
    /// What is asked.
    pub action: Action,
}

/// What a command asks of every partition.
#[derive(Clone, Debug)]
pub enum Action {
    /// Cancel the open deliveries in scope.
    Cancel(Scope),
    /// Try the dead deliveries in scope again.
    Redrive(Scope),
    /// Erase bodies.
    Erase(ErasureRequested),
    /// Cancel the open deliveries of a replay.
    CancelReplay(ReplayId),
}

/// What folding one event of `control` did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Folded {
    /// It took effect.
    Applied,
    /// Another change of the same object came first: this one has no effect.
    Conflict,
    /// It concerns an object that does not exist, or it repeats an event; it has no effect.
    Ignored,
    /// It is a fact that configures nothing, such as a process start.
    Evidence,
}

impl Configuration {
    /// Folds the event that stands at `offset`. Events must come in the order of their offsets.
    pub fn fold(&mut self, offset: Offset, id: EventId, event: &Event) -> Folded {
        self.next = offset.next();
        let folded = self.apply(offset, id, event);
        if folded == Folded::Applied && changes_configuration(event) {
            self.version = Some(ConfigurationVersion { offset, event: id });
        }
        folded
    }

    /// The source with this name that is not deleted.
    #[must_use]
    pub fn source(&self, name: &str) -> Option<&Arc<Source>> {
        self.sources
            .values()
            .find(|source| source.spec.name == name && !source.deleted)
    }

    /// The subscription with this name, or this id, that is not deleted.
    #[must_use]
    pub fn subscription(&self, name: &str) -> Option<&Arc<Subscription>> {
        let live = |s: &&Arc<Subscription>| !s.deleted;
        let named = self
            .subscriptions
            .values()
            .filter(live)
            .find(|s| s.spec.name == name);
        named.or_else(|| {
            let id: SubscriptionId = name.parse().ok()?;
            self.subscriptions.get(&id).filter(live)
        })
    }

    /// Whether a named admin token exists; until then the bootstrap token is one.
    #[must_use]
    pub fn has_admin(&self) -> bool {
        self.tokens
            .values()
            .any(|token| token.role == Role::Admin && !token.revoked)
    }

    fn apply(&mut self, offset: Offset, id: EventId, event: &Event) -> Folded {
        match event {
            Event::LogCreated(created) => {
                // Of two processes that find an empty log at once, the first one makes it.
                if self.log.is_some() {
                    return Folded::Ignored;
                }
                self.log = Some((created.log_id, created.partitions));
                self.key.clone_from(&created.key);
                Folded::Applied
            }
            Event::ProcessStarted(started) => self.formats.started(id, started),
            Event::FormatRaised(raised) => self.formats.raise(raised.format),
            Event::SourceCreated(_)
            | Event::SourceChanged(_)
            | Event::SourcePaused(_)
            | Event::SourceResumed(_)
            | Event::SourceDeleted(_) => self.apply_source(id, event),
            Event::SubscriptionCreated(_)
            | Event::SubscriptionChanged(_)
            | Event::SubscriptionPaused(_)
            | Event::SubscriptionResumed(_)
            | Event::SubscriptionDeleted(_) => self.apply_subscription(id, event),
            Event::SecretRotated(rotated) => match rotated.owner {
                SecretOwner::Source(source) => {
                    change(&mut self.sources, source, rotated.expected, id, |s| {
                        rotate(
                            &mut s.secrets,
                            &rotated.secret,
                            rotated.by.at,
                            rotated.old_valid_until,
                        );
                    })
                }
                SecretOwner::Subscription(subscription) => change(
                    &mut self.subscriptions,
                    subscription,
                    rotated.expected,
                    id,
                    |s| {
                        rotate(
                            &mut s.secrets,
                            &rotated.secret,
                            rotated.by.at,
                            rotated.old_valid_until,
                        );
                    },
                ),
            },
            Event::TokenCreated(_) | Event::TokenRevoked(_) => self.apply_token(event),
            Event::DeliveriesPaused(_) => self.set_paused(true),
            Event::DeliveriesResumed(_) => self.set_paused(false),
            Event::CancelRequested(e) => {
                self.command(offset, id, e.by.at, Action::Cancel(e.scope.clone()))
            }
            Event::RedriveRequested(e) => {
                self.command(offset, id, e.by.at, Action::Redrive(e.scope.clone()))
            }
            Event::ErasureRequested(e) => {
                self.erased.add(e);
                self.command(offset, id, e.by.at, Action::Erase((**e).clone()))
            }
            Event::BookmarkCreated(created) => self.bookmarks.create(created),
            Event::BookmarkDeleted(deleted) => self.bookmarks.delete(deleted),
            Event::ReplayRequested(_)
            | Event::ReplayPaused(_)
            | Event::ReplayResumed(_)
            | Event::ReplayCancelled(_) => self.apply_replay(offset, id, event),
            _ => Folded::Evidence,
        }
    }

    fn set_paused(&mut self, paused: bool) -> Folded {
        self.deliveries_paused = paused;
        Folded::Applied
    }

    fn command(&mut self, offset: Offset, id: EventId, at: Timestamp, action: Action) -> Folded {
        self.commands.push(Arc::new(Command {
            id,
            offset,
            at,
            action,
        }));
        Folded::Applied
    }

    fn apply_source(&mut self, id: EventId, event: &Event) -> Folded {
        match event {
            Event::SourceCreated(created) => {
                if self.source(&created.spec.name).is_some() {
                    return Folded::Conflict;
                }
                insert(&mut self.sources, created.id, || {
                    Source::created(created, id)
                })
            }
            Event::SourceChanged(e) => change(&mut self.sources, e.id, e.expected, id, |s| {
                s.spec = e.spec.clone()
            }),
            Event::SourcePaused(e) => {
                change(&mut self.sources, e.id, e.expected, id, |s| s.paused = true)
            }
            Event::SourceResumed(e) => change(&mut self.sources, e.id, e.expected, id, |s| {
                s.paused = false
            }),
            Event::SourceDeleted(e) => change(&mut self.sources, e.id, e.expected, id, |s| {
                s.deleted = true
            }),
            _ => Folded::Ignored,
        }
    }

    fn apply_subscription(&mut self, id: EventId, event: &Event) -> Folded {
        let all = &mut self.subscriptions;
        match event {
            Event::SubscriptionCreated(created) => {
                if all
                    .values()
                    .any(|s| !s.deleted && s.spec.name == created.spec.name)
                {
                    return Folded::Conflict;
                }
                insert(all, created.id, || Subscription::created(created, id))
            }
            Event::SubscriptionChanged(e) => {
                let taken = |s: &Arc<Subscription>| {
                    s.id != e.id && !s.deleted && s.spec.name == e.spec.name
                };
                if all.values().any(taken) {
                    return Folded::Conflict;
                }
                change(all, e.id, e.expected, id, |s| s.spec = e.spec.clone())
            }
            Event::SubscriptionPaused(e) => change(all, e.id, e.expected, id, |s| s.paused = true),
            Event::SubscriptionResumed(e) => {
                change(all, e.id, e.expected, id, |s| s.paused = false)
            }
            Event::SubscriptionDeleted(e) => {
                change(all, e.id, e.expected, id, |s| s.deleted = true)
            }
            _ => Folded::Ignored,
        }
    }

    fn apply_token(&mut self, event: &Event) -> Folded {
        match event {
            Event::TokenCreated(created) => {
                let taken = |t: &Arc<Token>| !t.revoked && t.name == created.name;
                if self.tokens.values().any(taken) {
                    return Folded::Conflict;
                }
                insert(&mut self.tokens, created.id, || Token::created(created))
            }
            Event::TokenRevoked(revoked) => match self.tokens.get_mut(&revoked.id) {
                Some(token) => {
                    Arc::make_mut(token).revoked = true;
                    Folded::Applied
                }
                None => Folded::Ignored,
            },
            _ => Folded::Ignored,
        }
    }
}

/// An object whose changes name the last event that they have seen.
trait Versioned: Clone {
    fn version(&mut self) -> &mut EventId;
    fn deleted(&self) -> bool;
}

impl Versioned for Source {
    fn version(&mut self) -> &mut EventId {
        &mut self.version
    }
    fn deleted(&self) -> bool {
        self.deleted
    }
}

impl Versioned for Subscription {
    fn version(&mut self) -> &mut EventId {
        &mut self.version
    }
    fn deleted(&self) -> bool {
        self.deleted
    }
}

fn insert<K: Ord, V>(all: &mut BTreeMap<K, Arc<V>>, key: K, make: impl FnOnce() -> V) -> Folded {
    if all.contains_key(&key) {
        return Folded::Ignored;
    }
    all.insert(key, Arc::new(make()));
    Folded::Applied
}

fn change<K: Ord, V: Versioned>(
    all: &mut BTreeMap<K, Arc<V>>,
    key: K,
    expected: EventId,
    id: EventId,
    with: impl FnOnce(&mut V),
) -> Folded {
    let Some(object) = all.get_mut(&key).filter(|object| !object.deleted()) else {
        return Folded::Ignored;
    };
    let object = Arc::make_mut(object);
    if *object.version() != expected {
        return Folded::Conflict;
    }
    with(object);
    *object.version() = id;
    Folded::Applied
}

fn rotate(secrets: &mut Vec<Secret>, new: &SealedSecret, at: Timestamp, until: Timestamp) {
    for old in secrets.iter_mut() {
        old.valid_until = Some(old.valid_until.map_or(until, |earlier| earlier.min(until)));
    }
    secrets.insert(0, Secret::new(new, at));
}

const fn changes_configuration(event: &Event) -> bool {
    !matches!(
        event,
        Event::LogCreated(_)
            | Event::Filler(_)
            | Event::FormatRaised(_)
            | Event::DeliveriesPaused(_)
            | Event::DeliveriesResumed(_)
            | Event::CancelRequested(_)
            | Event::RedriveRequested(_)
            | Event::ErasureRequested(_)
            | Event::BookmarkCreated(_)
            | Event::BookmarkDeleted(_)
            | Event::ReplayRequested(_)
            | Event::ReplayPaused(_)
            | Event::ReplayResumed(_)
            | Event::ReplayCancelled(_)
    )
}

#[cfg(test)]
mod tests;
