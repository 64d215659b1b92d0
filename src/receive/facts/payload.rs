//! The parts of GitHub's bodies that matter; the rest is skipped without being built.

use super::moment::Moment;
use super::text::Text;
use hooklog_schemas::Timestamp;
use serde::Deserialize;

/// A body. A key that is there twice is an error, since two readers could choose differently.
#[derive(Deserialize)]
pub(super) struct Payload<'a> {
    #[serde(borrow, default)]
    pub(super) action: Text<'a>,
    #[serde(borrow, default, rename = "ref")]
    reference: Text<'a>,
    #[serde(borrow, default)]
    ref_type: Text<'a>,
    #[serde(borrow)]
    pub(super) repository: Option<Repository<'a>>,
    #[serde(borrow)]
    pub(super) organization: Option<Account<'a>>,
    #[serde(borrow)]
    pub(super) sender: Option<Account<'a>>,
    #[serde(borrow)]
    pull_request: Option<PullRequest<'a>>,
    #[serde(borrow)]
    check_run: Option<Run<'a>>,
    #[serde(borrow)]
    check_suite: Option<Run<'a>>,
    #[serde(borrow)]
    workflow_run: Option<Run<'a>>,
    #[serde(borrow)]
    workflow_job: Option<Run<'a>>,
    issue: Option<Numbered>,
    #[serde(default)]
    comment: Moment,
    #[serde(default)]
    review: Moment,
    #[serde(default)]
    discussion: Moment,
    #[serde(default)]
    deployment: Moment,
    #[serde(default)]
    deployment_status: Moment,
    #[serde(default)]
    release: Moment,
    #[serde(default)]
    alert: Moment,
    #[serde(default)]
    updated_at: Moment,
    #[serde(borrow)]
    branches: Option<Vec<Branch<'a>>>,
}

#[derive(Deserialize)]
pub(super) struct Repository<'a> {
    pub(super) id: Option<i64>,
    #[serde(borrow, default)]
    pub(super) full_name: Text<'a>,
    #[serde(borrow, default)]
    url: Text<'a>,
    #[serde(default)]
    pushed_at: Moment,
    #[serde(borrow)]
    owner: Option<Account<'a>>,
}

/// A user, an organisation, or a bot.
#[derive(Clone, Deserialize)]
pub(super) struct Account<'a> {
    pub(super) id: Option<i64>,
    #[serde(borrow, default)]
    pub(super) login: Text<'a>,
    #[serde(borrow, default, rename = "type")]
    kind: Text<'a>,
}

#[derive(Deserialize)]
struct PullRequest<'a> {
    number: Option<i64>,
    #[serde(default)]
    updated_at: Moment,
    #[serde(borrow)]
    base: Option<Base<'a>>,
}

#[derive(Deserialize)]
struct Base<'a> {
    #[serde(borrow, default, rename = "ref")]
    reference: Text<'a>,
}

/// A check run, a check suite, a workflow's run, or a job of one.
#[derive(Deserialize)]
struct Run<'a> {
    id: Option<i64>,
    #[serde(default)]
    updated_at: Moment,
    #[serde(default)]
    completed_at: Moment,
    #[serde(default)]
    started_at: Moment,
    #[serde(borrow, default)]
    head_branch: Text<'a>,
    #[serde(borrow)]
    check_suite: Option<Suite<'a>>,
}

#[derive(Deserialize)]
struct Suite<'a> {
    #[serde(borrow, default)]
    head_branch: Text<'a>,
}

#[derive(Deserialize)]
struct Numbered {
    number: Option<i64>,
    #[serde(default)]
    updated_at: Moment,
}

#[derive(Deserialize)]
struct Branch<'a> {
    #[serde(borrow, default)]
    name: Text<'a>,
}

impl<'a> Payload<'a> {
    /// The repository's URL.
    pub(super) fn repository_url(&self) -> Option<String> {
        let url = self.repository.as_ref()?.url.0.as_deref()?;
        // A push names the repository's page there, all others its API address; both identify it.
        Some(url.to_owned())
    }

    /// The owner of the repository, if that is an organisation.
    pub(super) fn owner_organization(&self) -> Option<Account<'a>> {
        let owner = self.repository.as_ref()?.owner.as_ref()?;
        (owner.kind.0.as_deref() == Some("Organization")).then(|| owner.clone())
    }

    /// The branch or tag that the event is about, in full.
    pub(super) fn git_ref(&self, event: &str) -> Option<String> {
        if let Some(name) = self.reference.0.as_deref() {
            return Some(match (event, self.ref_type.0.as_deref()) {
                ("create" | "delete", Some("tag")) => format!("refs/tags/{name}"),
                ("create" | "delete", _) => format!("refs/heads/{name}"),
                _ => name.to_owned(),
            });
        }
        let run = |run: &Option<Run<'_>>| {
            let run = run.as_ref()?;
            let own = run.head_branch.0.as_deref();
            let suite = || run.check_suite.as_ref()?.head_branch.0.as_deref();
            own.or_else(suite).map(str::to_owned)
        };
        let base = || {
            let base = self.pull_request.as_ref()?.base.as_ref()?;
            base.reference.0.as_deref().map(str::to_owned)
        };
        let only = || match self.branches.as_deref() {
            Some([branch]) => branch.name.0.as_deref().map(str::to_owned),
            _ => None,
        };
        let branch = base()
            .or_else(|| run(&self.check_run))
            .or_else(|| run(&self.check_suite))
            .or_else(|| run(&self.workflow_run))
            .or_else(|| run(&self.workflow_job))
            .or_else(only);
        branch.map(|branch| format!("refs/heads/{branch}"))
    }

    /// When what the event is about changed last; of a push, when it was pushed. What is told about
    /// comes before what that belongs to.
    pub(super) fn event_at(&self) -> Option<Timestamp> {
        let run = |run: &Option<Run<'_>>| {
            let run = run.as_ref()?;
            let times = [run.updated_at, run.completed_at, run.started_at];
            times.into_iter().find_map(|moment| moment.0)
        };
        let parts = [
            self.review,
            self.comment,
            self.discussion,
            self.deployment_status,
            self.deployment,
            self.release,
            self.alert,
        ];
        let part = parts.into_iter().find_map(|moment| moment.0);
        let pull = || self.pull_request.as_ref()?.updated_at.0;
        let issue = || self.issue.as_ref()?.updated_at.0;
        let pushed = || {
            self.repository
                .as_ref()
                .filter(|_| self.reference.0.is_some())?
                .pushed_at
                .0
        };
        part.or_else(|| run(&self.workflow_job))
            .or_else(|| run(&self.workflow_run))
            .or_else(|| run(&self.check_run))
            .or_else(|| run(&self.check_suite))
            .or_else(pull)
            .or_else(issue)
            .or(self.updated_at.0)
            .or_else(pushed)
    }

    /// What the event is about, as the CloudEvents adapter for GitHub says it.
    pub(super) fn subject(&self, event: &str) -> Option<String> {
        let id = |run: &Option<Run<'_>>| run.as_ref().and_then(|run| run.id);
        let number = match event {
            "push" | "create" | "delete" => return self.reference.0.as_deref().map(str::to_owned),
            "check_run" => id(&self.check_run),
            "check_suite" => id(&self.check_suite),
            "workflow_run" => id(&self.workflow_run),
            "workflow_job" => id(&self.workflow_job),
            _ => {
                let pull = self.pull_request.as_ref().and_then(|pull| pull.number);
                pull.or_else(|| self.issue.as_ref().and_then(|issue| issue.number))
            }
        };
        number.map(|number| number.to_string())
    }
}
