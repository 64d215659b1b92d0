//! Tables on the PostgreSQL server that `tools/services` started.

use hooklog::config::{ProjectConfig, StoreKind};
use sqlx::postgres::{PgConnectOptions, PgSslMode};
use sqlx::{AssertSqlSafe, ConnectOptions as _};
use std::path::PathBuf;
use uuid::Uuid;

/// The address of the server.
pub(crate) fn url() -> String {
    let url = std::env::var("HOOKLOG_TEST_POSTGRES");
    assert!(
        url.is_ok(),
        "HOOKLOG_TEST_POSTGRES is not set: run the tests by `tools/services run postgres -- cargo \
         nextest run --features store-postgres`"
    );
    url.unwrap()
}

fn file(name: &str) -> PathBuf {
    let folder = std::env::var("HOOKLOG_TEST_POSTGRES_FILES").unwrap();
    PathBuf::from(folder).join(name)
}

/// The section of the configuration for a schema of its own on the server at `url`.
pub(crate) fn section(url: &str) -> String {
    let schema = Uuid::now_v7().simple();
    let (ca, password) = (file("ca.pem"), file("password"));
    format!(
        "[project]\nstore = \"postgres\"\n[project.postgres]\nurl = \"{url}\"\n\
         schema = \"it_{schema}\"\nca_file = {ca:?}\npassword_file = {password:?}\n"
    )
}

fn options(url: &str) -> PgConnectOptions {
    let options: PgConnectOptions = url.parse().unwrap();
    let password = std::fs::read_to_string(file("password")).unwrap();
    options
        .password(password.trim())
        .ssl_mode(PgSslMode::VerifyFull)
        .ssl_root_cert(file("ca.pem"))
}

/// What a question about tables in `schema`, which are the user's of projections of the operator's own,
/// answers, as text.
pub(crate) async fn ask(schema: &str, question: &str) -> Option<String> {
    let options = options(&url().replace("//hooklog@", "//own@"));
    let options = options.options([("search_path", schema)]);
    let mut connection = options.connect().await.unwrap();
    let question = AssertSqlSafe(question.to_owned());
    let answer = sqlx::query_scalar(question)
        .fetch_one(&mut connection)
        .await;
    // The tables may not be there yet.
    answer.ok().flatten()
}

/// Makes the schema that `config` names, if it names any.
pub(crate) async fn make_schema(config: &ProjectConfig) {
    if config.store != StoreKind::Postgres {
        return;
    }
    let mut connection = options(&url()).connect().await.unwrap();
    let make = format!("CREATE SCHEMA {}", config.postgres.schema);
    let made = sqlx::raw_sql(AssertSqlSafe(make)).execute(&mut connection);
    made.await.unwrap();
}
