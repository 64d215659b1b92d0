//! The orders one by one.

use super::draw::{Order, secret};
use super::{ASK_AGAIN, BACK_WITHIN, EVERYTHING, Operator, Request};
use crate::chance::Chance;
use crate::clock::now_us;
use crate::kill::receiving::KINDS;
use crate::load::history::Outcome;
use crate::sign::Signer;
use anyhow::Result;
use hooklog_schemas::{ReceiptId, Timestamp};
use reqwest::Method;
use serde_json::{Value, json};
use std::sync::PoisonError;
use std::time::Instant;

/// Subscriptions that come and go: no more than these at a time.
const PASSING_MAX: usize = 6;
/// Deliveries that one order names at the most.
const NAMED_MAX: usize = 40;

impl Operator {
    pub(super) async fn order(&mut self, order: Order, chance: &mut Chance) -> Result<()> {
        match order {
            Order::Pause => self.pause(chance).await,
            Order::Resume => self.resume_one(chance).await,
            Order::Cancel => self.command("cancel", "open", chance).await,
            Order::Redrive => self.command("redrive", "dead", chance).await,
            Order::Replay => self.replay(chance).await,
            Order::Create if self.passing.len() < PASSING_MAX => self.create(chance).await,
            Order::Create | Order::Delete => self.delete(chance).await,
            Order::RotateSource => self.rotate_source(chance).await,
            Order::RotateSubscription => self.rotate_subscription(chance).await,
            Order::Erase => self.erase(chance).await.map(drop),
        }
    }

    fn any_name(&self, chance: &mut Chance) -> String {
        let all: Vec<_> = self.standing.iter().chain(&self.passing).collect();
        (*chance.pick(&all)).clone()
    }

    async fn pause(&mut self, chance: &mut Chance) -> Result<()> {
        let name = match chance.below(8) {
            0 => EVERYTHING.to_owned(),
            _ => self.any_name(chance),
        };
        self.hold("pause", &name).await?;
        self.paused.push(name);
        Ok(())
    }

    async fn resume_one(&mut self, chance: &mut Chance) -> Result<()> {
        if self.paused.is_empty() {
            return Ok(());
        }
        let which = chance.below(self.paused.len() as u64) as usize;
        let name = self.paused.swap_remove(which);
        self.resume(&name).await.map(drop)
    }

    pub(super) async fn resume(&mut self, name: &str) -> Result<Outcome> {
        let outcome = self.hold("resume", name).await;
        self.step += 1;
        outcome
    }

    async fn hold(&mut self, what: &'static str, name: &str) -> Result<Outcome> {
        let (path, body) = if name == EVERYTHING {
            (format!("deliveries/{what}"), json!({"all": true}))
        } else {
            (format!("subscriptions/{name}/{what}"), json!({}))
        };
        self.issue(Request::post(what, name, &path, body)).await
    }

    /// Half of the commands are about a subscription, half name deliveries.
    async fn command(
        &mut self,
        what: &'static str,
        state: &str,
        chance: &mut Chance,
    ) -> Result<()> {
        let ids = match chance.below(2) {
            0 => Vec::new(),
            _ => self.some_in(state, chance).await,
        };
        let (scope, about) = if ids.is_empty() {
            let name = self.any_name(chance);
            (json!({"subscription": name}), name)
        } else {
            (json!({"deliveries": ids}), format!("{} named", ids.len()))
        };
        let path = match what {
            "redrive" => "dead-letters/redrive",
            _ => "deliveries/cancel",
        };
        let body = json!({"scope": scope});
        self.issue(Request::post(what, &about, path, body)).await?;
        Ok(())
    }

    /// What came in the last seconds goes out once more, to all or to one. One in eight goes slowly, so
    /// that it is killed more than once.
    async fn replay(&mut self, chance: &mut Chance) -> Result<()> {
        let back = 1_000_000 * (1 + i64::try_from(chance.below(4))?);
        let from = Timestamp(now_us() - back).to_string();
        let rate = if chance.below(8) == 0 { 20 } else { 200 };
        let mut body = json!({"mode": "original_targets", "from": from, "rate_per_second": rate});
        let mut about = "all".to_owned();
        if chance.below(2) == 0 {
            about = self.any_name(chance);
            body["subscription"] = json!(about);
        }
        let order = Request::post("replay", &about, "replays", body);
        self.issue(order).await.map(drop)
    }

    async fn some_in(&self, state: &str, chance: &mut Chance) -> Vec<Value> {
        let path = format!("deliveries?state={state}&limit=200");
        let Ok((mut rows, _)) = self.api.page(&path).await else {
            return Vec::new();
        };
        let mut some = Vec::new();
        while some.len() < NAMED_MAX && !rows.is_empty() {
            let which = chance.below(rows.len() as u64) as usize;
            some.push(rows.swap_remove(which)["id"].take());
        }
        some
    }

    async fn create(&mut self, chance: &mut Chance) -> Result<()> {
        let kind = chance.pick(&KINDS[1..]);
        let name = format!("passing-{}-{}", self.step, kind.name);
        let (secret, why) = (secret(chance), self.why());
        let body = self.receiving.add(&name, kind, &secret, Some(&why)).await?;
        let order = Request::post("create", &name, "subscriptions", body);
        if self.issue(order).await? != Outcome::Fail {
            self.passing.push(name);
        }
        Ok(())
    }

    async fn delete(&mut self, chance: &mut Chance) -> Result<()> {
        if self.passing.is_empty() {
            return Ok(());
        }
        let which = chance.below(self.passing.len() as u64) as usize;
        let name = self.passing.swap_remove(which);
        let path = format!("subscriptions/{name}?reason=WHY");
        let order = Request {
            what: "delete",
            about: name.clone(),
            method: Method::DELETE,
            path: &path,
            body: None,
            receipt: None,
        };
        // Without an answer it may live on: then it is deleted again some day.
        if self.issue(order).await? == Outcome::Info {
            self.passing.push(name);
        }
        Ok(())
    }

    /// The load signs with the new secret as soon as it is known to be taken.
    async fn rotate_source(&mut self, chance: &mut Chance) -> Result<()> {
        let secret = format!("secret {:016x} of the source", chance.bits());
        let before = self.source_version().await?;
        let body = json!({"secret": secret, "overlap_seconds": 20, "expected": before});
        let order = Request::post("rotate source", "main", "sources/main/secrets", body);
        let outcome = self.issue(order).await?;
        let taken = match outcome {
            Outcome::Ok => true,
            Outcome::Fail => false,
            Outcome::Info => self.source_version().await? != before,
        };
        if taken {
            let mut signer = self.signer.write().unwrap_or_else(PoisonError::into_inner);
            *signer = Signer::github(secret.as_bytes())?;
        }
        Ok(())
    }

    async fn source_version(&self) -> Result<Value> {
        let start = Instant::now();
        loop {
            match self.api.call(Method::GET, "sources/main", None).await {
                Ok(mut source) => return Ok(source["version"].take()),
                Err(error) if start.elapsed() > BACK_WITHIN => return Err(error),
                Err(_) => tokio::time::sleep(ASK_AGAIN).await,
            }
        }
    }

    async fn rotate_subscription(&mut self, chance: &mut Chance) -> Result<()> {
        let name = self.any_name(chance);
        let secret = secret(chance);
        self.receiving.also(&name, &secret)?;
        let path = format!("subscriptions/{name}/secrets");
        let body = json!({"secret": secret, "overlap_seconds": 2});
        let order = Request::post("rotate subscription", &name, &path, body);
        self.issue(order).await.map(drop)
    }

    /// Erases any receipt that was ever seen; none if there is none yet.
    pub(super) async fn erase(&mut self, chance: &mut Chance) -> Result<Option<Outcome>> {
        if let Ok((rows, _)) = self.api.page("webhooks?limit=200").await {
            let ids = rows.iter().filter_map(|row| row["receipt"].as_str());
            let ids: Vec<ReceiptId> = ids.filter_map(|id| id.parse().ok()).collect();
            self.known.extend(ids);
        }
        if self.known.is_empty() {
            return Ok(None);
        }
        let which = chance.below(self.known.len() as u64) as usize;
        let receipt = self.known.swap_remove(which);
        let body = json!({"receipt": receipt});
        let mut order = Request::post("erase", &receipt.to_string(), "erasures", body);
        order.receipt = Some(receipt);
        self.issue(order).await.map(Some)
    }
}
