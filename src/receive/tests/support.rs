//! A receiver on a real socket, with a log in memory.

use crate::clock::Manual;
use crate::config::ReceiveConfig;
use crate::control::Control;
use crate::http::Stopped;
use crate::keyring::Keyring;
use crate::log::memory::MemoryLog;
use crate::log::{EventLog, ReadLimit};
use crate::metrics::Metrics;
use crate::receive::{Inlet, IntoLog, Receiver, ReceiverParts, serve};
use crate::secret::Secret;
use hmac::{Hmac, KeyInit as _, Mac as _};
use hooklog_schemas::control::{By, SealedSecret, SourceCreated, SourceSpec, WebhooksRejected};
use hooklog_schemas::webhook::Received;
use hooklog_schemas::{
    Event, Offset, Partition, Position, Record, SecretId, SourceId, Timestamp, Topic,
};
use prometheus_client::registry::Registry;
use sha2::Sha256;
use std::fmt::Write as _;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

pub(super) const SECRET: &[u8] = b"It's a Secret to Everybody";
pub(super) const SECRET_ID: SecretId = SecretId(Uuid::from_u128(11));
pub(super) const SOURCE_ID: SourceId = SourceId(Uuid::from_u128(1));
pub(super) const NOW: Timestamp = Timestamp::from_secs(1_793_534_400);
/// A test that waits longer has failed.
const PATIENCE: Duration = Duration::from_secs(20);

/// What a test may vary.
pub(super) struct Setup {
    pub(super) config: ReceiveConfig,
    pub(super) spec: SourceSpec,
    pub(super) organization_ids: Vec<i64>,
    pub(super) shutdown: Duration,
    /// Puts another log around the one in memory.
    pub(super) wrap: Box<dyn FnOnce(Arc<MemoryLog>) -> Arc<dyn EventLog>>,
    /// Where webhooks go, unless it is that log.
    pub(super) inlet: Option<Arc<dyn Inlet>>,
}

impl Default for Setup {
    fn default() -> Self {
        Self {
            config: ReceiveConfig::default(),
            spec: SourceSpec {
                name: "acme".into(),
                host: "github.com".into(),
                allow: Vec::new(),
                rate_per_second: None,
            },
            organization_ids: Vec::new(),
            shutdown: Duration::from_secs(5),
            wrap: Box::new(|log| log),
            inlet: None,
        }
    }
}

/// A receiver that serves the source `acme`.
pub(super) struct Given {
    pub(super) address: SocketAddr,
    pub(super) log: Arc<MemoryLog>,
    pub(super) control: Arc<Control>,
    pub(super) clock: Arc<Manual>,
    pub(super) keyring: Arc<Keyring>,
    pub(super) metrics: Metrics,
    pub(super) receiver: Arc<Receiver>,
    pub(super) token: CancellationToken,
    served: JoinHandle<Stopped>,
    follower: JoinHandle<()>,
}

pub(super) async fn given() -> Given {
    Setup::default().start().await
}

pub(super) fn by() -> By {
    By {
        actor: "ann".into(),
        from: "local".into(),
        at: NOW,
        why: None,
    }
}

impl Setup {
    pub(super) async fn start(self) -> Given {
        let log = Arc::new(MemoryLog::new(4));
        let clock = Arc::new(Manual::at(NOW));
        let dir = tempfile::tempdir().unwrap();
        let keyring = Arc::new(Keyring::create(&dir.path().join("key")).unwrap());
        let control = Control::open(log.clone(), clock.clone()).await.unwrap();
        let following = control.clone();
        let follower = tokio::spawn(async move { following.follow().await.unwrap() });
        let mut secret = sealed(&keyring, SECRET_ID, SECRET);
        secret.organization_ids = self.organization_ids;
        let created = SourceCreated {
            id: SOURCE_ID,
            spec: self.spec,
            secret,
            by: by(),
        };
        control.submit(created).await.unwrap();
        let metrics = Metrics::register(&mut Registry::default());
        let wrapped = (self.wrap)(log.clone());
        let receiver = Receiver::new(ReceiverParts {
            log: wrapped.clone(),
            inlet: self.inlet.unwrap_or_else(|| Arc::new(IntoLog(wrapped))),
            control: control.clone(),
            keyring: keyring.clone(),
            clock: clock.clone(),
            config: self.config,
            shutdown: self.shutdown,
            metrics: metrics.clone(),
        });
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let token = CancellationToken::new();
        let served = tokio::spawn(serve(listener, receiver.clone(), token.clone()));
        Given {
            address,
            log,
            control,
            clock,
            keyring,
            metrics,
            receiver,
            token,
            served,
            follower,
        }
    }
}

pub(super) fn sealed(keyring: &Keyring, id: SecretId, secret: &[u8]) -> SealedSecret {
    SealedSecret {
        id,
        sealed: keyring.seal(id, &Secret::new(secret.to_vec())).unwrap(),
        organization_ids: Vec::new(),
    }
}

impl Given {
    /// Sends a request on a connection of its own.
    pub(super) async fn send(&self, request: &Request) -> Answer {
        self.send_raw(&request.bytes()).await
    }

    /// Sends bytes on a connection of their own.
    pub(super) async fn send_raw(&self, bytes: &[u8]) -> Answer {
        let mut client = self.connect().await;
        client.send(bytes).await;
        client.answer().await.expect("an answer")
    }

    pub(super) async fn connect(&self) -> Client {
        Client(TcpStream::connect(self.address).await.unwrap())
    }

    /// All receipts, of all partitions.
    pub(super) async fn receipts(&self) -> Vec<(Received, Arc<Record>)> {
        let mut receipts = Vec::new();
        for partition in 0..self.log.partitions(Topic::Webhooks) {
            for record in self.records(Topic::Webhooks, partition).await {
                receipts.push((Received::decode(&record).unwrap(), record));
            }
        }
        receipts
    }

    /// What was recorded as rejected so far.
    pub(super) async fn rejected(&self) -> Vec<WebhooksRejected> {
        self.receiver.rejections.write().await;
        let records = self.records(Topic::Control, 0).await;
        let events = records.iter().map(|record| Event::decode(record).unwrap());
        let rejected = events.filter_map(|event| match event {
            Event::WebhooksRejected(rejected) => Some(*rejected),
            _ => None,
        });
        rejected.collect()
    }

    async fn records(&self, topic: Topic, partition: u32) -> Vec<Arc<Record>> {
        let from = Position::new(topic, Partition(partition), Offset(0));
        self.log.read(from, ReadLimit::default()).await.unwrap()
    }

    /// Resolves when the receiver is in a state that nobody can be notified of.
    pub(super) async fn until(&self, state: impl Fn(&Receiver) -> bool) {
        let reached = async {
            while !state(&self.receiver) {
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
        };
        let reached = tokio::time::timeout(PATIENCE, reached).await;
        reached.expect("the state that the test waits for");
    }

    /// Stops the server, and tells how it ended.
    pub(super) async fn stop(self) -> Stopped {
        self.token.cancel();
        self.follower.abort();
        tokio::time::timeout(PATIENCE, self.served)
            .await
            .expect("it stops")
            .unwrap()
    }
}

/// A connection.
pub(super) struct Client(TcpStream);

impl Client {
    /// Tells whether all was taken. If not, the server has closed, and its answer tells why.
    pub(super) async fn send(&mut self, bytes: &[u8]) -> bool {
        self.0.write_all(bytes).await.is_ok()
    }

    /// Reads one answer; none when the server closes without one.
    pub(super) async fn answer(&mut self) -> Option<Answer> {
        tokio::time::timeout(PATIENCE, self.read_answer())
            .await
            .expect("an answer or an end")
    }

    async fn read_answer(&mut self) -> Option<Answer> {
        let mut bytes = Vec::new();
        let head_end = loop {
            if let Some(at) = bytes.windows(4).position(|four| four == b"\r\n\r\n") {
                break at + 4;
            }
            if self.0.read_buf(&mut bytes).await.unwrap_or(0) == 0 {
                return None;
            }
        };
        let head = String::from_utf8(bytes[..head_end].to_vec()).unwrap();
        let mut answer = Answer {
            status: head[9..12].parse().unwrap(),
            head: head.to_lowercase(),
            body: bytes[head_end..].to_vec(),
        };
        let length: usize = answer
            .header("content-length")
            .map_or(0, |n| n.parse().unwrap());
        while answer.body.len() < length {
            assert_ne!(self.0.read_buf(&mut answer.body).await.unwrap(), 0);
        }
        Some(answer)
    }

    /// Resolves when the server has closed.
    pub(super) async fn closed(&mut self) {
        let mut rest = Vec::new();
        // A reset is an end too.
        let _ = tokio::time::timeout(PATIENCE, self.0.read_to_end(&mut rest))
            .await
            .expect("the server closes");
    }
}

#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: u16,
    head: String,
    pub(super) body: Vec<u8>,
}

impl Answer {
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        let mut lines = self.head.lines();
        lines.find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
    }

    pub(super) fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }
}

/// A webhook as GitHub would send it, until a test spoils it.
#[derive(Clone)]
pub(super) struct Request {
    pub(super) path: String,
    pub(super) headers: Vec<(String, String)>,
    pub(super) body: Vec<u8>,
}

impl Request {
    /// A push to main.
    pub(super) fn push() -> Self {
        Self::signed(r#"{"ref":"refs/heads/main"}"#)
    }

    pub(super) fn signed(body: impl Into<Vec<u8>>) -> Self {
        Self::signed_with(SECRET, body)
    }

    pub(super) fn signed_with(secret: &[u8], body: impl Into<Vec<u8>>) -> Self {
        let body = body.into();
        let signature = signature(secret, &body);
        let length = body.len().to_string();
        let headers = [
            ("Host", "hooks.example"),
            ("User-Agent", "GitHub-Hookshot/044aadd"),
            ("Accept", "*/*"),
            ("Content-Type", "application/json"),
            ("Content-Length", &length),
            ("X-GitHub-Event", "push"),
            ("X-GitHub-Delivery", "83d63510-79f7-11ed-859f-f1aec1003817"),
            ("X-GitHub-Hook-ID", "292430182"),
            ("X-Hub-Signature-256", &signature),
        ];
        let owned = |(name, value): (&str, &str)| (name.to_owned(), value.to_owned());
        Self {
            path: "/webhooks/acme".into(),
            headers: headers.map(owned).into(),
            body,
        }
    }

    pub(super) fn to(mut self, path: &str) -> Self {
        self.path = path.to_owned();
        self
    }

    /// Replaces a header, or adds it.
    pub(super) fn with(self, name: &str, value: &str) -> Self {
        self.without(name).and(name, value)
    }

    pub(super) fn and(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    pub(super) fn without(mut self, name: &str) -> Self {
        self.headers.retain(|(n, _)| !n.eq_ignore_ascii_case(name));
        self
    }

    pub(super) fn head(&self) -> Vec<u8> {
        let mut head = format!("POST {} HTTP/1.1\r\n", self.path);
        for (name, value) in &self.headers {
            write!(head, "{name}: {value}\r\n").unwrap();
        }
        head.push_str("\r\n");
        head.into_bytes()
    }

    pub(super) fn bytes(&self) -> Vec<u8> {
        [self.head(), self.body.clone()].concat()
    }
}

pub(super) fn signature(secret: &[u8], body: &[u8]) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret).unwrap();
    mac.update(body);
    format!("sha256={}", hex::encode(mac.finalize().into_bytes()))
}
