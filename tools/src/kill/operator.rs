//! Somebody who orders all sorts of things while the server is killed. The seed draws what and
//! when; the log tells what became of it.

mod draw;
mod orders;

use super::issued::{Issued, Recorder};
use super::receiving::Receiving;
use crate::chance::Chance;
use crate::load::history::Outcome;
use crate::server::{Api, Reply};
use crate::sign::Signer;
use anyhow::{Result, bail};
use draw::Order;
pub(super) use draw::secret;
use hooklog_schemas::ReceiptId;
use reqwest::Method;
use serde_json::Value;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, RwLock};
use std::time::{Duration, Instant};

/// A server that restarts is away for a while.
const BACK_WITHIN: Duration = Duration::from_secs(60);
const ASK_AGAIN: Duration = Duration::from_millis(20);

/// Who orders, and what it knows.
pub(crate) struct Operator {
    api: Api,
    receiving: Receiving,
    signer: Arc<RwLock<Signer>>,
    recorder: Recorder,
    seed: u64,
    step: u64,
    /// Subscriptions that stay.
    standing: Vec<String>,
    /// Subscriptions that come and go.
    passing: Vec<String>,
    /// What is held back; [`EVERYTHING`] is all deliveries.
    paused: Vec<String>,
    /// Receipts that may be erased.
    known: Vec<ReceiptId>,
}

/// Stands for all deliveries; it is no name of a subscription.
const EVERYTHING: &str = "*";

impl Operator {
    /// Subscribes one subscriber of each kind.
    pub(crate) async fn start(
        api: Api,
        folder: &Path,
        signer: Arc<RwLock<Signer>>,
        seed: u64,
    ) -> Result<Self> {
        let mut operator = Self {
            api,
            receiving: Receiving::new(folder)?,
            signer,
            recorder: Recorder::create(&folder.join("commands.ndjson"))?,
            seed,
            step: 0,
            standing: Vec::new(),
            passing: Vec::new(),
            paused: Vec::new(),
            known: Vec::new(),
        };
        for body in operator.receiving.add_each(seed).await? {
            let name = body["name"].as_str().unwrap_or_default();
            operator.standing.push(name.to_owned());
            let api = &operator.api;
            api.call(Method::POST, "subscriptions", Some(body)).await?;
        }
        Ok(operator)
    }

    /// Orders until `stop` is set, on average every `gap`.
    pub(crate) async fn run(mut self, stop: Arc<AtomicBool>, gap: Duration) -> Result<Self> {
        while !stop.load(Ordering::Relaxed) {
            let mut chance = Chance::at(self.seed, self.step);
            tokio::time::sleep(gap.mul_f64(2.0 * chance.fraction())).await;
            let order = Order::draw(&mut chance);
            self.order(order, &mut chance).await?;
            self.step += 1;
        }
        Ok(self)
    }

    /// Lets go everything that is held back, so that all deliveries can end.
    pub(crate) async fn resume_all(&mut self) -> Result<()> {
        let (rows, _) = self.api.page("subscriptions?limit=500").await?;
        let names = rows.iter().filter_map(|row| row["name"].as_str());
        let mut left: Vec<String> = names.map(str::to_owned).collect();
        left.push(EVERYTHING.to_owned());
        for name in left {
            while self.resume(&name).await? == Outcome::Info {
                tokio::time::sleep(ASK_AGAIN).await;
            }
        }
        Ok(())
    }

    /// Erases `count` receipts, and insists.
    pub(crate) async fn erase_some(&mut self, count: u64) -> Result<()> {
        for _ in 0..count {
            let mut chance = Chance::at(self.seed, self.step);
            let start = Instant::now();
            while self.erase(&mut chance).await? != Some(Outcome::Ok) {
                if start.elapsed() > BACK_WITHIN {
                    bail!("no receipt could be erased within {BACK_WITHIN:?}");
                }
                self.step += 1;
                tokio::time::sleep(ASK_AGAIN).await;
            }
            self.step += 1;
        }
        Ok(())
    }

    /// What was ordered, in a line.
    pub(crate) fn summary(&self) -> String {
        self.recorder.to_string()
    }

    /// Stops the subscribers; all that they saw is in its file then.
    pub(crate) fn finish(self) -> Result<()> {
        self.receiving.finish()
    }

    /// Gives the order until a server is there to take it, and records what it said.
    async fn issue(&mut self, order: Request<'_>) -> Result<Outcome> {
        let start = Instant::now();
        let why = self.why();
        let path = order.path.replace("WHY", &why);
        let body = order.body.map(|mut body| {
            body["reason"] = why.as_str().into();
            body
        });
        let (status, answer) = loop {
            let asked = self.api.ask(order.method.clone(), &path, body.clone());
            match asked.await {
                Reply::Away if start.elapsed() > BACK_WITHIN => bail!("the server stays away"),
                Reply::Away => tokio::time::sleep(ASK_AGAIN).await,
                Reply::Lost => break (None, String::new()),
                Reply::Answer(status, answer) => break (Some(status), answer),
            }
        };
        let outcome = Outcome::of(status);
        self.recorder.write(&Issued {
            why,
            what: order.what.to_owned(),
            about: order.about,
            receipt: order.receipt,
            outcome: if was_idle(&answer) {
                Outcome::Fail
            } else {
                outcome
            },
            status,
        })?;
        Ok(outcome)
    }

    /// The reason of the present order: it names the event in the log.
    fn why(&self) -> String {
        format!("order-{}", self.step)
    }
}

/// Whether an answer says that there was nothing to do, so that nothing was appended.
fn was_idle(answer: &str) -> bool {
    let answer: Value = serde_json::from_str(answer).unwrap_or_default();
    answer["changed"] == false || (answer["count"] == 0 && answer.get("offset").is_none())
}

/// An order as it goes to the API. `WHY` in the path stands for the reason.
struct Request<'a> {
    what: &'static str,
    about: String,
    method: Method,
    path: &'a str,
    body: Option<Value>,
    receipt: Option<ReceiptId>,
}

impl<'a> Request<'a> {
    fn post(what: &'static str, about: &str, path: &'a str, body: Value) -> Self {
        Self {
            what,
            about: about.to_owned(),
            method: Method::POST,
            path,
            body: Some(body),
            receipt: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_tells_whether_there_was_anything_to_do() {
        assert!(was_idle(r#"{"changed":false}"#));
        assert!(was_idle(r#"{"count":0}"#));
        assert!(!was_idle(r#"{"changed":true,"event":"e"}"#));
        assert!(!was_idle(r#"{"count":0,"command":"e","offset":3}"#));
        assert!(!was_idle(""));
    }
}
