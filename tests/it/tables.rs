//! Tables on a server: what goes on while it is away.

use crate::harness::subscriber::Subscriber;
use crate::harness::way::Way;
use crate::harness::{On, SECRET, TestApp, write_configuration};
use crate::way::push;
use reqwest::{Method, StatusCode};
use serde_json::json;

/// A server on embedded files whose tables are where `section` says.
async fn start(section: &str) -> TestApp {
    let folder = tempfile::tempdir().unwrap();
    write_configuration(&folder, &On::Embedded.section(folder.path()));
    let file = folder.path().join("hooklog.toml");
    let text = std::fs::read_to_string(&file).unwrap();
    std::fs::write(&file, text + section).unwrap();
    #[cfg(feature = "store-postgres")]
    {
        let config = crate::harness::configuration(&folder).config;
        crate::harness::postgres::make_schema(&config.project).await;
    }
    TestApp::open(folder).await
}

/// Waits until a webhook is in the tables.
async fn in_tables(app: &TestApp, guid: &str) {
    app.eventually("the timeline", async || {
        let (status, timeline) = app
            .ask(Method::GET, &format!("timeline/{guid}"), None)
            .await;
        let there = timeline["deliveries"][0]["state"] == "delivered";
        (status.is_success() && there).then_some(())
    })
    .await;
}

/// A webhook that was taken and delivered, as the `sent`th of the subscriber's.
async fn passed(app: &TestApp, subscriber: &Subscriber, sent: usize) -> String {
    let guid = app.github("push", &push()).await;
    app.eventually("the delivery", async || {
        (subscriber.seen().len() == sent).then_some(())
    })
    .await;
    guid
}

/// A question is answered 503 with the reason, and the process is ready for webhooks all the same.
async fn tells_why_not(app: &TestApp) {
    let answer = app
        .eventually("the answer that there is none", async || {
            let (status, answer) = app.ask(Method::GET, "deliveries", None).await;
            (status == StatusCode::SERVICE_UNAVAILABLE).then_some(answer)
        })
        .await
        .to_string();
    assert!(answer.contains("localhost"), "{answer}");
    app.eventually("the note of the projector", async || {
        let ready = app.ready().await;
        assert_eq!(ready["ready"], true, "{ready}");
        let parts = ready["parts"].to_string();
        parts.contains("the tables stand still").then_some(())
    })
    .await;
}

#[cfg(feature = "store-postgres")]
#[tokio::test(flavor = "multi_thread")]
async fn while_the_tables_are_away_webhooks_come_in_and_go_out_and_questions_say_why_not() {
    use crate::harness::postgres::{section, url};
    let way = Way::cut(&url()).await;
    while_away(&way, &section(way.url())).await;
}

#[cfg(feature = "store-mongodb")]
#[tokio::test(flavor = "multi_thread")]
async fn while_mongodb_is_away_webhooks_come_in_and_go_out_and_questions_say_why_not() {
    use crate::harness::mongodb::{section, uri};
    let way = Way::cut(&uri()).await;
    while_away(&way, &section(way.url())).await;
}

async fn while_away(way: &Way, section: &str) {
    // Not even the start needs them.
    let app = start(section).await;
    let source = json!({"name": "github", "secret": SECRET});
    app.post("sources", source).await;
    let subscriber = Subscriber::answering(&[200]).await;
    let body = json!({"name": "billing", "to": subscriber.url, "sign": "none"});
    app.post("subscriptions", body).await;
    let first = passed(&app, &subscriber, 1).await;
    tells_why_not(&app).await;
    way.mend(true);
    in_tables(&app, &first).await;

    way.mend(false);
    let second = passed(&app, &subscriber, 2).await;
    tells_why_not(&app).await;
    way.mend(true);
    in_tables(&app, &second).await;
    app.stop().await;
}
