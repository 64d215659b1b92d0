//! `POST /webhooks/{source}`: bounds and times the request, verifies the signature over the raw
//! bytes, appends, and only then answers 200.
//!
//! Nothing of a body is parsed before its signature is verified, and nothing of a request is
//! echoed. Every way to refuse one is a `Refusal`; those that are evidence are recorded.

mod answer;
mod body;
mod client;
mod envelope;
mod facts;
mod inlet;
mod punctual;
mod record;
mod rejections;
mod signature;
mod sources;
mod verified;

pub(crate) use client::behind;
pub use facts::{About, Claim, Extracted, extract};
pub use inlet::{Inlet, IntoLog};
pub use signature::{Verifier, parse_signature};

use crate::clock::{self, Clock};
use crate::config::ReceiveConfig;
use crate::control::Control;
use crate::http::{self, Began, ClientAddress, HttpLimits, Stopped};
use crate::keyring::Keyring;
use crate::log::{AppendError, EventLog};
use crate::metrics::{Metrics, RejectedLabel};
use answer::Refusal;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::request::Parts;
use axum::response::Response;
use axum::routing::post;
use body::{Allowance, Budget};
use envelope::Envelope;
use governor::{DefaultDirectRateLimiter, Quota, RateLimiter};
use hooklog_schemas::webhook::Received;
use hooklog_schemas::{Append, ReceiptId, Topic};
use punctual::Punctual;
use rejections::{Rejection, Rejections};
use sources::{Gate, Sources};
use std::net::IpAddr;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use verified::Unverified;

/// What a receiver is made of.
pub struct ReceiverParts {
    /// The log: rejections are recorded there.
    pub log: Arc<dyn EventLog>,
    /// Where webhooks go.
    pub inlet: Arc<dyn Inlet>,
    /// Sources and their secrets.
    pub control: Arc<Control>,
    /// Opens the secrets.
    pub keyring: Arc<Keyring>,
    /// Tells when a webhook came, and whether a secret is still valid.
    pub clock: Arc<dyn Clock>,
    /// Limits.
    pub config: ReceiveConfig,
    /// How long requests that are under way may take when the server stops.
    pub shutdown: Duration,
    /// What is counted.
    pub metrics: Metrics,
}

/// Takes webhooks in. It keeps no state that a restart would lose, but for the last minute's
/// counts of rejections, which [`serve`] writes when it stops.
pub struct Receiver {
    parts: ReceiverParts,
    sources: Sources,
    budget: Budget,
    rejections: Rejections,
    punctual: Punctual,
    /// Lines about rejections: a flood of them must not become a flood of lines.
    lines: DefaultDirectRateLimiter,
}

/// The source label of requests whose path names no source.
const UNKNOWN: &str = "unknown";

/// Lines about rejections a second, at the most.
const LINES_PER_SECOND: NonZeroU32 = NonZeroU32::MIN.saturating_add(19);

impl Receiver {
    /// Puts a receiver together.
    #[must_use]
    pub fn new(parts: ReceiverParts) -> Arc<Self> {
        // One body of the largest kind must always fit.
        let in_flight = parts.config.body_bytes_in_flight_max;
        let budget = Budget::new(in_flight.max(parts.config.form_bytes_max));
        let deadline = Duration::from_millis(parts.config.append_deadline_ms);
        let (log, clock) = (Arc::clone(&parts.log), Arc::clone(&parts.clock));
        Arc::new(Self {
            sources: Sources::new(Arc::clone(&parts.keyring), parts.metrics.clone()),
            budget,
            rejections: Rejections::new(log, clock, deadline),
            punctual: Punctual::default(),
            lines: RateLimiter::direct(Quota::per_second(LINES_PER_SECOND)),
            parts,
        })
    }
}

impl Receiver {
    /// Whether webhooks are taken, and in time. An error says why not.
    ///
    /// # Errors
    /// When the inlet would refuse one, or [`Receiver::appends_in_time`] fails.
    pub async fn ready(&self) -> Result<(), String> {
        let takes = self.parts.inlet.takes_webhooks().await;
        takes.map_err(|error| error.to_string())?;
        self.appends_in_time()
    }

    /// Whether appends come back in time. An error says since when they do not.
    ///
    /// # Errors
    /// When the latest append was not durable before its deadline, less than half a minute ago.
    pub fn appends_in_time(&self) -> Result<(), String> {
        self.punctual.check(Instant::now())
    }
}

/// Serves webhooks until `token` is cancelled and what is under way is answered.
pub async fn serve(
    listener: TcpListener,
    receiver: Arc<Receiver>,
    token: CancellationToken,
) -> Stopped {
    let parts = &receiver.parts;
    let limits = HttpLimits::webhooks(&parts.config, parts.shutdown, &parts.metrics);
    let app = router(Arc::clone(&receiver));
    let served = CancellationToken::new();
    let serving = async {
        let stopped = http::serve(listener, app, limits, token).await;
        served.cancel();
        stopped
    };
    let (stopped, ()) = tokio::join!(serving, receiver.rejections.write_until(&served));
    stopped
}

/// The routes of the webhook listener.
pub fn router(receiver: Arc<Receiver>) -> axum::Router {
    axum::Router::new()
        .route("/webhooks/{source}", post(receive))
        .fallback(async || answer::not_found())
        .method_not_allowed_fallback(async || answer::method_not_allowed())
        .with_state(receiver)
}

async fn receive(State(receiver): State<Arc<Receiver>>, request: Request) -> Response {
    let began = Instant::now();
    let (head, body) = request.into_parts();
    let mut seen = Seen::default();
    let received = receiver.receive(&head, body, &mut seen).await;
    let took = began.elapsed();
    receiver.parts.metrics.accept.observe(took.as_secs_f64());
    match received {
        Ok(receipt) => {
            let micros = micros(took);
            tracing::debug!(
                target: "hooklog::life", guid = seen.guid, %receipt, status = 200, micros,
                "received"
            );
            answer::accepted(receipt)
        }
        Err(refusal) => {
            receiver.note(&refusal, &seen, took);
            answer::refused(&refusal)
        }
    }
}

/// What is known of a request when it is refused.
#[derive(Default)]
struct Seen {
    gate: Option<Arc<Gate>>,
    client: Option<IpAddr>,
    guid: String,
}

impl Receiver {
    async fn receive(
        &self,
        head: &Parts,
        body: Body,
        seen: &mut Seen,
    ) -> Result<ReceiptId, Refusal> {
        let view = self.sources.view(&self.parts.control.current());
        let named = sources::named(head.uri.path()).and_then(|name| view.gate(name));
        let gate = Arc::clone(named.ok_or(Refusal::UnknownSource)?);
        seen.gate = Some(Arc::clone(&gate));
        seen.client = self.client(head);
        seen.guid = envelope::claimed_guid(&head.headers);
        gate.admit(seen.client)?;
        let due = self.due(head);
        let envelope = Envelope::read(&head.headers)?;
        let allowance = Allowance::of(&envelope, &self.parts.config, due)?;
        let held = body::read(body, &self.budget, &allowance).await?;
        let received_at = self.parts.clock.now();
        let unverified = Unverified {
            gate: Arc::clone(&gate),
            envelope,
            body: held.bytes.clone(),
            at: received_at,
            payload_bytes_max: self.parts.config.body_bytes_max,
        };
        let verifying = tokio::time::timeout_at(due, unverified.verify());
        let verified = verifying.await.map_err(|_| Refusal::Overdue)??;
        gate.spend()?;
        let received = Received {
            receipt: clock::receipt_id(),
            received_at,
            source: gate.source.id,
            source_name: gate.source.spec.name.clone(),
            secret: verified.secret,
            configuration: view.version.ok_or(Refusal::Internal)?,
            client: client::text(seen.client),
            facts: verified.extracted.facts,
        };
        let about = verified.extracted.about;
        let partitions = self.parts.log.partitions(Topic::Webhooks);
        let append = record::received(&received, &about, &head.headers, held.bytes, partitions);
        self.append(append, due).await?;
        gate.received.inc();
        Ok(received.receipt)
    }

    fn client(&self, head: &Parts) -> Option<IpAddr> {
        let ClientAddress(peer) = head.extensions.get()?;
        let trusted = &self.parts.config.trusted_proxies;
        Some(client::behind(*peer, &head.headers, trusted))
    }

    /// When the request must be answered: its first byte, head, body, verification and append share
    /// one budget.
    fn due(&self, head: &Parts) -> Instant {
        let began = head.extensions.get::<Began>();
        let began = began.map_or_else(Instant::now, |began| began.0);
        began + Duration::from_millis(self.parts.config.answer_deadline_ms)
    }

    /// Dropping the future, as when the client disconnects, does not undo the append.
    async fn append(&self, mut append: Append, due: Instant) -> Result<(), Refusal> {
        // When it was received stands in its headers; verifying, or a spool, may lie between.
        append.at = self.parts.clock.now();
        let deadline = Duration::from_millis(self.parts.config.append_deadline_ms);
        let deadline = due.min(Instant::now() + deadline);
        let appending = self.parts.inlet.put_by(append, deadline);
        let appended = tokio::time::timeout_at(deadline, appending).await;
        self.punctual.note(appended.is_ok(), Instant::now());
        match appended {
            Ok(Ok(())) => Ok(()),
            Ok(Err(AppendError::TooLarge { .. })) => Err(Refusal::TooLarge),
            Ok(Err(error)) => Err(Refusal::Log(error.to_string())),
            Err(_) => Err(Refusal::Log("the append took too long".to_owned())),
        }
    }

    fn note(&self, refusal: &Refusal, seen: &Seen, took: Duration) {
        let gate = seen.gate.as_deref();
        let source = gate.map_or(UNKNOWN, |gate| &gate.source.spec.name);
        let reason = refusal.reason();
        let label = RejectedLabel {
            source: source.to_owned(),
            reason,
        };
        self.parts.metrics.rejected.get_or_create(&label).inc();
        if refusal.is_evidence() {
            let guid = &seen.guid;
            self.rejections.add(Rejection {
                source,
                reason,
                guid,
            });
        }
        if self.lines.check().is_ok() {
            let (status, micros) = (refusal.status().as_u16(), micros(took));
            let (guid, client) = (&seen.guid, client::text(seen.client));
            tracing::warn!(guid, source, client, status, micros, %refusal, "rejected");
        }
    }
}

/// As a number: a `u128` would stand in the program's log as a text.
fn micros(took: Duration) -> u64 {
    u64::try_from(took.as_micros()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests;
