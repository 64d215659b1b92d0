//! The subscribers of a kill run: they take everything, fail at first, take their time, or always
//! fail.

use super::operator::secret;
use crate::chance::Chance;
use crate::server::NewSubscription;
use crate::subscribe::{Behaviour, Mode, Receipts, Subscriber};
use anyhow::{Context as _, Result};
use hyper::StatusCode;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

/// What a subscription is like.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Kind {
    /// What its name starts with.
    pub(crate) name: &'static str,
    events: &'static [&'static str],
    attempts_max: u32,
    behaviour: Behaviour,
}

const WELL: Behaviour = Behaviour {
    fail_first: 0,
    always: None,
    delay: Duration::ZERO,
    echo: true,
};

/// Every run has one of each. Answers quote the body, so that an erasure has excerpts to erase.
pub(crate) const KINDS: [Kind; 5] = [
    Kind {
        name: "healthy",
        events: &[],
        attempts_max: 5,
        behaviour: WELL,
    },
    Kind {
        name: "fails-first",
        events: &["push", "status", "issues"],
        attempts_max: 5,
        behaviour: Behaviour {
            fail_first: 2,
            ..WELL
        },
    },
    // It is dead after three attempts, and a redrive delivers.
    Kind {
        name: "needs-redrive",
        events: &["issue_comment", "release"],
        attempts_max: 3,
        behaviour: Behaviour {
            fail_first: 4,
            ..WELL
        },
    },
    Kind {
        name: "slow",
        events: &["check_suite", "deployment"],
        attempts_max: 5,
        behaviour: Behaviour {
            delay: Duration::from_millis(150),
            ..WELL
        },
    },
    Kind {
        name: "always-fails",
        events: &["create", "delete"],
        attempts_max: 5,
        behaviour: Behaviour {
            always: Some(StatusCode::INTERNAL_SERVER_ERROR),
            ..WELL
        },
    },
];

/// Subscribers in this process, which no kill reaches.
pub(crate) struct Receiving {
    receipts: Receipts,
    subscribers: BTreeMap<String, Arc<Subscriber>>,
    tasks: Vec<JoinHandle<Result<()>>>,
}

impl Receiving {
    /// None yet; receipts go to `receipts.ndjson` in the folder.
    pub(crate) fn new(folder: &Path) -> Result<Self> {
        Ok(Self {
            receipts: Receipts::create(&folder.join("receipts.ndjson"))?,
            subscribers: BTreeMap::new(),
            tasks: Vec::new(),
        })
    }

    /// Starts a subscriber of each kind, and tells the subscriptions to create for them. The seed
    /// decides their secrets.
    pub(crate) async fn add_each(&mut self, seed: u64) -> Result<Vec<Value>> {
        let mut all = Vec::new();
        for (number, kind) in (0..).zip(&KINDS) {
            let secret = secret(&mut Chance::at(!seed, number));
            all.push(self.add(kind.name, kind, &secret, None).await?);
        }
        Ok(all)
    }

    /// Starts a subscriber, and tells the subscription to create for it.
    pub(crate) async fn add(
        &mut self,
        name: &str,
        kind: &Kind,
        secret: &str,
        reason: Option<&str>,
    ) -> Result<Value> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let new = NewSubscription {
            name,
            to: format!("http://{}/{name}", listener.local_addr()?),
            events: kind.events,
            sign: "standard",
            policy: json!({
                "attempts_max": kind.attempts_max, "delay_first_ms": 100, "delay_max_ms": 1_000,
            }),
            secret: Some(secret),
            reason,
        };
        let subscriber = Subscriber::new(Mode::Standard, Some(secret.as_bytes()), kind.behaviour)?;
        let subscriber = Arc::new(subscriber.recording(&self.receipts));
        self.tasks
            .push(tokio::spawn(subscriber.clone().serve(listener)));
        self.subscribers.insert(name.to_owned(), subscriber);
        Ok(new.body())
    }

    /// From now on the subscriber takes this secret as well.
    pub(crate) fn also(&self, name: &str, secret: &str) -> Result<()> {
        let subscriber = self.subscribers.get(name);
        let subscriber = subscriber.with_context(|| format!("no subscriber is named {name}"))?;
        subscriber.also(secret.as_bytes())
    }

    /// What all of them took up to now.
    pub(crate) fn taken(&self) -> u64 {
        let subscribers = self.subscribers.values();
        subscribers.map(|one| one.counts().taken).sum()
    }

    /// Stops them; every receipt is in the file then.
    pub(crate) fn finish(self) -> Result<()> {
        self.tasks.iter().for_each(JoinHandle::abort);
        self.receipts.flush()
    }
}
