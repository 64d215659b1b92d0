//! A server goes away, and comes back.

use super::server::Server;
use crate::intake::{Intake, IntakeError};
use bytes::Bytes;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

#[tokio::test(flavor = "multi_thread")]
async fn what_was_confirmed_is_there_after_kills_and_both_sides_go_on() {
    let mut server = Server::start(&[]);
    let queue = Arc::new(server.stream().open().await);
    let mut confirmed = BTreeSet::new();
    for round in 0..3 {
        let producing = (0..4).map(|producer| {
            let queue = Arc::clone(&queue);
            tokio::spawn(async move {
                let mut confirmed = Vec::new();
                for number in 0.. {
                    let one = Bytes::from(format!("{round} {producer} {number}"));
                    match queue.enqueue(vec![one.clone()]).await {
                        Ok(()) => confirmed.push(one),
                        Err(error) => {
                            assert!(matches!(error, IntakeError::Unavailable(_)), "{error:?}");
                            break;
                        }
                    }
                }
                confirmed
            })
        });
        let producing: Vec<_> = producing.collect();
        let began = Instant::now();
        while queue.depth().await.unwrap().waiting < Some(50 * (round + 1)) {
            assert!(began.elapsed() < Duration::from_secs(60));
        }
        server.kill();
        for producer in producing {
            confirmed.extend(producer.await.unwrap());
        }
        assert!(queue.receive(1).await.is_err());
        server.restart();
    }
    let mut missing = confirmed.clone();
    let began = Instant::now();
    while !missing.is_empty() {
        assert!(
            began.elapsed() < Duration::from_secs(60),
            "{missing:?} are lost"
        );
        // Redis may still be loading.
        let Ok(received) = queue.receive(100).await else {
            continue;
        };
        let tokens = received.iter().map(|one| one.token.clone()).collect();
        queue.acknowledge(tokens).await.unwrap();
        for one in received {
            missing.remove(&one.bytes);
        }
    }
    assert!(confirmed.len() >= 150, "{} were confirmed", confirmed.len());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restart_between_two_webhooks_costs_none() {
    let mut server = Server::start(&[]);
    let queue = server.stream().open().await;
    queue
        .enqueue(vec![Bytes::from_static(b"before")])
        .await
        .unwrap();
    server.kill();
    server.restart();
    let began = Instant::now();
    loop {
        match queue.enqueue(vec![Bytes::from_static(b"after")]).await {
            Ok(()) => return,
            // It is up and loads its data; nothing else is excused.
            Err(error) => assert!(error.to_string().contains("LOADING"), "{error}"),
        }
        assert!(began.elapsed() < Duration::from_secs(30));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_hangs_is_an_error_in_time() {
    let server = Server::start(&["--enable-debug-command", "yes"]);
    let mut stream = server.stream();
    stream.config.timeout_ms = 300;
    let queue = stream.clone().open().await;
    stream.config.timeout_ms = 5_000;
    let other = stream.open().await;
    let pause = redis::cmd("DEBUG").arg("SLEEP").arg("2").to_owned();
    let pausing = tokio::spawn(async move { other.asking.ask::<String>(&pause).await });
    let began = Instant::now();
    loop {
        match queue.enqueue(vec![Bytes::from_static(b"x")]).await {
            Ok(()) => assert!(began.elapsed() < Duration::from_secs(1), "it never hung"),
            Err(IntakeError::Unavailable(_)) => break,
            Err(error) => panic!("{error}"),
        }
    }
    assert!(
        began.elapsed() < Duration::from_secs(2),
        "{:?}",
        began.elapsed()
    );
    pausing.await.unwrap().unwrap();
    queue.enqueue(vec![Bytes::from_static(b"x")]).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_webhook_waits_for_the_replicas_that_are_asked_for() {
    let server = Server::start(&[]);
    let mut stream = server.stream();
    stream.config.replicas_min = 1;
    stream.config.timeout_ms = 600;
    let queue = stream.open().await;
    let alone = queue.enqueue(vec![Bytes::from_static(b"x")]).await;
    let told = alone.unwrap_err().to_string();
    assert!(
        told.contains("0 replicas") && told.contains("replicas_min is 1"),
        "{told}"
    );
    let primary = server.port().to_string();
    let _replica = Server::start(&["--replicaof", "127.0.0.1", &primary]);
    let began = Instant::now();
    while queue.enqueue(vec![Bytes::from_static(b"x")]).await.is_err() {
        assert!(
            began.elapsed() < Duration::from_secs(30),
            "the replica has it"
        );
    }
}
