//! The parts of GitHub's bodies that matter; the rest is skipped without being built.

use super::text::Text;
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
