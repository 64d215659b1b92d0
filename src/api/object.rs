//! What sources and subscriptions have in common: found by name, listed, paused and resumed.

use super::Api;
use super::auth::Caller;
use super::change::Given;
use super::check;
use super::extract::Name;
use super::paging::PageQuery;
use super::problem::Problem;
use crate::query::Paged;
use hooklog_projections::configuration::{Configuration, Source, Subscription};
use hooklog_schemas::control::By;
use hooklog_schemas::{Event, EventId, SourceId, SubscriptionId, Timestamp};
use serde::Serialize;
use std::fmt::Display;
use std::sync::Arc;

/// An object of the configuration that has a name, versions, and can be paused.
pub(super) trait Object: Sized + 'static {
    /// What it is called in messages.
    const KIND: &'static str;
    /// Its id.
    type Id: Copy + PartialEq + Display;
    /// How it is shown.
    type View: Serialize;

    /// All of them, deleted ones too.
    fn all(configuration: &Configuration) -> impl Iterator<Item = &Arc<Self>>;
    /// Its id.
    fn id(&self) -> Self::Id;
    /// Its name.
    fn name(&self) -> &str;
    /// The last event that changed it.
    fn version(&self) -> EventId;
    /// It is paused.
    fn paused(&self) -> bool;
    /// It was deleted.
    fn deleted(&self) -> bool;
    /// When it was created.
    fn created_at(&self) -> Timestamp;
    /// How it is shown after a request that changed it, or did not.
    fn view(&self, changed: Option<bool>) -> Self::View;
}

macro_rules! object {
    ($object:ty, $kind:literal, $id:ty, $all:ident, $view:ty) => {
        impl $crate::api::object::Object for $object {
            const KIND: &'static str = $kind;
            type Id = $id;
            type View = $view;

            fn all(configuration: &Configuration) -> impl Iterator<Item = &Arc<Self>> {
                configuration.$all.values()
            }
            fn id(&self) -> $id {
                self.id
            }
            fn name(&self) -> &str {
                &self.spec.name
            }
            fn version(&self) -> EventId {
                self.version
            }
            fn paused(&self) -> bool {
                self.paused
            }
            fn deleted(&self) -> bool {
                self.deleted
            }
            fn created_at(&self) -> Timestamp {
                self.created_at
            }
            fn view(&self, changed: Option<bool>) -> $view {
                let mut view = <$view>::from(self);
                view.changed = changed;
                view
            }
        }
    };
}

object!(
    Source,
    "source",
    SourceId,
    sources,
    super::sources::SourceView
);
object!(
    Subscription,
    "subscription",
    SubscriptionId,
    subscriptions,
    super::subscriptions::SubscriptionView
);

/// An object as a request found it, and what the request's event will say.
pub(super) struct Found<O: Object> {
    pub(super) object: Arc<O>,
    /// The version that the change is based on.
    pub(super) expected: EventId,
    /// By whom.
    pub(super) by: By,
}

/// The one with this name or id, unless it was deleted.
pub(super) fn find<O: Object>(api: &Api, name: &str) -> Result<Arc<O>, Problem> {
    find_in(&api.parts.control.current(), name)
}

/// Likewise, in a configuration that may be one of the past.
pub(super) fn find_in<O: Object>(
    configuration: &Configuration,
    name: &str,
) -> Result<Arc<O>, Problem> {
    let live = || O::all(configuration).filter(|one| !one.deleted());
    let named = live().find(|one| one.name() == name);
    let found = named.or_else(|| live().find(|one| one.id().to_string() == name));
    let missing = || Problem::not_found(format!("there is no {} {name:?}", O::KIND));
    found.cloned().ok_or_else(missing)
}

/// Likewise; a deleted one too, by its id, or by its name where no other has it now.
pub(super) fn find_any<O: Object>(api: &Api, name: &str) -> Result<Arc<O>, Problem> {
    find_any_in(&api.parts.control.current(), name)
}

/// Likewise, in a configuration that may be one of the past.
pub(super) fn find_any_in<O: Object>(
    configuration: &Configuration,
    name: &str,
) -> Result<Arc<O>, Problem> {
    find_in(configuration, name).or_else(|missing| {
        O::all(configuration)
            .filter(|one| one.name() == name || one.id().to_string() == name)
            .max_by_key(|one| one.created_at())
            .cloned()
            .ok_or(missing)
    })
}

/// Those that are not deleted, by name.
pub(super) async fn list<O: Object>(
    api: &Api,
    query: &PageQuery,
) -> Result<axum::Json<Paged<O::View>>, Problem> {
    let view = api.view(query.as_of.as_deref()).await?;
    let configuration = view.configuration().await?;
    let mut live: Vec<_> = O::all(&configuration)
        .filter(|one| !one.deleted())
        .collect();
    live.sort_by(|a, b| a.name().cmp(b.name()));
    let page = query.cut(live.into_iter(), |one| one.name().to_owned())?;
    Ok(axum::Json(Paged {
        items: page.items.into_iter().map(|one| one.view(None)).collect(),
        next: page.next,
    }))
}

/// The object and the version that a change of it is based on: the present one unless one is given.
pub(super) fn prepare<O: Object>(
    api: &Api,
    caller: &Caller,
    name: &Name,
    given: Given,
) -> Result<Found<O>, Problem> {
    let object = find::<O>(api, &name.0)?;
    let by = caller.by(api, check::reason(given.reason)?);
    let expected = given.expected.unwrap_or_else(|| object.version());
    Ok(Found {
        object,
        expected,
        by,
    })
}

/// Pauses it, or resumes it. One that is so already stays as it is, and nothing is appended.
pub(super) async fn switch<O: Object>(
    api: &Api,
    found: Found<O>,
    paused: bool,
    event: impl FnOnce(O::Id, EventId, By) -> Event,
) -> Result<axum::Json<O::View>, Problem> {
    let Found {
        object,
        expected,
        by,
    } = found;
    if object.paused() == paused && expected == object.version() {
        return Ok(axum::Json(object.view(Some(false))));
    }
    api.submit(event(object.id(), expected, by)).await?;
    let configuration = api.parts.control.current();
    let now = O::all(&configuration).find(|one| one.id() == object.id());
    Ok(axum::Json(now.unwrap_or(&object).view(Some(true))))
}
