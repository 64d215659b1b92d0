//! The cost of routing one webhook that a handful of subscriptions want, by how many there are.
//!
//! It must stay flat: with 10,000 subscriptions at most three times the cost with 10.

use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use hooklog::route::Index;
use hooklog_projections::configuration::{Configuration, Subscription};
use hooklog_schemas::control::{ConfigurationVersion, Filter, Policy, Signing, SubscriptionSpec};
use hooklog_schemas::webhook::{Facts, Received};
use hooklog_schemas::{EventId, Offset, ReceiptId, SecretId, SourceId, SubscriptionId, Timestamp};
use std::hint::black_box;
use std::sync::Arc;
use uuid::Uuid;

/// What teams ask for: one repository, an organisation, an event, a glob, a branch, a sender.
fn filter(number: usize) -> Filter {
    let texts = |text: String| vec![text];
    let organization = number / 10;
    match number % 10 {
        0 => Filter {
            repositories: texts(format!("org-{organization}/*")),
            events: texts("push".to_owned()),
            ..Filter::default()
        },
        1 => Filter {
            organizations: texts(format!("org-{organization}")),
            events: texts("pull_request.opened".to_owned()),
            ..Filter::default()
        },
        2 => Filter {
            senders: texts(format!("bot-{number}[bot]")),
            ..Filter::default()
        },
        3 => Filter {
            repositories: texts(format!("org-{organization}/svc-*-api")),
            branches: texts("release/*".to_owned()),
            ..Filter::default()
        },
        _ => Filter {
            repositories: texts(format!("org-{organization}/repo-{number}")),
            branches: texts("main".to_owned()),
            ..Filter::default()
        },
    }
}

fn configuration(count: usize) -> Configuration {
    let mut configuration = Configuration::default();
    for number in 0..count {
        let id = SubscriptionId(Uuid::from_u128(number as u128 + 1));
        let subscription = Subscription {
            id,
            version: EventId(Uuid::nil()),
            spec: SubscriptionSpec {
                name: format!("subscription-{number}"),
                team: "default".to_owned(),
                filter: filter(number),
                to: "https://example.com/hook".to_owned(),
                sign: Signing::Standard,
                policy: Policy::default(),
            },
            secrets: Vec::new(),
            paused: false,
            deleted: false,
            created_at: Timestamp(0),
        };
        configuration
            .subscriptions
            .insert(id, Arc::new(subscription));
    }
    configuration
}

fn webhook() -> Received {
    Received {
        receipt: ReceiptId(Uuid::from_u128(1)),
        received_at: Timestamp(0),
        source: SourceId(Uuid::from_u128(2)),
        source_name: "main".to_owned(),
        secret: SecretId(Uuid::from_u128(3)),
        configuration: ConfigurationVersion {
            offset: Offset(0),
            event: EventId(Uuid::nil()),
        },
        client: "127.0.0.1".to_owned(),
        facts: Facts {
            guid: "72d3162e-cc78-11e3-81ab-4c9367dc0958".to_owned(),
            event: "push".to_owned(),
            host: "github.com".to_owned(),
            git_ref: Some("refs/heads/main".to_owned()),
            repository: Some("Org-0/repo-4".to_owned()),
            organization: Some("Org-0".to_owned()),
            sender: Some("octocat".to_owned()),
            ..Facts::default()
        },
    }
}

fn route(criterion: &mut Criterion) {
    let webhook = webhook();
    let mut group = criterion.benchmark_group("route");
    for count in [10, 1_000, 10_000] {
        let index = Index::new(&configuration(count));
        assert_eq!(index.matches(&webhook).len(), 2);
        group.bench_with_input(
            BenchmarkId::from_parameter(count),
            &index,
            |bencher, index| {
                bencher.iter(|| index.matches(black_box(&webhook)).len());
            },
        );
    }
    group.finish();
}

criterion_group!(benches, route);
criterion_main!(benches);
