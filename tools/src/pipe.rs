//! The bare pipe: the least that a router could do, to compare with.
//!
//! It verifies the signature, appends the body to one file (all that wait share one write and one
//! fdatasync), answers 200, and forwards with the same HTTP client. Or it produces to a topic of
//! Kafka's, answers when that is confirmed, and forwards what it consumes. It records nothing,
//! forgets what it owes when it ends, and tries once.

#[cfg(feature = "kafka")]
mod topic;
mod writer;

use crate::clock::now_us;
use crate::http::{Incomer, asked_to_end, serve};
use crate::sign::{Signer, read_secret};
use anyhow::{Context as _, Result};
use bytes::Bytes;
use hyper::StatusCode;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use tokio::net::TcpListener;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use writer::Writer;

/// Verifies, appends with fdatasync, answers, forwards; nothing else.
#[derive(Debug, clap::Args)]
pub(crate) struct PipeCommand {
    /// Where webhooks come in, on any path.
    #[arg(long, default_value = "127.0.0.1:8080")]
    listen: SocketAddr,
    /// The source's secret.
    #[arg(long)]
    secret_file: PathBuf,
    /// The file to append to; it is emptied first.
    #[arg(long, required_unless_present = "kafka")]
    file: Option<PathBuf>,
    /// Brokers (`host:port`) on which a topic is made and used instead of a file.
    #[arg(long, conflicts_with = "file")]
    kafka: Option<String>,
    /// Where everything is forwarded to.
    #[arg(long)]
    to: String,
    /// Signs what is forwarded, as Standard Webhooks say.
    #[arg(long)]
    sign_secret_file: PathBuf,
    /// Requests under way to the subscriber at once.
    #[arg(long, default_value_t = 256)]
    in_flight: usize,
}

impl PipeCommand {
    /// Serves until it is asked to end.
    pub(crate) async fn run(self) -> Result<()> {
        let forward = Arc::new(Forward {
            signer: Signer::standard(&read_secret(&self.sign_secret_file)?)?,
            client: client(self.in_flight)?,
            to: self.to.parse().context("--to is no URL")?,
            in_flight: Arc::new(Semaphore::new(self.in_flight)),
            failed: AtomicU64::new(0),
        });
        let pipe = Arc::new(Pipe {
            signer: Signer::github(&read_secret(&self.secret_file)?)?,
            keep: self.keep(&forward).await?,
            forward: Arc::clone(&forward),
        });
        let listener = TcpListener::bind(self.listen)
            .await
            .with_context(|| format!("cannot listen at {}", self.listen))?;
        crate::print(&format!("listening at {}", listener.local_addr()?))?;
        tokio::select! {
            result = serve(listener, move |incomer| pipe.clone().take(incomer)) => result?,
            ended = asked_to_end() => ended?,
        }
        let failed = forward.failed.load(Ordering::Relaxed);
        crate::print(&format!("{failed} could not be forwarded"))
    }

    #[cfg(feature = "kafka")]
    async fn keep(&self, forward: &Arc<Forward>) -> Result<Keep> {
        match &self.kafka {
            Some(brokers) => {
                let topic = topic::Topic::create(brokers, Arc::clone(forward));
                Ok(Keep::Topic(topic.await?))
            }
            None => self.keep_in_file(),
        }
    }

    #[cfg(not(feature = "kafka"))]
    async fn keep(&self, _: &Arc<Forward>) -> Result<Keep> {
        anyhow::ensure!(self.kafka.is_none(), "built without the feature kafka");
        self.keep_in_file()
    }

    fn keep_in_file(&self) -> Result<Keep> {
        let file = self.file.as_deref().context("--file is not given")?;
        Ok(Keep::File(Writer::create(file)?))
    }
}

/// Where bodies are durable.
enum Keep {
    File(Writer),
    #[cfg(feature = "kafka")]
    Topic(topic::Topic),
}

/// The client of the product's deliveries, configured alike.
fn client(pool: usize) -> Result<reqwest::Client> {
    reqwest::Client::builder()
        .http1_only()
        .no_proxy()
        .redirect(reqwest::redirect::Policy::none())
        .pool_max_idle_per_host(pool)
        .timeout(std::time::Duration::from_secs(15))
        .build()
        .context("cannot make the HTTP client")
}

struct Pipe {
    signer: Signer,
    keep: Keep,
    forward: Arc<Forward>,
}

impl Pipe {
    async fn take(self: Arc<Self>, incomer: Incomer) -> StatusCode {
        let signature = incomer.header("x-hub-signature-256");
        if !self.signer.hub_holds(&incomer.body, signature) {
            return StatusCode::UNAUTHORIZED;
        }
        let guid = incomer.text("x-github-delivery").to_owned();
        let kept = match &self.keep {
            Keep::File(writer) => {
                let kept = writer.append(incomer.body.clone()).await;
                if kept {
                    tokio::spawn(self.forward.clone().send(guid, incomer.body));
                }
                kept
            }
            #[cfg(feature = "kafka")]
            Keep::Topic(topic) => topic.append(&guid, &incomer.body).await,
        };
        match kept {
            true => StatusCode::OK,
            false => StatusCode::SERVICE_UNAVAILABLE,
        }
    }
}

struct Forward {
    signer: Signer,
    client: reqwest::Client,
    to: reqwest::Url,
    in_flight: Arc<Semaphore>,
    failed: AtomicU64,
}

impl Forward {
    async fn send(self: Arc<Self>, guid: String, body: Bytes) {
        let permit = self.in_flight.clone().acquire_owned().await;
        self.send_with(permit.ok(), guid, body).await;
    }

    /// Sends beside the caller, as soon as there is a slot.
    #[cfg(feature = "kafka")]
    async fn start(self: Arc<Self>, guid: String, body: Bytes) {
        let permit = self.in_flight.clone().acquire_owned().await;
        tokio::spawn(async move { self.send_with(permit.ok(), guid, body).await });
    }

    async fn send_with(&self, permit: Option<OwnedSemaphorePermit>, guid: String, body: Bytes) {
        let at = (now_us() / 1_000_000).to_string();
        let signature = self.signer.webhook(&guid, &at, &body);
        let request = self
            .client
            .post(self.to.clone())
            .header("content-type", "application/json")
            .header("webhook-id", &guid)
            .header("webhook-timestamp", at)
            .header("webhook-signature", signature)
            .body(body);
        let delivered = match request.send().await {
            // The answer's body is read, so that the connection can be used again.
            Ok(answer) => answer.status().is_success() && answer.bytes().await.is_ok(),
            Err(_) => false,
        };
        if !delivered {
            self.failed.fetch_add(1, Ordering::Relaxed);
        }
        drop(permit);
    }
}
