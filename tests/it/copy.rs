//! A log that is copied to another back end and back stays the same log.

use crate::harness::subscriber::Subscriber;
use crate::harness::{On, TestApp, configuration, write_configuration};
use hooklog::app::{copy, log, offline};
use hooklog::config::Config;
use hooklog::project::Order;
use reqwest::Method;
use serde_json::json;
use std::path::Path;
use tempfile::TempDir;

#[tokio::test(flavor = "multi_thread")]
async fn a_log_copied_to_a_broker_and_back_gives_the_same_tables() {
    let app = TestApp::start(On::Embedded).await;
    history(&app, "secret").await;
    let here = app.stop().await;
    let broker = on_the_broker().await;
    let back = tempfile::tempdir().unwrap();

    let data = here.path().join("data");
    let on_broker = broker.path().join("hooklog.toml");
    let copied = copy::between(&data, &on_broker, |_| {}).await.unwrap();
    assert!(copied.records > 0 && copied.fillers == 0, "{copied:?}");
    let again = copy::between(&data, &on_broker, |_| {}).await.unwrap();
    assert_eq!(
        (again.records, again.resumed),
        (copied.records, copied.records)
    );
    let returned = copy::between(&on_broker, back.path(), |_| {})
        .await
        .unwrap();
    assert_eq!(returned.records, copied.records);

    let mut config = configuration(&here).config;
    let first = tables(&mut config, &data).await;
    assert_eq!(first, tables(&mut config, back.path()).await);
}

/// A delivered webhook, dead letters, and a webhook that was erased, whose body had `secret` in it.
pub(crate) async fn history(app: &TestApp, secret: &str) {
    let (well, ill) = (
        Subscriber::answering(&[200]).await,
        Subscriber::answering(&[500]).await,
    );
    for (name, to) in [("well", &well.url), ("ill", &ill.url)] {
        let policy = json!({"attempts_max": 1});
        let body = json!({"name": name, "to": to, "sign": "none", "policy": policy});
        app.post("subscriptions", body).await;
    }
    let kept = app.github("push", &json!({"ref": "refs/heads/main"})).await;
    let erased = app
        .github("push", &json!({"ref": "refs/heads/x", "after": secret}))
        .await;
    for guid in [&kept, &erased] {
        app.delivery(guid, "well", "delivered").await;
        app.delivery(guid, "ill", "dead").await;
    }
    let receipt = app.get(&format!("timeline/{erased}")).await["receipts"][0]["receipt"].clone();
    app.post(
        "erasures",
        json!({"receipt": receipt, "reason": "asked for"}),
    )
    .await;
    let body = format!("webhooks/{}/body", receipt.as_str().unwrap());
    app.eventually("the erasure", async || {
        let (status, _) = app.ask(Method::GET, &body, None).await;
        (!status.is_success()).then_some(())
    })
    .await;
}

/// A folder with the configuration of an empty log on the broker.
async fn on_the_broker() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    write_configuration(&folder, &On::Kafka.section(folder.path()));
    let file = folder.path().join("hooklog.toml");
    let text = std::fs::read_to_string(&file).unwrap();
    std::fs::write(&file, text.replace("partitions = 3", "partitions = 12")).unwrap();
    log::init(&configuration(&folder).config.log).await.unwrap();
    folder
}

/// What the tables say when they are built from the log of `data` alone.
pub(crate) async fn tables(config: &mut Config, data: &Path) -> String {
    config.data = data.to_owned();
    offline::rebuild(config, &Order::default(), |_| {})
        .await
        .unwrap();
    offline::hash(config).await.unwrap()
}
