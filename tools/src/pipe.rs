//! The bare pipe: the least that a router could do, to compare with.
//!
//! It verifies the signature, appends the body to one file (all that wait share one write and one
//! fdatasync), answers 200, and forwards with the same HTTP client. It records nothing, forgets
//! what it owes when it ends, and tries once.

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
use tokio::sync::Semaphore;
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
    #[arg(long)]
    file: PathBuf,
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
        let pipe = Arc::new(Pipe {
            signer: Signer::github(&read_secret(&self.secret_file)?)?,
            writer: Writer::create(&self.file)?,
            forward: Arc::new(Forward {
                signer: Signer::standard(&read_secret(&self.sign_secret_file)?)?,
                client: client(self.in_flight)?,
                to: self.to.parse().context("--to is no URL")?,
                in_flight: Semaphore::new(self.in_flight),
                failed: AtomicU64::new(0),
            }),
        });
        let listener = TcpListener::bind(self.listen)
            .await
            .with_context(|| format!("cannot listen at {}", self.listen))?;
        crate::print(&format!("listening at {}", listener.local_addr()?))?;
        let forward = pipe.forward.clone();
        tokio::select! {
            result = serve(listener, move |incomer| pipe.clone().take(incomer)) => result?,
            ended = asked_to_end() => ended?,
        }
        let failed = forward.failed.load(Ordering::Relaxed);
        crate::print(&format!("{failed} could not be forwarded"))
    }
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
    writer: Writer,
    forward: Arc<Forward>,
}

impl Pipe {
    async fn take(self: Arc<Self>, incomer: Incomer) -> StatusCode {
        let signature = incomer.header("x-hub-signature-256");
        if !self.signer.hub_holds(&incomer.body, signature) {
            return StatusCode::UNAUTHORIZED;
        }
        if !self.writer.append(incomer.body.clone()).await {
            return StatusCode::SERVICE_UNAVAILABLE;
        }
        let guid = incomer.text("x-github-delivery").to_owned();
        tokio::spawn(self.forward.clone().send(guid, incomer.body));
        StatusCode::OK
    }
}

struct Forward {
    signer: Signer,
    client: reqwest::Client,
    to: reqwest::Url,
    in_flight: Semaphore,
    failed: AtomicU64,
}

impl Forward {
    async fn send(self: Arc<Self>, guid: String, body: Bytes) {
        let permit = self.in_flight.acquire().await;
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
