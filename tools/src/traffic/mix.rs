//! Which events, and how large: shares and quantiles of a study of an enterprise's traffic.

/// One kind of event.
#[derive(Debug)]
pub(crate) struct Kind {
    /// `X-GitHub-Event`.
    pub(crate) event: &'static str,
    /// Its share, in hundredths of a percent.
    weight: u32,
    /// The field that holds what the event is about; empty for a push.
    pub(crate) subject: &'static str,
    /// Values of `action`; empty if the event has none.
    pub(crate) actions: &'static [&'static str],
}

const fn kind(
    event: &'static str,
    weight: u32,
    subject: &'static str,
    actions: &'static [&'static str],
) -> Kind {
    Kind {
        event,
        weight,
        subject,
        actions,
    }
}

/// The mix. The weights need not sum to anything.
const KINDS: &[Kind] = &[
    kind("check_run", 2400, "check_run", &["created", "completed"]),
    kind(
        "workflow_job",
        2200,
        "workflow_job",
        &["queued", "in_progress", "completed"],
    ),
    kind("status", 1000, "commit", &[]),
    kind("push", 950, "", &[]),
    kind(
        "workflow_run",
        700,
        "workflow_run",
        &["requested", "completed"],
    ),
    kind(
        "pull_request",
        650,
        "pull_request",
        &["opened", "synchronize", "closed", "labeled"],
    ),
    kind("check_suite", 600, "check_suite", &["completed"]),
    kind("issue_comment", 300, "comment", &["created", "edited"]),
    kind("pull_request_review", 200, "review", &["submitted"]),
    kind("create", 190, "description", &[]),
    kind("delete", 170, "description", &[]),
    kind("pull_request_review_comment", 140, "comment", &["created"]),
    kind("issues", 120, "issue", &["opened", "closed", "labeled"]),
    kind("deployment_status", 90, "deployment_status", &["created"]),
    kind("deployment", 50, "deployment", &["created"]),
    kind("fork", 30, "forkee", &[]),
    kind("watch", 30, "starred", &["started"]),
    kind("release", 25, "release", &["published", "created"]),
    kind("label", 20, "label", &["created", "edited"]),
    kind("member", 20, "member", &["added", "removed"]),
    kind("commit_comment", 15, "comment", &["created"]),
    kind("milestone", 10, "milestone", &["created", "closed"]),
    kind("gollum", 10, "pages", &[]),
    kind("repository", 10, "changes", &["created", "edited"]),
    kind("dependabot_alert", 10, "alert", &["created", "fixed"]),
    kind("code_scanning_alert", 10, "alert", &["created", "fixed"]),
    kind("secret_scanning_alert", 5, "alert", &["created"]),
    kind("merge_group", 20, "merge_group", &["checks_requested"]),
    kind("branch_protection_rule", 2, "rule", &["created"]),
    kind("discussion", 5, "discussion", &["created"]),
    kind("package", 5, "package", &["published"]),
    kind("star", 10, "starred", &["created", "deleted"]),
    kind("public", 1, "changes", &[]),
];

/// The kind that `fraction` (0 to 1) falls on.
pub(crate) fn draw(fraction: f64) -> &'static Kind {
    let total: u32 = KINDS.iter().map(|kind| kind.weight).sum();
    let mut left = (fraction * f64::from(total)) as u32;
    for kind in KINDS {
        match left.checked_sub(kind.weight) {
            Some(rest) => left = rest,
            None => return kind,
        }
    }
    &KINDS[0]
}

/// The kind of this name.
pub(crate) fn named(event: &str) -> Option<&'static Kind> {
    KINDS.iter().find(|kind| kind.event == event)
}

/// Sizes of bodies: fraction of webhooks, and the bytes that this fraction stays below.
const QUANTILES: &[(f64, f64)] = &[
    (0.0, 1_500.0),
    (0.1, 6_704.0),
    (0.5, 10_245.0),
    (0.9, 21_515.0),
    (0.99, 27_176.0),
    (0.999, 42_278.0),
    (0.9999, 201_776.0),
    (1.0, 653_000.0),
];

/// The size of the body at this quantile, by straight lines between the known ones.
pub(crate) fn body_bytes(fraction: f64) -> usize {
    let above = QUANTILES.partition_point(|(share, _)| *share <= fraction);
    let above = above.clamp(1, QUANTILES.len() - 1);
    let ((from, low), (to, high)) = (QUANTILES[above - 1], QUANTILES[above]);
    (low + (high - low) * (fraction - from) / (to - from)) as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_fraction_falls_on_a_kind_and_a_size() {
        assert_eq!(draw(0.0).event, "check_run");
        assert_eq!(draw(0.999_999).event, "public");
        assert_eq!(body_bytes(0.5), 10_245);
        assert!(body_bytes(0.999_999_9) <= 653_000);
    }
}
