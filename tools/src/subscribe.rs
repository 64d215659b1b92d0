//! A subscriber that checks every signature, counts, and misbehaves on request.

mod receipts;

use crate::clock::now_us;
use crate::http::{Answer, Incomer, asked_to_end, serve};
use crate::sign::{Signer, read_secret, sha256_hex};
use anyhow::{Context as _, Result};
use bytes::Bytes;
use hyper::StatusCode;
use receipts::Lines;
pub(crate) use receipts::{Receipt, Receipts};
use std::collections::HashMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::sync::Notify;

/// Takes deliveries: checks signatures, counts, and behaves as told.
#[derive(Debug, clap::Args)]
pub(crate) struct SubscribeCommand {
    /// Where to listen.
    #[arg(long, default_value = "127.0.0.1:9090")]
    listen: SocketAddr,
    /// How deliveries are signed.
    #[arg(long, value_enum, default_value_t = Mode::Standard)]
    mode: Mode,
    /// The subscription's secret; not needed with `--mode none`.
    #[arg(long)]
    secret_file: Option<PathBuf>,
    /// Writes one line of JSON for each request.
    #[arg(long)]
    receipts: Option<PathBuf>,
    /// Answers the first N attempts of each delivery with 500.
    #[arg(long, default_value_t = 0)]
    fail_first: u32,
    /// Answers everything with this status.
    #[arg(long)]
    always: Option<u16>,
    /// Waits before each answer.
    #[arg(long, default_value_t = 0)]
    delay_ms: u64,
    /// Answers with the beginning of the body, as some receivers do.
    #[arg(long)]
    echo: bool,
}

/// How deliveries are signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Mode {
    /// Standard Webhooks.
    Standard,
    /// As GitHub does.
    Github,
    /// Not at all.
    None,
}

/// Enough of a body to quote what identifies it.
const ECHO_BYTES: usize = 400;

impl Mode {
    fn signer(self, secret: &[u8]) -> Result<Signer> {
        match self {
            Self::Standard => Signer::standard(secret),
            Self::Github | Self::None => Signer::github(secret),
        }
    }
}

impl SubscribeCommand {
    /// Serves until it is asked to end, then prints what came.
    pub(crate) async fn run(self) -> Result<()> {
        let secret = self.secret_file.as_deref().map(read_secret).transpose()?;
        let receipts = self.receipts.as_deref().map(Receipts::create).transpose()?;
        let subscriber = Subscriber::new(self.mode, secret.as_deref(), self.behaviour()?)?;
        let subscriber = Arc::new(match &receipts {
            Some(receipts) => subscriber.recording(receipts),
            None => subscriber,
        });
        let listener = TcpListener::bind(self.listen)
            .await
            .with_context(|| format!("cannot listen at {}", self.listen))?;
        crate::print(&format!("listening at {}", listener.local_addr()?))?;
        let served = subscriber.clone();
        tokio::select! {
            result = served.serve(listener) => result?,
            ended = asked_to_end() => ended?,
        }
        if let Some(receipts) = receipts {
            receipts.flush()?;
        }
        crate::print(&subscriber.counts().to_string())
    }

    fn behaviour(&self) -> Result<Behaviour> {
        let always = self.always.map(StatusCode::from_u16).transpose();
        Ok(Behaviour {
            fail_first: self.fail_first,
            always: always.context("--always takes a status from 100 to 999")?,
            delay: Duration::from_millis(self.delay_ms),
            echo: self.echo,
        })
    }
}

/// How a subscriber answers what is signed well.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Behaviour {
    /// The first attempts of each delivery get 500.
    pub(crate) fail_first: u32,
    /// Everything gets this.
    pub(crate) always: Option<StatusCode>,
    /// Each answer waits for this long.
    pub(crate) delay: Duration,
    /// Each answer quotes the beginning of the body.
    pub(crate) echo: bool,
}

/// A subscriber: shared by all its connections.
pub(crate) struct Subscriber {
    mode: Mode,
    signers: RwLock<Vec<Signer>>,
    behaviour: Behaviour,
    receipts: Option<Lines>,
    taken: AtomicU64,
    failed: AtomicU64,
    forged: AtomicU64,
    tries: Mutex<HashMap<String, u32>>,
    changed: Notify,
}

/// What a subscriber has seen.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Counts {
    /// Answered 2xx.
    pub(crate) taken: u64,
    /// Signed well, but answered otherwise.
    pub(crate) failed: u64,
    /// Signed wrong.
    pub(crate) forged: u64,
}

impl std::fmt::Display for Counts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "{} taken, {} failed, {} with a wrong signature",
            self.taken, self.failed, self.forged
        )
    }
}

impl Subscriber {
    /// A subscriber that checks signatures of `mode` with `secret`.
    pub(crate) fn new(mode: Mode, secret: Option<&[u8]>, behaviour: Behaviour) -> Result<Self> {
        let secret = || secret.context("--secret-file is needed to check signatures");
        let signers = match mode {
            Mode::None => Vec::new(),
            signed => vec![signed.signer(secret()?)?],
        };
        Ok(Self {
            mode,
            signers: RwLock::new(signers),
            behaviour,
            receipts: None,
            taken: AtomicU64::new(0),
            failed: AtomicU64::new(0),
            forged: AtomicU64::new(0),
            tries: Mutex::new(HashMap::new()),
            changed: Notify::new(),
        })
    }

    /// From now on takes what is signed with this secret as well.
    pub(crate) fn also(&self, secret: &[u8]) -> Result<()> {
        let signer = self.mode.signer(secret)?;
        let mut signers = self.signers.write().unwrap_or_else(PoisonError::into_inner);
        signers.push(signer);
        Ok(())
    }

    /// The same, but it records each request.
    pub(crate) fn recording(mut self, receipts: &Receipts) -> Self {
        self.receipts = Some(receipts.lines());
        self
    }

    /// Answers until it is dropped.
    pub(crate) async fn serve(self: Arc<Self>, listener: TcpListener) -> Result<()> {
        serve(listener, move |incomer| self.clone().answer(incomer)).await
    }

    /// What it has seen up to now.
    pub(crate) fn counts(&self) -> Counts {
        Counts {
            taken: self.taken.load(Ordering::Relaxed),
            failed: self.failed.load(Ordering::Relaxed),
            forged: self.forged.load(Ordering::Relaxed),
        }
    }

    /// Waits until `taken` requests were answered 2xx, or nothing came for `patience`.
    pub(crate) async fn wait_for(&self, taken: u64, patience: Duration) -> bool {
        loop {
            let changed = self.changed.notified();
            if self.counts().taken >= taken {
                return true;
            }
            if tokio::time::timeout(patience, changed).await.is_err() {
                return false;
            }
        }
    }

    async fn answer(self: Arc<Self>, incomer: Incomer) -> Answer {
        let verified = self.verify(&incomer);
        if !self.behaviour.delay.is_zero() {
            tokio::time::sleep(self.behaviour.delay).await;
        }
        let status = if verified {
            self.status(&incomer)
        } else {
            StatusCode::UNAUTHORIZED
        };
        let counter = match (verified, status.is_success()) {
            (false, _) => &self.forged,
            (true, true) => &self.taken,
            (true, false) => &self.failed,
        };
        counter.fetch_add(1, Ordering::Relaxed);
        if let Some(lines) = &self.receipts {
            lines.write(&receipt(&incomer, status, verified));
        }
        self.changed.notify_waiters();
        let body = if self.behaviour.echo {
            incomer.body.slice(..incomer.body.len().min(ECHO_BYTES))
        } else {
            Bytes::new()
        };
        Answer { status, body }
    }

    fn verify(&self, incomer: &Incomer) -> bool {
        if self.mode == Mode::None {
            return true;
        }
        let signers = self.signers.read().unwrap_or_else(PoisonError::into_inner);
        signers.iter().any(|signer| self.holds(signer, incomer))
    }

    fn holds(&self, signer: &Signer, incomer: &Incomer) -> bool {
        if self.mode == Mode::Github {
            let signature = incomer.header("x-hub-signature-256");
            return signer.hub_holds(&incomer.body, signature);
        }
        let (id, at) = (
            incomer.header("webhook-id"),
            incomer.header("webhook-timestamp"),
        );
        let signatures = incomer.header("webhook-signature");
        signer.webhook_holds(id, at, &incomer.body, signatures)
    }

    fn status(&self, incomer: &Incomer) -> StatusCode {
        if let Some(status) = self.behaviour.always {
            return status;
        }
        if self.behaviour.fail_first > 0 {
            let mut tries = self.tries.lock().unwrap_or_else(PoisonError::into_inner);
            let tries = tries.entry(name(incomer).to_owned()).or_default();
            *tries += 1;
            if *tries <= self.behaviour.fail_first {
                return StatusCode::INTERNAL_SERVER_ERROR;
            }
        }
        StatusCode::OK
    }
}

/// What names the delivery: `webhook-id`, else GitHub's GUID.
fn name(incomer: &Incomer) -> &str {
    match incomer.text("webhook-id") {
        "" => incomer.text("x-github-delivery"),
        id => id,
    }
}

fn receipt(incomer: &Incomer, status: StatusCode, verified: bool) -> Receipt {
    Receipt {
        path: incomer.path.clone(),
        id: incomer.text("webhook-id").to_owned(),
        guid: incomer.text("x-github-delivery").to_owned(),
        sha256: sha256_hex(&incomer.body),
        at: now_us(),
        status: status.as_u16(),
        verified,
    }
}

#[cfg(test)]
mod tests;
