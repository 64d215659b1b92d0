//! The subscribers of a kill run: one that takes everything, one that fails first, one that always
//! fails.

use crate::server::{Api, NewSubscription};
use crate::subscribe::{Behaviour, Mode, Receipts, Subscriber};
use anyhow::Result;
use hyper::StatusCode;
use serde_json::json;
use std::path::Path;
use std::sync::Arc;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

/// Subscribers in this process, which no kill reaches.
pub(crate) struct Receiving {
    receipts: Receipts,
    tasks: Vec<JoinHandle<Result<()>>>,
}

impl Receiving {
    /// Starts them and subscribes them; receipts go to `receipts.ndjson` in the folder.
    pub(crate) async fn start(api: &Api, folder: &Path) -> Result<Self> {
        let mut receiving = Self {
            receipts: Receipts::create(&folder.join("receipts.ndjson"))?,
            tasks: Vec::new(),
        };
        let fails_first = Behaviour {
            fail_first: 2,
            ..Behaviour::default()
        };
        let fails = Behaviour {
            always: Some(StatusCode::INTERNAL_SERVER_ERROR),
            ..Behaviour::default()
        };
        receiving
            .add(api, "healthy", &[], Behaviour::default())
            .await?;
        let some = ["push", "status", "issues"];
        receiving
            .add(api, "fails-first", &some, fails_first)
            .await?;
        receiving
            .add(api, "always-fails", &["create", "delete"], fails)
            .await?;
        Ok(receiving)
    }

    async fn add(
        &mut self,
        api: &Api,
        name: &str,
        events: &[&str],
        behaviour: Behaviour,
    ) -> Result<()> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let new = NewSubscription {
            name,
            to: format!("http://{}/{name}", listener.local_addr()?),
            events,
            sign: "standard",
            policy: json!({"attempts_max": 5, "delay_first_ms": 100, "delay_max_ms": 1_000}),
        };
        let secret = api.subscribe(&new).await?;
        let subscriber = Subscriber::new(Mode::Standard, Some(secret.as_bytes()), behaviour)?;
        let subscriber = Arc::new(subscriber.recording(&self.receipts));
        self.tasks.push(tokio::spawn(subscriber.serve(listener)));
        Ok(())
    }

    /// Stops them; every receipt is in the file then.
    pub(crate) fn finish(self) -> Result<()> {
        self.tasks.iter().for_each(JoinHandle::abort);
        self.receipts.flush()
    }
}
