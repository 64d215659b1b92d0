//! Real servers, and streams that one test has for itself.

use super::super::RedisIntake;
use crate::config::RedisConfig;
use crate::intake::conformance::LIMIT;
use std::net::TcpListener;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use tempfile::TempDir;
use uuid::Uuid;

/// The value of a variable that `tools/services` sets.
pub(super) fn variable(name: &str) -> String {
    std::env::var(name).unwrap_or_else(|_| {
        panic!(
            "{name} is not set: this test needs Redis; start it, and run the tests with it, by \
             `tools/services run redis -- cargo nextest run --all-features …`"
        )
    })
}

/// A file that holds `text`, in the temporary folder for as long as the test runs.
pub(super) fn file(text: &str) -> PathBuf {
    let (_, path) = tempfile::NamedTempFile::new().unwrap().keep().unwrap();
    std::fs::write(&path, format!("{text}\n")).unwrap();
    path
}

/// A stream with a name of its own.
#[derive(Clone)]
pub(super) struct Stream {
    pub(super) config: RedisConfig,
}

impl Stream {
    /// On the server that all tests share.
    pub(super) fn new() -> Self {
        let mut stream = Self::at(format!(
            "redis://{}",
            variable("HOOKLOG_TEST_REDIS_ADDRESS")
        ));
        let password = file(&variable("HOOKLOG_TEST_REDIS_PASSWORD"));
        stream.config.password_file = Some(password);
        stream
    }

    pub(super) fn at(url: String) -> Self {
        let config = RedisConfig {
            url,
            stream: format!("it.{}", Uuid::now_v7().simple()),
            redelivery_ms: 500,
            message_bytes_max: LIMIT,
            ..RedisConfig::default()
        };
        Self { config }
    }

    pub(super) async fn open(self) -> RedisIntake {
        RedisIntake::open(&self.config).await.unwrap()
    }
}

/// A server of its own, which may be killed.
pub(super) struct Server {
    folder: TempDir,
    port: u16,
    settings: Vec<String>,
    process: Child,
}

impl Server {
    /// Starts one with safe settings, and these arguments.
    pub(super) fn start(settings: &[&str]) -> Self {
        let port = TcpListener::bind("127.0.0.1:0")
            .unwrap()
            .local_addr()
            .unwrap()
            .port();
        let folder = tempfile::tempdir().unwrap();
        let settings: Vec<_> = settings.iter().map(|one| (*one).to_owned()).collect();
        let process = run(&folder, port, &settings);
        Self {
            folder,
            port,
            settings,
            process,
        }
    }

    /// Ends it as a power cut of its process.
    pub(super) fn kill(&mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }

    /// Starts it again, in its folder.
    pub(super) fn restart(&mut self) {
        self.process = run(&self.folder, self.port, &self.settings);
    }

    /// A stream on it.
    pub(super) fn stream(&self) -> Stream {
        Stream::at(format!("redis://127.0.0.1:{}", self.port))
    }

    /// Its port, for a replica.
    pub(super) fn port(&self) -> u16 {
        self.port
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have been killed by its test.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn run(folder: &TempDir, port: u16, settings: &[String]) -> Child {
    let mut command = Command::new("redis-server");
    command
        .arg("--port")
        .arg(port.to_string())
        .arg("--dir")
        .arg(folder.path());
    command.args(["--bind", "127.0.0.1", "--save", "", "--appendonly", "yes"]);
    command.args([
        "--appendfsync",
        "always",
        "--maxmemory-policy",
        "noeviction",
    ]);
    command.args(settings);
    let process = command.stdout(Stdio::null()).spawn().unwrap();
    let began = Instant::now();
    while std::net::TcpStream::connect(("127.0.0.1", port)).is_err() {
        assert!(
            began.elapsed() < Duration::from_secs(30),
            "redis-server started"
        );
        std::thread::sleep(Duration::from_millis(10));
    }
    process
}
