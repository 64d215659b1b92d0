//! Projections of somebody's own: a user of theirs, and users that are refused.

use super::*;
use crate::project::own::{OwnStore as _, Set};
use crate::project::stores::postgres::PostgresOwn;

/// Settings with which projections of somebody's own get in; hooklog's tables are there.
pub(crate) async fn config() -> ProjectConfig {
    let mut config = made().await;
    let mut store = PostgresStore::new(&config).unwrap();
    store.stored().await.unwrap();
    config.own.postgres_url = Some(url().replace("//hooklog@", "//own@"));
    config.own.postgres_password_file = file("password");
    config
}

/// What a question about the tables in a schema answers, as text.
pub(crate) async fn ask(config: &ProjectConfig, schema: &str, question: &str) -> String {
    let connector = Connector::own(config, schema).unwrap();
    let options = connector.options().unwrap();
    let mut connection = PgConnection::connect_with(&options).await.unwrap();
    let answer = sqlx::query_scalar(AssertSqlSafe(question.to_owned())).fetch_one(&mut connection);
    answer.await.unwrap()
}

async fn refused(config: &ProjectConfig) -> String {
    let mut store = PostgresOwn::new(config, "mine").unwrap();
    store.stored(Set::Live).await.unwrap_err().to_string()
}

#[tokio::test]
async fn a_user_who_could_touch_our_tables_is_refused() {
    let mut config = config().await;
    config.own.postgres_url = config.postgres.url.clone();
    let told = refused(&config).await;
    let expected = format!(
        "may use the schema {} of hooklog's tables",
        config.postgres.schema
    );
    assert!(
        told.contains(&expected) && told.contains("the user hooklog"),
        "{told}"
    );
}

#[tokio::test]
async fn a_user_who_ends_what_others_do_or_copies_the_server_is_refused() {
    let mut config = config().await;
    for user in ["signals", "copies"] {
        config.own.postgres_url = Some(url().replace("//hooklog@", &format!("//{user}@")));
        let told = refused(&config).await;
        assert!(told.contains("one who rules the server"), "{told}");
    }
}

#[tokio::test]
async fn a_user_who_was_let_into_our_schema_is_refused() {
    let config = config().await;
    let schema = &config.postgres.schema;
    execute(&config, format!("GRANT USAGE ON SCHEMA {schema} TO own")).await;
    let told = refused(&config).await;
    assert!(told.contains("may use the schema"), "{told}");
}

#[tokio::test]
async fn a_user_who_may_make_no_schemas_is_told_how() {
    let mut config = config().await;
    config.own.postgres_url = Some(url().replace("//hooklog@", "//guest@"));
    let told = refused(&config).await;
    assert!(
        told.contains("GRANT CREATE ON DATABASE hooklog TO guest"),
        "{told}"
    );
}

#[tokio::test]
async fn a_password_that_is_wrong_is_told_by_its_own_keys() {
    let mut config = config().await;
    config.own.postgres_password_file = file("ca.pem");
    let told = refused(&config).await;
    assert!(
        told.contains("project.own.postgres_password_file must be it"),
        "{told}"
    );
}
