//! What is done to the processes, as the seed says.

use super::cluster::{Cluster, SESSION};
use super::journal::Kind;
use super::member::Member;
use crate::chance::Chance;
use crate::clock::now_us;
use anyhow::{Context as _, Result};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Mutex;
use tokio::task::JoinSet;
use tokio::time::Instant;

/// Every kind comes once before any comes again, so that short runs have each of them.
const DECK: [Kind; 6] = [
    Kind::WorkerKilled,
    Kind::WorkerPaused,
    Kind::ReceiverStopped,
    Kind::ReceiverKilled,
    Kind::BrokerRestarted,
    Kind::BrokerKilled,
];
/// Faults that may overlap.
const AT_ONCE: usize = 2;
/// How long a process is away at the most before it is started again, in milliseconds.
const AWAY_MAX_MS: u64 = 2_000;
/// How long the log is there between two faults of the broker: on a slow machine it would hardly ever
/// be there otherwise, and nothing would be under way when it goes.
const REST: Duration = Duration::from_secs(8);
/// How much longer than the session a pause lasts, at least and at the most, in milliseconds.
const BEYOND_MS: (u64, u64) = (1_500, 5_000);

/// Breaks something on average every `mean`, until `until`; then waits until all is well again.
pub(super) async fn torment(
    cluster: Arc<Cluster>,
    seed: u64,
    mean: Duration,
    until: Instant,
) -> Result<()> {
    let mut going_on = JoinSet::new();
    for step in 0.. {
        let mut chance = Chance::at(!seed, step);
        let next = Instant::now() + mean.mul_f64(2.0 * chance.fraction());
        if next >= until {
            break;
        }
        tokio::time::sleep_until(next).await;
        while going_on.len() >= AT_ONCE {
            over(going_on.join_next().await)?;
        }
        let kind = drawn(seed, step);
        let cluster = Arc::clone(&cluster);
        going_on.spawn(async move { cluster.suffer(kind, chance).await });
    }
    while let Some(ended) = going_on.join_next().await {
        over(Some(ended))?;
    }
    Ok(())
}

fn over(ended: Option<Result<Result<()>, tokio::task::JoinError>>) -> Result<()> {
    ended.map_or(Ok(()), |ended| ended.context("a fault died")?)
}

/// The kind of fault number `step`.
fn drawn(seed: u64, step: u64) -> Kind {
    let length = DECK.len() as u64;
    let mut chance = Chance::at(seed, step / length);
    let mut deck = DECK;
    for left in (1..deck.len()).rev() {
        deck.swap(left, chance.below(left as u64 + 1) as usize);
    }
    deck[(step % length) as usize]
}

impl Cluster {
    async fn suffer(&self, kind: Kind, mut chance: Chance) -> Result<()> {
        match kind {
            Kind::WorkerPaused => self.pause(one(&self.workers, &mut chance), chance).await,
            Kind::WorkerKilled => {
                self.end(kind, one(&self.workers, &mut chance), chance)
                    .await
            }
            Kind::BrokerRestarted | Kind::BrokerKilled => {
                let _only = self.breaking.lock().await;
                self.break_log(kind, away(&mut chance)).await?;
                tokio::time::sleep(REST).await;
                Ok(())
            }
            _ => {
                let receiver = one(&self.receivers, &mut chance);
                self.end(kind, receiver, chance).await
            }
        }
    }

    async fn end(&self, kind: Kind, member: &Mutex<Member>, mut chance: Chance) -> Result<()> {
        let mut member = member.lock().await;
        let begin = now_us();
        match kind {
            Kind::ReceiverStopped => member.stop().await?,
            _ => member.kill().await?,
        }
        tokio::time::sleep(away(&mut chance)).await;
        member.start()?;
        member.ready().await?;
        self.journal.over(kind, &member.name, begin)
    }

    async fn pause(&self, member: &Mutex<Member>, mut chance: Chance) -> Result<()> {
        let mut member = member.lock().await;
        let begin = now_us();
        member.signal("STOP").await?;
        let beyond = BEYOND_MS.0 + chance.below(BEYOND_MS.1 - BEYOND_MS.0);
        tokio::time::sleep(SESSION + Duration::from_millis(beyond)).await;
        member.signal("CONT").await?;
        member.ready().await?;
        self.journal.over(Kind::WorkerPaused, &member.name, begin)
    }

    /// Takes the log away from everybody for `away`, and for as long as a start takes.
    pub(super) async fn break_log(&self, kind: Kind, away: Duration) -> Result<()> {
        let broker = self.broker.lock().await;
        let begin = now_us();
        match kind {
            Kind::BrokerRestarted => broker.stop().await?,
            _ => broker.kill().await?,
        }
        tokio::time::sleep(away).await;
        broker.start_again().await?;
        self.journal.over(kind, "broker", begin)
    }
}

fn away(chance: &mut Chance) -> Duration {
    Duration::from_millis(chance.below(AWAY_MAX_MS))
}

fn one<'a>(members: &'a [Mutex<Member>], chance: &mut Chance) -> &'a Mutex<Member> {
    &members[chance.below(members.len() as u64) as usize]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_of_fault_comes_once_in_each_round_and_the_seed_decides_when() {
        let round = |seed, first| (first..first + 6).map(|step| drawn(seed, step)).collect();
        let (one, two): (Vec<_>, Vec<_>) = (round(7, 0), round(7, 6));
        for kind in DECK {
            assert!(one.contains(&kind) && two.contains(&kind), "{kind:?}");
        }
        assert_eq!(one, round(7, 0));
        assert!((0..20).any(|seed| round(seed, 0) != one));
    }
}
