//! Projections of the operator's own, the whole way: the worked examples beside a server, and one that
//! is killed again and again.

use crate::harness::process::{Process, client, hooklog};
use crate::harness::subscriber::Subscriber;
use crate::harness::{On, SECRET, TestApp, write_configuration};
use hooklog::deliver::sign;
use hooklog::secret::Secret;
use serde_json::{Value, json};
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{AssertSqlSafe, ConnectOptions as _};
use std::path::Path;
use std::time::Duration;
use uuid::Uuid;

const EXAMPLES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/examples");

/// A server on `on` that keeps the worked examples, with the source `github`.
async fn start(on: On, more: &str) -> TestApp {
    let folder = tempfile::tempdir().unwrap();
    write_configuration(&folder, &on.section(folder.path()));
    let file = folder.path().join("hooklog.toml");
    let text = std::fs::read_to_string(&file).unwrap();
    let own = format!("[project.own]\nfolder = {EXAMPLES:?}\n{more}");
    std::fs::write(&file, text + &own).unwrap();
    #[cfg(feature = "store-postgres")]
    {
        let loaded = crate::harness::configuration(&folder);
        crate::harness::postgres::make_schema(&loaded.config.project).await;
    }
    let app = TestApp::open(folder).await;
    app.post("sources", json!({"name": "github", "secret": SECRET}))
        .await;
    app
}

/// Sends an alert and a push to two teams, and waits until they are delivered.
async fn play(app: &TestApp) {
    let subscriber = Subscriber::answering(&[200]).await;
    for (name, team, events) in [
        ("siem", "security", json!(["secret_scanning_alert"])),
        ("ci", "builders", json!([])),
    ] {
        let filter = json!({"events": events});
        let body = json!({"name": name, "team": team, "to": subscriber.url, "sign": "none", "filter": filter});
        app.post("subscriptions", body).await;
    }
    let body = json!({"action": "created", "repository": {"id": 7, "full_name": "acme/api"}});
    let alert = app.github("secret_scanning_alert", &body).await;
    let push = app.github("push", &crate::way::push()).await;
    for (guid, subscription) in [(&alert, "siem"), (&alert, "ci"), (&push, "ci")] {
        app.delivery(guid, subscription, "delivered").await;
    }
}

/// Waits until a question is answered like this.
async fn answers(app: &TestApp, expected: &str, ask: impl AsyncFn() -> Option<String>) {
    app.eventually(expected, async || {
        let answer = ask().await;
        (answer.as_deref() == Some(expected)).then_some(())
    })
    .await;
}

/// Waits until the worked examples say that they follow.
async fn follow(app: &TestApp) {
    app.eventually("the projections", async || {
        let own = app.get("projections").await["own"].clone();
        let done = |p: &Value| p["lag"] == 0 && p["answers"] == 1 && p["state"] == "follows";
        let all = own.as_array().unwrap();
        (all.len() == 2 && all.iter().all(done)).then_some(())
    })
    .await;
    let status = app.get("status").await;
    assert_eq!(
        status["own_projections"][1]["name"], "team_days",
        "{status}"
    );
}

const TEAMS: &str = "builders 2 2;security 1 1";

const RECIPIENTS: &str = "builders ci acme/api;security siem acme/api";

const DAYS: &str = "SELECT string_agg(line, ';') FROM (SELECT team || ' ' || deliveries || ' ' || delivered \
    AS line FROM team_days ORDER BY team) AS lines";

const RECEIVED: &str = "SELECT string_agg(line, ';') FROM (SELECT team || ' ' || subscription || ' ' || \
    repository AS line FROM received WHERE delivered_at IS NOT NULL ORDER BY team) AS lines";

async fn ask(folder: &Path, name: &str, question: &str) -> Option<String> {
    let file = folder.join("data/own").join(format!("{name}.sqlite"));
    let options = SqliteConnectOptions::new().filename(file).read_only(true);
    let mut connection = options.connect().await.ok()?;
    let question = AssertSqlSafe(question.to_owned());
    let answer = sqlx::query_scalar(question)
        .fetch_one(&mut connection)
        .await;
    // The tables may not be there yet.
    answer.ok().flatten()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_worked_examples_answer_beside_a_server() {
    let app = start(On::Embedded, "").await;
    play(&app).await;
    let folder = app.folder.path();
    answers(&app, TEAMS, async || ask(folder, "team_days", DAYS).await).await;
    let received = async || ask(folder, "secret_alerts", RECEIVED).await;
    answers(&app, RECIPIENTS, received).await;
    follow(&app).await;

    app.post("projections/rebuild", json!({"names": ["team_days"]}))
        .await;
    app.eventually("the new tables", async || {
        let own = app.get("projections").await["own"][1].clone();
        (own["kept"] == json!([1]) && own["state"] == "follows").then_some(())
    })
    .await;
    let days = ask(folder, "team_days", DAYS).await;
    assert_eq!(days.as_deref(), Some(TEAMS));
    app.stop().await;
}

#[cfg(feature = "store-postgres")]
#[tokio::test(flavor = "multi_thread")]
async fn the_worked_examples_answer_on_a_server_of_tables() {
    let url = crate::harness::postgres::url().replace("//hooklog@", "//own@");
    let password = std::env::var("HOOKLOG_TEST_POSTGRES_FILES").unwrap() + "/password";
    let more = format!("postgres_url = {url:?}\npostgres_password_file = {password:?}\n");
    let app = start(On::Postgres, &more).await;
    play(&app).await;
    let days = async || crate::harness::postgres::ask("own_team_days", DAYS).await;
    answers(&app, TEAMS, days).await;
    let received = async || crate::harness::postgres::ask("own_secret_alerts", RECEIVED).await;
    answers(&app, RECIPIENTS, received).await;
    follow(&app).await;
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_projection_holds_every_event_once_although_its_process_is_killed() {
    let mut folder = tempfile::tempdir().unwrap();
    let own = folder.path().join("own/decided");
    std::fs::create_dir_all(&own).unwrap();
    let manifest = "name = \"decided\"\nversion = 1\nevents = [\"webhook.routed\"]\n";
    std::fs::write(own.join("projection.toml"), manifest).unwrap();
    let sql = "-- hooklog: tables\nCREATE TABLE decided (n INTEGER NOT NULL);\n\
               -- hooklog: events\nINSERT INTO decided SELECT json_array_length($1);\n";
    std::fs::write(own.join("sqlite.sql"), sql).unwrap();
    let own = own.parent().unwrap();
    let section = format!(
        "[log]\nsegment_bytes = 67108864\nreserve_bytes = 67108864\n[project]\nbatch_wait_ms = 0\n\
         [project.own]\nfolder = {own:?}\nbatch_events_max = 3\n"
    );
    let mut sent = 0;
    for round in 0..4 {
        let server = Process::start(folder, &section).await;
        if round == 0 {
            server.create_source().await;
        }
        sent += send(&server).await;
        server.guard.signal("KILL");
        folder = server.folder;
    }
    let server = Process::start(folder, &section).await;
    let told = caught_up(&server).await;
    let total = "SELECT CAST(sum(n) AS TEXT) FROM decided";
    assert_eq!(
        ask(server.folder.path(), "decided", total).await,
        Some(sent.to_string()),
        "{told}"
    );
}

/// Sends webhooks, each of which is answered 200, and tells how many.
async fn send(server: &Process) -> u64 {
    let body = br#"{"ref":"refs/heads/main"}"#;
    let signature = sign::github(&Secret::new(SECRET.into()), body);
    for _ in 0..60 {
        let request = client()
            .post(format!("http://{}/webhooks/github", server.webhooks))
            .header("x-github-event", "push")
            .header("x-github-delivery", Uuid::new_v4().to_string())
            .header("x-hub-signature-256", &signature)
            .header("content-type", "application/json");
        assert_eq!(
            request
                .body(&body[..])
                .send()
                .await
                .unwrap()
                .status()
                .as_u16(),
            200
        );
    }
    60
}

/// Waits until all is routed, and folded; then the commands tell of it too.
async fn caught_up(server: &Process) -> String {
    let mut quiet = 0;
    while quiet < 10 {
        let own = server.get("projections").await["own"][0].clone();
        let done = own["lag"] == 0 && own["state"] == "follows";
        quiet = if done { quiet + 1 } else { 0 };
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let listed = server.client(&["projection", "list"]);
    let listed = String::from_utf8(listed.stdout).unwrap();
    assert!(listed.contains("Projections of your own"), "{listed}");
    assert!(listed.contains("decided     follows"), "{listed}");
    listed
}

#[test]
fn a_folder_can_be_tried_before_it_is_given_to_a_server() {
    for example in ["team_days", "secret_alerts"] {
        let folder = format!("{EXAMPLES}/{example}");
        let tried = hooklog(&["projection", "check", &folder]).output().unwrap();
        let said = String::from_utf8_lossy(&tried.stdout).into_owned();
        assert!(
            tried.status.success(),
            "{}",
            String::from_utf8_lossy(&tried.stderr)
        );
        assert!(
            said.contains(&format!("{example} version 1 is in order")),
            "{said}"
        );
        assert!(
            said.contains("sqlite.sql: its statements run without events"),
            "{said}"
        );
    }
    let folder = tempfile::tempdir().unwrap();
    let own = folder.path().join("mine");
    std::fs::create_dir(&own).unwrap();
    let manifest = "name = \"mine\"\nversion = 1\nevents = [\"webhook.routed\"]\n";
    std::fs::write(own.join("projection.toml"), manifest).unwrap();
    let sql = "-- hooklog: tables\nCREATE TABLE a (b);\n-- hooklog: events\nINSERT INTO a SELECT c, $1 FROM a;\n";
    std::fs::write(own.join("sqlite.sql"), sql).unwrap();
    let tried = hooklog(&["projection", "check"]).arg(own).output().unwrap();
    let said = String::from_utf8_lossy(&tried.stderr).into_owned();
    assert_eq!(tried.status.code(), Some(1));
    assert!(
        said.contains("sqlite.sql line 4: no such column: c"),
        "{said}"
    );
}
