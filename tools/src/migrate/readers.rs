//! Readers that ask the same questions again and again.

use crate::load::Latencies;
use crate::server::Api;
use anyhow::{Context as _, Result};
use reqwest::Method;
use serde::Serialize;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};
use tokio::task::JoinHandle;

/// The pause between two questions of one reader.
const PAUSE: Duration = Duration::from_millis(20);

/// What readers met.
#[derive(Debug, Default, Serialize)]
pub(super) struct Reading {
    /// Answers.
    pub(super) answers: u64,
    /// Of these, those that were errors.
    pub(super) failed: u64,
    /// What the first of them said.
    pub(super) first_error: Option<String>,
    /// How long answers took.
    pub(super) latency: Latencies,
}

/// Tasks that ask.
pub(super) struct Readers {
    stop: Arc<AtomicBool>,
    tasks: Vec<JoinHandle<(Reading, Vec<u32>)>>,
}

impl Readers {
    /// One reader for each kind of question, about what is there now and what was there then.
    pub(super) async fn start(api: &Api) -> Result<Self> {
        let (rows, _) = api.page("deliveries?limit=1").await?;
        let row = rows.first().context("there are no deliveries")?;
        let (guid, id) = (row["guid"].as_str(), row["id"].as_str());
        let (guid, id) = (guid.unwrap_or_default(), id.unwrap_or_default());
        let questions = [
            "deliveries?limit=50".to_owned(),
            "deliveries?limit=50&state=open".to_owned(),
            "deliveries?limit=50&as_of=deliveries/0@100".to_owned(),
            "webhooks?limit=50".to_owned(),
            "counts".to_owned(),
            format!("timeline/{guid}"),
            format!("deliveries/{id}"),
        ];
        let stop = Arc::new(AtomicBool::new(false));
        let task = |path| tokio::spawn(read(api.clone(), path, Arc::clone(&stop)));
        Ok(Self {
            tasks: questions.into_iter().map(task).collect(),
            stop: Arc::clone(&stop),
        })
    }

    /// Ends them, and adds up what they met.
    pub(super) async fn stop(self) -> Reading {
        self.stop.store(true, Ordering::Relaxed);
        let (mut sum, mut micros) = (Reading::default(), Vec::new());
        for task in self.tasks {
            let Ok((reading, took)) = task.await else {
                sum.failed += 1;
                sum.first_error = Some("a reader died".to_owned());
                continue;
            };
            sum.answers += reading.answers;
            sum.failed += reading.failed;
            sum.first_error = sum.first_error.or(reading.first_error);
            micros.extend(took);
        }
        sum.latency = Latencies::of(micros);
        sum
    }
}

async fn read(api: Api, path: String, stop: Arc<AtomicBool>) -> (Reading, Vec<u32>) {
    let (mut reading, mut micros) = (Reading::default(), Vec::new());
    while !stop.load(Ordering::Relaxed) {
        let start = Instant::now();
        reading.answers += 1;
        match api.call(Method::GET, &path, None).await {
            Ok(_) => micros.push(u32::try_from(start.elapsed().as_micros()).unwrap_or(u32::MAX)),
            Err(error) => {
                reading.failed += 1;
                let said = || format!("{path}: {error:#}");
                reading.first_error.get_or_insert_with(said);
            }
        }
        tokio::time::sleep(PAUSE).await;
    }
    (reading, micros)
}
