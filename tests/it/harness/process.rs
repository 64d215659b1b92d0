//! The program as its own process.

use super::SECRET;
use reqwest::Client;
use serde_json::{Value, json};
use std::net::{SocketAddr, TcpListener};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::time::{Duration, Instant};
use tempfile::TempDir;

const TOKEN: &str = "hl_test-token-0123456789";
const PATIENCE: Duration = Duration::from_secs(30);

/// The program with these arguments. Its environment names proxies that do not exist: nothing here
/// may ask them.
pub(crate) fn hooklog(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_hooklog"));
    command.args(arguments);
    for name in ["http_proxy", "HTTP_PROXY", "https_proxy", "HTTPS_PROXY"] {
        command.env(name, "http://127.0.0.1:9");
    }
    command.env_remove("no_proxy").env_remove("NO_PROXY");
    command
}

/// An HTTP client that asks no proxy.
pub(crate) fn client() -> Client {
    // An error means that another test of this process has chosen before.
    let _ = rustls::crypto::ring::default_provider().install_default();
    Client::builder().no_proxy().build().unwrap()
}

/// A child that does not outlive its test.
pub(crate) struct Guard(pub(crate) Child);

impl Drop for Guard {
    fn drop(&mut self) {
        // It may have ended already, which is as well.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Guard {
    /// Sends a signal, by its name.
    pub(crate) fn signal(&self, name: &str) {
        let line = format!("kill -{name} {}", self.0.id());
        let sent = Command::new("sh").args(["-c", &line]).status();
        assert!(sent.unwrap().success());
    }
}

/// A server as its own process.
pub(crate) struct Process {
    pub(crate) guard: Guard,
    pub(crate) webhooks: SocketAddr,
    pub(crate) folder: TempDir,
    api: String,
    http: Client,
}

impl Process {
    /// A server on `folder` with this configuration, once it is ready.
    pub(crate) async fn start(folder: TempDir, configuration: &str) -> Self {
        let server = Self::start_unready(folder, configuration).await;
        server.ready(200).await;
        server
    }

    /// Likewise, once it answers.
    pub(crate) async fn start_unready(folder: TempDir, configuration: &str) -> Self {
        let (webhooks, api) = (free(), free());
        let file = folder.path().join("hooklog.toml");
        std::fs::write(&file, configuration).unwrap();
        let (webhooks_text, api_text) = (webhooks.to_string(), api.to_string());
        let mut command = hooklog(&[
            "serve",
            "--listen",
            &webhooks_text,
            "--api-listen",
            &api_text,
        ]);
        command.arg("--config").arg(&file);
        command.arg("--data").arg(folder.path().join("data"));
        command.env("HOOKLOG_ADMIN_TOKEN", TOKEN);
        let child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn();
        let server = Self {
            guard: Guard(child.unwrap()),
            webhooks,
            folder,
            api: format!("http://{api}"),
            http: client(),
        };
        server.page("healthz", 200).await;
        server
    }

    /// Waits until `/readyz` answers with this status, and gives the answer.
    pub(crate) async fn ready(&self, status: u16) -> Value {
        self.page("readyz", status).await
    }

    async fn page(&self, page: &str, status: u16) -> Value {
        let start = Instant::now();
        loop {
            if let Ok(answer) = self.http.get(format!("{}/{page}", self.api)).send().await
                && answer.status().as_u16() == status
            {
                return answer.json().await.unwrap();
            }
            assert!(
                start.elapsed() < PATIENCE,
                "/{page} does not answer {status}"
            );
            // A process has no signal for this, so it is asked.
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// The source `github`.
    pub(crate) async fn create_source(&self) {
        let url = format!("{}/api/v1/sources", self.api);
        let body = json!({"name": "github", "secret": SECRET});
        let asked = self.http.post(url).bearer_auth(TOKEN).json(&body).send();
        assert_eq!(asked.await.unwrap().status().as_u16(), 201);
    }

    /// `GET /api/v1/{path}`.
    pub(crate) async fn get(&self, path: &str) -> Value {
        let asked = self.http.get(format!("{}/api/v1/{path}", self.api));
        let answer = asked.bearer_auth(TOKEN).send().await.unwrap();
        answer.json().await.unwrap()
    }

    /// `POST /api/v1/{path}`, with the status of the answer.
    #[cfg(feature = "log-kafka")]
    pub(crate) async fn post(&self, path: &str, body: &Value) -> (u16, Value) {
        let asked = self.http.post(format!("{}/api/v1/{path}", self.api));
        let answer = asked.bearer_auth(TOKEN).json(body).send().await.unwrap();
        (answer.status().as_u16(), answer.json().await.unwrap())
    }

    /// Runs a client command against it.
    pub(crate) fn client(&self, arguments: &[&str]) -> Output {
        let mut command = hooklog(arguments);
        command.env("HOOKLOG_SERVER", &self.api);
        command.env("HOOKLOG_TOKEN", TOKEN);
        command.output().unwrap()
    }

    /// Whether it has not ended.
    pub(crate) fn is_running(&mut self) -> bool {
        self.guard.0.try_wait().unwrap().is_none()
    }

    /// Waits until it has ended.
    pub(crate) async fn ended(&mut self) -> ExitStatus {
        let start = Instant::now();
        loop {
            if let Some(status) = self.guard.0.try_wait().unwrap() {
                return status;
            }
            assert!(start.elapsed() < PATIENCE, "it does not end");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }
}

/// An address that was free a moment ago.
fn free() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap()
}
