//! What routing looks at, out of a body of any shape. It never fails: what is not the JSON object
//! that GitHub sends is `unparsed`, and is kept all the same.

mod moment;
mod payload;
mod text;

use hooklog_schemas::webhook::Facts;
use payload::Payload;

/// What the headers and the source say about a webhook.
#[derive(Clone, Debug, Default)]
pub struct Claim {
    /// `X-GitHub-Delivery`.
    pub guid: String,
    /// `X-GitHub-Event`.
    pub event: String,
    /// `X-GitHub-Hook-ID`.
    pub hook_id: Option<String>,
    /// The source's host.
    pub host: String,
    /// Bytes of the body, as sent.
    pub body_bytes: u64,
    /// The body is a form.
    pub form: bool,
}

/// What a body says.
#[derive(Clone, Debug, Default)]
pub struct Extracted {
    /// What routing looks at.
    pub facts: Facts,
    /// The repository's owner, if that is an organisation: it may differ from the body's own.
    pub owner_organization_id: Option<i64>,
    /// What the CloudEvents attributes say.
    pub about: About,
}

/// The two CloudEvents attributes that come from the body.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct About {
    /// `ce_source`: the repository's URL, if there is one.
    pub source: Option<String>,
    /// `ce_subject`: the ref, or the number or id of what the event is about.
    pub subject: Option<String>,
}

/// Extracts the facts from `payload`, which is the body, or what a form wraps; none if the form
/// wraps nothing.
///
/// `git_ref` is `ref` of a push and of what else has one; of `create` and `delete` the bare name
/// becomes `refs/heads/…` or `refs/tags/…` by `ref_type`. Of pull requests it is the base branch,
/// of checks and workflows the head branch, of a `status` the only branch that contains the commit,
/// always as `refs/heads/…`.
///
/// `event_at` is when the comment, review, alert, run, pull request or issue that the event is about
/// changed last; of a push, when it was pushed.
#[must_use]
pub fn extract(claim: Claim, payload: Option<&[u8]>) -> Extracted {
    let parsed: Option<Payload<'_>> =
        payload.and_then(|payload| serde_json::from_slice(payload).ok());
    let mut facts = Facts {
        guid: claim.guid,
        event: claim.event,
        host: claim.host,
        hook_id: claim.hook_id,
        body_bytes: claim.body_bytes,
        form: claim.form,
        unparsed: parsed.is_none(),
        ..Facts::default()
    };
    let Some(payload) = parsed else {
        return Extracted {
            facts,
            ..Extracted::default()
        };
    };
    let about = About {
        source: payload.repository_url(),
        subject: payload.subject(&facts.event),
    };
    facts.git_ref = payload.git_ref(&facts.event);
    facts.event_at = payload.event_at();
    let owner = payload.owner_organization();
    let owner_organization_id = owner.as_ref().and_then(|owner| owner.id);
    let organization = payload.organization.or(owner);
    facts.action = payload.action.0.map(Into::into);
    facts.organization_id = organization.as_ref().and_then(|account| account.id);
    facts.organization = organization
        .and_then(|account| account.login.0)
        .map(Into::into);
    facts.sender_id = payload.sender.as_ref().and_then(|account| account.id);
    facts.sender = payload
        .sender
        .and_then(|account| account.login.0)
        .map(Into::into);
    if let Some(repository) = payload.repository {
        facts.repository_id = repository.id;
        facts.repository = repository.full_name.0.map(Into::into);
    }
    Extracted {
        facts,
        owner_organization_id,
        about,
    }
}

#[cfg(test)]
mod tests;
