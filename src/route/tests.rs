use super::{FilterError, Index, explain, validate};
use hooklog_projections::configuration::{Configuration, Subscription};
use hooklog_schemas::control::{ConfigurationVersion, Filter, SubscriptionSpec};
use hooklog_schemas::webhook::{Facts, Received};
use hooklog_schemas::{EventId, Offset, ReceiptId, SecretId, SourceId, SubscriptionId, Timestamp};
use proptest::prelude::*;
use std::sync::Arc;
use uuid::Uuid;

fn received(facts: Facts) -> Received {
    Received {
        receipt: ReceiptId(Uuid::from_u128(1)),
        received_at: Timestamp(1),
        source: SourceId(Uuid::from_u128(2)),
        source_name: "main".into(),
        secret: SecretId(Uuid::from_u128(3)),
        configuration: ConfigurationVersion {
            offset: Offset(0),
            event: EventId(Uuid::nil()),
        },
        client: "127.0.0.1".into(),
        facts,
    }
}

fn push(repository: &str, git_ref: &str) -> Received {
    received(Facts {
        event: "push".into(),
        host: "github.com".into(),
        git_ref: Some(git_ref.into()),
        repository: Some(repository.into()),
        organization: repository.split_once('/').map(|(owner, _)| owner.into()),
        sender: Some("Octocat".into()),
        ..Facts::default()
    })
}

fn subscription(number: u128, filter: Filter) -> Arc<Subscription> {
    Arc::new(Subscription {
        id: SubscriptionId(Uuid::from_u128(number)),
        version: EventId(Uuid::nil()),
        spec: SubscriptionSpec {
            name: format!("s{number}"),
            team: "default".into(),
            filter,
            to: "https://example.com".into(),
            sign: Default::default(),
            policy: Default::default(),
        },
        secrets: Vec::new(),
        paused: false,
        deleted: false,
        created_at: Timestamp(0),
    })
}

fn configuration(filters: Vec<Filter>) -> Configuration {
    let mut configuration = Configuration::default();
    for (number, filter) in (1..).zip(filters) {
        let subscription = subscription(number, filter);
        configuration
            .subscriptions
            .insert(subscription.id, subscription);
    }
    configuration
}

fn names(index: &Index, received: &Received) -> Vec<String> {
    let matches = index.matches(received);
    matches.iter().map(|s| s.spec.name.clone()).collect()
}

fn strings(values: &[&str]) -> Vec<String> {
    values.iter().map(|&value| value.to_owned()).collect()
}

fn repositories(values: &[&str]) -> Filter {
    Filter {
        repositories: strings(values),
        ..Filter::default()
    }
}

#[test]
fn an_empty_filter_wants_everything() {
    let index = Index::new(&configuration(vec![Filter::default()]));
    assert_eq!(names(&index, &received(Facts::default())), ["s1"]);
}

#[test]
fn names_of_github_are_compared_without_case() {
    let index = Index::new(&configuration(vec![
        repositories(&["ACME/*"]),
        repositories(&["acme/WEB"]),
        repositories(&["*/web"]),
        repositories(&["acme/w?b"]),
        repositories(&["other/*"]),
    ]));
    let webhook = push("Acme/Web", "refs/heads/main");
    assert_eq!(names(&index, &webhook), ["s1", "s2", "s3", "s4"]);
}

#[test]
fn an_event_with_an_action_wants_that_action_alone() {
    let events = |values| Filter {
        events: strings(values),
        ..Filter::default()
    };
    let index = Index::new(&configuration(vec![
        events(&["pull_request"]),
        events(&["pull_request.opened", "push"]),
        events(&["pull_request.closed"]),
        events(&["*"]),
    ]));
    let webhook = received(Facts {
        event: "pull_request".into(),
        action: Some("opened".into()),
        ..Facts::default()
    });
    assert_eq!(names(&index, &webhook), ["s1", "s2", "s4"]);
}

#[test]
fn a_star_in_a_branch_stops_at_a_slash_and_a_tag_is_no_branch() {
    let branches = |value| Filter {
        branches: strings(&[value]),
        ..Filter::default()
    };
    let filters = vec![
        branches("release/*"),
        branches("release/**"),
        branches("Release/1"),
    ];
    let index = Index::new(&configuration(filters));
    assert_eq!(
        names(&index, &push("a/b", "refs/heads/release/1")),
        ["s1", "s2"]
    );
    assert_eq!(
        names(&index, &push("a/b", "refs/heads/release/1/x")),
        ["s2"]
    );
    assert!(names(&index, &push("a/b", "refs/tags/release/1")).is_empty());
}

#[test]
fn a_paused_subscription_matches_and_a_deleted_one_does_not() {
    let mut configuration = configuration(vec![Filter::default(), Filter::default()]);
    let mut all = configuration.subscriptions.values_mut();
    Arc::make_mut(all.next().unwrap()).paused = true;
    Arc::make_mut(all.next().unwrap()).deleted = true;
    let index = Index::new(&configuration);
    assert_eq!(names(&index, &push("a/b", "refs/heads/x")), ["s1"]);
}

#[test]
fn an_explanation_names_the_clause_that_decided() {
    let filter = Filter {
        events: strings(&["push"]),
        repositories: strings(&["acme/api"]),
        ..Filter::default()
    };
    let explained = explain(
        &subscription(1, filter),
        &push("acme/web", "refs/heads/main"),
    );
    assert!(!explained.matched);
    let holds: Vec<_> = explained
        .clauses
        .iter()
        .map(|c| (c.clause, c.holds))
        .collect();
    assert_eq!(holds, [("events", true), ("repositories", false)]);
    assert_eq!(explained.clauses[1].found.as_deref(), Some("acme/web"));
}

#[test]
fn a_bad_filter_is_refused_with_the_value_and_the_reason() {
    let bad_glob = validate(&repositories(&["acme/[a"])).unwrap_err();
    assert!(
        matches!(
            &bad_glob,
            FilterError::Glob {
                clause: "repositories",
                ..
            }
        ),
        "{bad_glob}"
    );
    let events = Filter {
        events: strings(&["Pull Request"]),
        ..Filter::default()
    };
    assert!(
        validate(&events)
            .unwrap_err()
            .to_string()
            .contains("\"Pull Request\"")
    );
    let empty = repositories(&[""]);
    assert!(matches!(validate(&empty), Err(FilterError::Length { .. })));
    let many = Filter {
        senders: vec!["a".into(); 1_001],
        ..Filter::default()
    };
    assert!(matches!(
        validate(&many),
        Err(FilterError::TooMany { count: 1_001, .. })
    ));
    assert_eq!(
        validate(&repositories(&["acme/*", "*/docs", "{a,b}/c"])),
        Ok(())
    );
}

fn some_of(values: &'static [&'static str]) -> impl Strategy<Value = Vec<String>> {
    proptest::collection::vec(proptest::sample::select(values), 0..3)
        .prop_map(|picked| strings(&picked))
}

fn filter() -> impl Strategy<Value = Filter> {
    (
        some_of(&[
            "push",
            "pull_request",
            "pull_request.opened",
            "*",
            "issues.opened",
        ]),
        some_of(&["main", "other"]),
        some_of(&["github.com", "GHE.acme.io"]),
        some_of(&["acme", "a*", "Globex"]),
        some_of(&[
            "acme/*",
            "acme/web",
            "*/web",
            "a*/w?b",
            "globex/{web,api}",
            "**",
        ]),
        some_of(&["main", "release/*", "**"]),
        some_of(&["octocat", "*[bot]", "*cat", "Hub*"]),
    )
        .prop_map(
            |(events, sources, hosts, organizations, repositories, branches, senders)| Filter {
                events,
                sources,
                hosts,
                organizations,
                repositories,
                branches,
                senders,
            },
        )
}

fn facts() -> impl Strategy<Value = Facts> {
    let maybe = |values: &'static [&'static str]| {
        proptest::option::of(proptest::sample::select(values))
            .prop_map(|value| value.map(str::to_owned))
    };
    (
        proptest::sample::select(&["push", "pull_request", "issues"][..]),
        maybe(&["opened", "closed"]),
        proptest::sample::select(&["github.com", "ghe.acme.io"][..]),
        maybe(&["Acme", "globex"]),
        maybe(&["acme/web", "ACME/api", "globex/web"]),
        maybe(&[
            "refs/heads/main",
            "refs/heads/release/1",
            "refs/tags/v1",
            "main",
        ]),
        maybe(&["octocat", "hubot"]),
    )
        .prop_map(
            |(event, action, host, organization, repository, git_ref, sender)| Facts {
                event: event.into(),
                action,
                host: host.into(),
                organization,
                repository,
                git_ref,
                sender,
                ..Facts::default()
            },
        )
}

proptest! {
    #[test]
    fn the_index_agrees_with_testing_every_filter(
        filters in proptest::collection::vec(filter(), 1..20),
        facts in facts(),
    ) {
        let configuration = configuration(filters);
        let webhook = received(facts);
        let index = Index::new(&configuration);
        let naive: Vec<String> = configuration
            .subscriptions
            .values()
            .filter(|s| explain(s, &webhook).matched)
            .map(|s| s.spec.name.clone())
            .collect();
        prop_assert_eq!(names(&index, &webhook), naive);
    }
}
