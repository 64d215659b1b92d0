//! The sources as a receiver needs them: secrets opened, networks parsed, rates counted.

use super::answer::Refusal;
use super::signature::Verifier;
use crate::keyring::{Keyring, KeyringError};
use crate::metrics::{Metrics, SourceLabel};
use arc_swap::ArcSwap;
use governor::clock::{Clock as _, DefaultClock};
use governor::{DefaultDirectRateLimiter, Quota, RateLimiter};
use hooklog_projections::configuration::{Configuration, Secret, Source};
use hooklog_schemas::control::ConfigurationVersion;
use hooklog_schemas::{SecretId, Timestamp};
use ipnet::IpNet;
use prometheus_client::metrics::counter::Counter;
use std::collections::HashMap;
use std::net::IpAddr;
use std::num::NonZeroU32;
use std::sync::{Arc, Mutex, PoisonError};

/// Follows the configuration, and opens each secret once.
pub(super) struct Sources {
    keyring: Arc<Keyring>,
    metrics: Metrics,
    view: ArcSwap<View>,
    /// Held while a new view is made, so that it is made once.
    making: Mutex<()>,
}

/// The sources at one version of the configuration.
#[derive(Default)]
pub(super) struct View {
    pub(super) version: Option<ConfigurationVersion>,
    gates: HashMap<String, Arc<Gate>>,
}

/// What a webhook must pass to come in.
pub(super) struct Gate {
    pub(super) source: Arc<Source>,
    pub(super) received: Counter,
    allow: Vec<IpNet>,
    limiter: Option<Arc<DefaultDirectRateLimiter>>,
    keys: Vec<Key>,
    /// A secret does not open: its signatures cannot be told from wrong ones.
    unopened: bool,
}

/// A secret, opened.
struct Key {
    secret: Secret,
    verifier: Verifier,
}

/// The name in `/webhooks/{name}`, as it was sent: names need no escapes.
pub(super) fn named(path: &str) -> Option<&str> {
    path.strip_prefix("/webhooks/")
}

impl Sources {
    pub(super) fn new(keyring: Arc<Keyring>, metrics: Metrics) -> Self {
        Self {
            keyring,
            metrics,
            view: ArcSwap::default(),
            making: Mutex::default(),
        }
    }

    /// The sources of `configuration`.
    pub(super) fn view(&self, configuration: &Configuration) -> Arc<View> {
        let view = self.view.load_full();
        if view.version == configuration.version {
            return view;
        }
        let _making = self.making.lock().unwrap_or_else(PoisonError::into_inner);
        let old = self.view.load_full();
        if old.version >= configuration.version {
            return old;
        }
        let live = configuration.sources.values().filter(|s| !s.deleted);
        let gates = live.map(|source| {
            let name = source.spec.name.clone();
            let gate = self.gate(source, old.gates.get(&name));
            (name, gate)
        });
        let view = Arc::new(View {
            version: configuration.version,
            gates: gates.collect(),
        });
        self.view.store(Arc::clone(&view));
        view
    }

    fn gate(&self, source: &Arc<Source>, old: Option<&Arc<Gate>>) -> Arc<Gate> {
        let old = old.filter(|gate| gate.source.id == source.id);
        if let Some(gate) = old.filter(|gate| gate.source.version == source.version) {
            return Arc::clone(gate);
        }
        let mut keys = Vec::new();
        let mut unopened = false;
        for secret in &source.secrets {
            let name = &source.spec.name;
            match self.verifier(secret, old) {
                Ok(Some(verifier)) => keys.push(Key {
                    secret: secret.clone(),
                    verifier,
                }),
                Ok(None) => tracing::error!(source = name, "an empty secret verifies nothing"),
                Err(error) => {
                    tracing::error!(source = name, %error, "cannot verify webhooks");
                    unopened = true;
                }
            }
        }
        let label = SourceLabel {
            source: source.spec.name.clone(),
        };
        Arc::new(Gate {
            received: self.metrics.received.get_or_create(&label).clone(),
            allow: networks(source),
            limiter: limiter(source, old),
            source: Arc::clone(source),
            keys,
            unopened,
        })
    }

    /// None for an empty secret.
    fn verifier(
        &self,
        secret: &Secret,
        old: Option<&Arc<Gate>>,
    ) -> Result<Option<Verifier>, KeyringError> {
        let mut known = old.iter().flat_map(|gate| &gate.keys);
        if let Some(key) = known.find(|key| key.secret.id == secret.id) {
            return Ok(Some(key.verifier.clone()));
        }
        let opened = self.keyring.open(secret.id, &secret.sealed)?;
        Ok(Verifier::new(&opened))
    }
}

impl View {
    /// The source with this name, unless it was deleted.
    pub(super) fn gate(&self, name: &str) -> Option<&Arc<Gate>> {
        self.gates.get(name)
    }
}

impl Gate {
    /// Whether a request of `client` may go on to its headers and body.
    pub(super) fn admit(&self, client: Option<IpAddr>) -> Result<(), Refusal> {
        if self.source.paused {
            return Err(Refusal::Paused);
        }
        // A network that does not parse allows nobody, but the list still restricts.
        let inside = |client: IpAddr| self.allow.iter().any(|net| net.contains(&client));
        if !self.source.spec.allow.is_empty() && !client.is_some_and(inside) {
            return Err(Refusal::Address);
        }
        Ok(())
    }

    /// Spends one of the source's webhooks of this second.
    ///
    /// Only what is verified may: otherwise anybody could use the rate up, and lock GitHub out. What
    /// is not verified has no limit of its own beside the caps of connections and memory, since an
    /// Enterprise Server sends everything from one address, also what one wrong secret signed.
    pub(super) fn spend(&self) -> Result<(), Refusal> {
        let Some(limiter) = &self.limiter else {
            return Ok(());
        };
        limiter.check().map_err(|until| {
            let wait = until.wait_time_from(DefaultClock::default().now());
            Refusal::Rate {
                retry_after_secs: wait.as_secs() + 1,
            }
        })
    }

    /// The secret, valid at `now`, that signed `body`, and the organisations it may speak for.
    pub(super) fn verify(
        &self,
        body: &[u8],
        signature: &[u8; 32],
        now: Timestamp,
    ) -> Result<(SecretId, &[i64]), Refusal> {
        let mut valid = self.keys.iter().filter(|key| key.secret.valid_at(now));
        match valid.find(|key| key.verifier.verifies(body, signature)) {
            Some(key) => Ok((key.secret.id, &key.secret.organization_ids)),
            None if self.unopened => Err(Refusal::Unverifiable),
            None => Err(Refusal::Signature),
        }
    }
}

fn networks(source: &Source) -> Vec<IpNet> {
    let parse = |text: &String| {
        let host = || text.parse().ok().map(|host: IpAddr| IpNet::from(host));
        let parsed = text.parse().ok().or_else(host);
        if parsed.is_none() {
            let name = &source.spec.name;
            tracing::error!(
                source = name,
                network = text,
                "not a network: it allows nobody"
            );
        }
        parsed
    };
    source.spec.allow.iter().filter_map(parse).collect()
}

/// A source that was changed keeps its count, unless its rate was changed.
fn limiter(source: &Source, old: Option<&Arc<Gate>>) -> Option<Arc<DefaultDirectRateLimiter>> {
    let rate = source.spec.rate_per_second?;
    let kept = old.filter(|gate| gate.source.spec.rate_per_second == Some(rate));
    if let Some(limiter) = kept.and_then(|gate| gate.limiter.clone()) {
        return Some(limiter);
    }
    let rate = NonZeroU32::new(rate).unwrap_or(NonZeroU32::MIN);
    Some(Arc::new(RateLimiter::direct(Quota::per_second(rate))))
}
