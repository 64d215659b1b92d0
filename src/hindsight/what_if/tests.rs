//! Random histories, told by a model that knows nothing of the matcher: what the proposal would have
//! owed is what the model owes when it plays the history again under the proposal.

use super::*;
use hooklog_schemas::control::ConfigurationVersion;
use hooklog_schemas::deliveries::{Repeats, Summary};
use hooklog_schemas::webhook::Facts;
use hooklog_schemas::{DeliveryId, Offset, ReceiptId, SecretId, SourceId};
use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};

const EVENTS: [&str; 3] = ["push", "issues", "create"];
const REPOSITORIES: [&str; 4] = ["acme/api", "acme/site", "other/api", "other/lib"];

/// What a subscription wants, in the model's own words.
#[derive(Clone, Debug, Default)]
struct Wish {
    events: Vec<usize>,
    /// The owner of the repository.
    owner: Option<&'static str>,
    duplicates: bool,
}

impl Wish {
    fn wants(&self, arrival: &Arrival) -> bool {
        let owner = |owner: &str| REPOSITORIES[arrival.repository].split('/').next() == Some(owner);
        (self.events.is_empty() || self.events.contains(&arrival.event))
            && self.owner.is_none_or(owner)
    }

    fn filter(&self) -> Filter {
        Filter {
            events: self.events.iter().map(|n| EVENTS[*n].to_owned()).collect(),
            repositories: self.owner.iter().map(|o| format!("{o}/*")).collect(),
            ..Filter::default()
        }
    }

    fn draw(rng: &mut StdRng) -> Self {
        let events = (0..EVENTS.len()).filter(|_| rng.random_bool(0.5));
        let events = events.collect();
        let owners = [None, Some("acme"), Some("other")];
        Self {
            events,
            owner: owners[rng.random_range(0..3)],
            duplicates: rng.random_bool(0.2),
        }
    }
}

/// One receipt of an event; some events arrive again.
#[derive(Clone, Debug)]
struct Arrival {
    guid: usize,
    event: usize,
    repository: usize,
    /// What each subscription wanted when it was decided.
    wishes: BTreeMap<&'static str, Wish>,
}

const NAMES: [&str; 4] = ["ci", "audit", "chat", "new"];

fn history(rng: &mut StdRng) -> Vec<Arrival> {
    let mut wishes: BTreeMap<_, _> = NAMES[..3]
        .iter()
        .map(|name| (*name, Wish::draw(rng)))
        .collect();
    let mut arrivals: Vec<Arrival> = Vec::new();
    for number in 0..120 {
        if rng.random_bool(0.1) {
            let name = NAMES[rng.random_range(0..3)];
            match wishes.remove(name) {
                Some(_) if rng.random_bool(0.3) => {}
                _ => _ = wishes.insert(name, Wish::draw(rng)),
            }
        }
        let again = (!arrivals.is_empty() && rng.random_bool(0.25))
            .then(|| arrivals[rng.random_range(0..arrivals.len())].clone());
        let fresh = |rng: &mut StdRng| Arrival {
            guid: number,
            event: rng.random_range(0..EVENTS.len()),
            repository: rng.random_range(0..REPOSITORIES.len()),
            wishes: BTreeMap::new(),
        };
        let mut arrival = again.unwrap_or_else(|| fresh(rng));
        arrival.wishes.clone_from(&wishes);
        arrivals.push(arrival);
    }
    arrivals
}

/// Plays the history: which receipt owes something to whom, and who has the event already.
fn play(
    arrivals: &[Arrival],
    wishes: impl Fn(usize, &Arrival) -> BTreeMap<&'static str, Wish>,
) -> Vec<BTreeMap<&'static str, MatchOutcome>> {
    let mut has: BTreeSet<(usize, &str)> = BTreeSet::new();
    let mut played = Vec::new();
    for (place, arrival) in arrivals.iter().enumerate() {
        let mut owed = BTreeMap::new();
        for (name, wish) in wishes(place, arrival) {
            if wish.wants(arrival) {
                let new = has.insert((arrival.guid, name)) || wish.duplicates;
                let outcome = if new {
                    MatchOutcome::Owed
                } else {
                    MatchOutcome::AlreadyDelivered
                };
                owed.insert(name, outcome);
            }
        }
        played.push(owed);
    }
    played
}

fn received(arrival: &Arrival) -> Received {
    Received {
        receipt: ReceiptId(Uuid::nil()),
        received_at: Timestamp(0),
        source: SourceId(Uuid::nil()),
        source_name: "github".into(),
        secret: SecretId(Uuid::nil()),
        configuration: version(),
        client: String::new(),
        facts: Facts {
            guid: arrival.guid.to_string(),
            event: EVENTS[arrival.event].into(),
            host: "github.com".into(),
            repository: Some(REPOSITORIES[arrival.repository].into()),
            ..Facts::default()
        },
    }
}

fn version() -> ConfigurationVersion {
    let event = EventId(Uuid::nil());
    ConfigurationVersion {
        offset: Offset(0),
        event,
    }
}

fn routed(
    place: usize,
    first: Option<usize>,
    matches: &BTreeMap<&'static str, MatchOutcome>,
) -> Routed {
    let receipt = |place: usize| ReceiptId(Uuid::from_u128(1 + place as u128));
    let found = |(name, outcome): (&&str, &MatchOutcome)| Match {
        subscription: SubscriptionId(Uuid::nil()),
        name: (*name).to_owned(),
        team: String::new(),
        destination: String::new(),
        set_by: None,
        delivery: DeliveryId(Uuid::nil()),
        outcome: *outcome,
    };
    Routed {
        receipt: receipt(place),
        webhook: Offset(place as u64),
        cause: "live".into(),
        at: Timestamp(0),
        received_at: Timestamp(0),
        source: SourceId(Uuid::nil()),
        source_name: "github".into(),
        summary: Summary::default(),
        configuration: version(),
        matcher: 1,
        matches: matches.iter().map(found).collect(),
        repeats: first.map(|first| Repeats {
            kind: RepeatKind::Redelivery,
            receipt: receipt(first),
        }),
        error: None,
    }
}

/// A proposal: some of the names, with what each would want; none for one that would be deleted.
fn propose(rng: &mut StdRng) -> BTreeMap<&'static str, Option<Wish>> {
    let chosen = NAMES.iter().filter(|_| rng.random_bool(0.6));
    let chosen: Vec<_> = chosen.collect();
    let wish = |name: &&&'static str| {
        let wish = Wish::draw(rng);
        (**name, rng.random_bool(0.85).then_some(wish))
    };
    let chosen: Vec<_> = chosen.iter().map(wish).collect();
    chosen.into_iter().collect()
}

fn compile(proposed: &BTreeMap<&'static str, Option<Wish>>, complete: bool) -> Proposal {
    let one = |(name, wish): (&&str, &Option<Wish>)| Proposed {
        name: (*name).to_owned(),
        filter: wish.as_ref().map(Wish::filter),
        duplicates: wish.as_ref().is_some_and(|wish| wish.duplicates),
    };
    Proposal::new(proposed.iter().map(one).collect(), complete)
}

#[test]
fn what_would_have_been_owed_is_what_a_model_owes_that_plays_the_history_again() {
    for seed in 0..200 {
        let mut rng = StdRng::seed_from_u64(seed);
        let arrivals = history(&mut rng);
        let begin = rng.random_range(0..arrivals.len());
        let proposed = propose(&mut rng);
        let complete = rng.random_bool(0.3);
        let proposal = compile(&proposed, complete);
        let recorded = play(&arrivals, |_, arrival| arrival.wishes.clone());
        let modelled = play(&arrivals, |place, arrival| {
            let mut wishes = arrival.wishes.clone();
            if place < begin {
                return wishes;
            }
            if complete {
                wishes.clear();
            }
            for (name, wish) in &proposed {
                wishes.remove(name);
                wishes.extend(wish.clone().map(|wish| (*name, wish)));
            }
            wishes
        });
        let mut tallies = BTreeMap::new();
        let mut counted: BTreeMap<String, Tally> = BTreeMap::new();
        for place in begin..arrivals.len() {
            let arrival = &arrivals[place];
            let same = |other: &usize| arrivals[*other].guid == arrival.guid;
            let earlier: Vec<_> = (0..place).filter(same).collect();
            let mut served = BTreeSet::new();
            for place in &earlier {
                if *place < begin {
                    served.extend(recorded[*place].keys().map(|name| (*name).to_owned()));
                } else {
                    served.extend(proposal.matches(&received(&arrivals[*place])));
                }
            }
            let decision = routed(place, earlier.first().copied(), &recorded[place]);
            let weighed = proposal.weigh(&received(arrival), &decision, &served, &mut tallies);
            let owed = |played: &BTreeMap<&'static str, MatchOutcome>| {
                let owed = played.iter().filter(|(name, outcome)| {
                    proposal.is_about(name) && **outcome == MatchOutcome::Owed
                });
                owed.map(|(name, _)| (*name).to_owned())
                    .collect::<BTreeSet<_>>()
            };
            let (was, would) = (owed(&recorded[place]), owed(&modelled[place]));
            let expected = Weighed {
                more: would.difference(&was).cloned().collect(),
                fewer: was.difference(&would).cloned().collect(),
            };
            assert_eq!(weighed, expected, "seed {seed}, receipt {place}");
            for name in was.union(&would) {
                let tally = counted.entry(name.clone()).or_default();
                tally.before += u64::from(was.contains(name));
                tally.after += u64::from(would.contains(name));
                tally.more += u64::from(!was.contains(name));
                tally.fewer += u64::from(!would.contains(name));
            }
        }
        assert_eq!(tallies, counted, "seed {seed}");
    }
}

#[test]
fn a_decision_of_other_rules_is_noticed() {
    let wish = Wish {
        events: vec![0],
        ..Wish::default()
    };
    let proposed = [("ci", Some(wish.clone()))].into_iter().collect();
    let proposal = compile(&proposed, false);
    let then = Then(index([("ci".to_owned(), wish.filter())].into_iter()));
    let arrival = Arrival {
        guid: 0,
        event: 0,
        repository: 0,
        wishes: BTreeMap::new(),
    };
    let received = received(&arrival);
    let matched = [("ci", MatchOutcome::Owed)].into_iter().collect();
    assert!(proposal.agrees(&then, &received, &routed(0, None, &matched)));
    let nothing = BTreeMap::new();
    assert!(!proposal.agrees(&then, &received, &routed(0, None, &nothing)));
}
