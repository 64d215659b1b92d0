//! Every wrong setting gives a message that says what to change.

use super::*;

/// What is told when a projector would start with these settings.
async fn refused(config: &ProjectConfig) -> StoreError {
    let mut store = PostgresStore::new(config).unwrap();
    store.stored().await.unwrap_err()
}

/// Asserts that waiting does not help, and that the message says all of this.
fn tells(error: &StoreError, words: &[&str]) {
    let told = error.to_string();
    assert!(!error.may_pass(), "{told}");
    for word in words {
        assert!(told.contains(word), "{word}: {told}");
    }
    assert!(!told.contains("secret of a test"), "{told}");
}

/// The address, of another user.
fn of_user(name: &str) -> Option<String> {
    Some(url().replace("hooklog@", &format!("{name}@")))
}

/// The address, of another database.
fn of_database(name: &str) -> Option<String> {
    let url = url();
    let (server, _) = url.rsplit_once('/').unwrap();
    Some(format!("{server}/{name}"))
}

#[tokio::test]
async fn a_server_that_is_away_may_come_back() {
    let mut config = config();
    config.postgres.url = Some("postgres://hooklog@localhost:1/hooklog".to_owned());
    let error = refused(&config).await;
    assert!(error.may_pass());
    let told = error.to_string();
    assert!(told.contains("localhost:1 cannot be reached"), "{told}");
    assert!(told.contains("project.postgres.url"), "{told}");
    let tables = PostgresTables::new(&config.postgres).unwrap();
    let told = tables.snapshot().await.err().unwrap().to_string();
    assert!(told.contains("localhost:1 cannot be reached"), "{told}");
}

#[tokio::test]
async fn a_wrong_password_says_which_file_to_look_at() {
    let mut config = made().await;
    config.postgres.password_file = file("ca.pem");
    tells(&refused(&config).await, &["user hooklog", "password_file"]);
    config.postgres.password_file = Some(PathBuf::from("/nowhere/password"));
    tells(
        &refused(&config).await,
        &["/nowhere/password", "cannot be read"],
    );
}

#[tokio::test]
async fn a_missing_schema_or_database_says_how_to_make_it() {
    let mut config = config();
    let schema = config.postgres.schema.clone();
    let made = format!("CREATE SCHEMA {schema} AUTHORIZATION hooklog");
    tells(&refused(&config).await, &[&made, "project.postgres.schema"]);
    config.postgres.url = of_database("nowhere");
    tells(
        &refused(&config).await,
        &["no database nowhere", "CREATE DATABASE"],
    );
}

#[tokio::test]
async fn a_user_that_does_not_own_the_schema_is_told_how_it_would() {
    let mut config = made().await;
    config.postgres.url = of_user("guest");
    let schema = config.postgres.schema.clone();
    let owner = format!("ALTER SCHEMA {schema} OWNER TO guest");
    tells(&refused(&config).await, &["user guest may not", &owner]);
}

#[tokio::test]
async fn a_database_that_cannot_hold_every_character_is_refused() {
    let mut config = config();
    config.postgres.url = of_database("latin");
    tells(&refused(&config).await, &["LATIN1", "ENCODING 'UTF8'"]);
}

#[tokio::test]
async fn a_server_that_nobody_vouches_for_is_not_trusted() {
    let mut config = made().await;
    config.postgres.ca_file = None;
    tells(
        &refused(&config).await,
        &["cannot be trusted", "ca_file", "sslmode"],
    );
    config.postgres.sslmode = SslMode::Require;
    PostgresStore::new(&config).unwrap().stored().await.unwrap();
    config.postgres.sslmode = SslMode::Disable;
    PostgresStore::new(&config).unwrap().stored().await.unwrap();
}

#[tokio::test]
async fn a_certificate_of_our_own_lets_us_in_without_a_password() {
    let mut config = made().await;
    let schema = config.postgres.schema.clone();
    execute(&config, format!("GRANT ALL ON SCHEMA {schema} TO client")).await;
    config.postgres.url = of_user("client");
    config.postgres.password_file = None;
    tells(&refused(&config).await, &["user client", "pg_hba.conf"]);
    config.postgres.cert_file = file("client.pem");
    config.postgres.key_file = file("client-key.pem");
    let mut store = PostgresStore::new(&config).unwrap();
    assert_eq!(store.stored().await.unwrap(), None);
}

#[tokio::test]
async fn a_password_that_is_changed_is_read_anew() {
    let mut config = made().await;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("password");
    let right = std::fs::read(file("password").unwrap()).unwrap();
    std::fs::write(&path, "of yesterday").unwrap();
    config.postgres.password_file = Some(path.clone());
    let tables = PostgresTables::new(&config.postgres).unwrap();
    let told = tables.snapshot().await.err().unwrap().to_string();
    assert!(told.contains("password_file"), "{told}");
    std::fs::write(&path, right).unwrap();
    let told = tables.snapshot().await.err().unwrap().to_string();
    assert!(told.contains("not there yet"), "{told}");
    let mut store = PostgresStore::new(&config).unwrap();
    store.stored().await.unwrap();
}

#[tokio::test]
async fn what_is_not_ours_in_the_schema_stays() {
    let config = made().await;
    let place = place_in(config.clone());
    let mut store = place.open().await;
    store
        .acquire("a test", Duration::from_secs(9))
        .await
        .unwrap();
    let start = Checkpoint::start(hooklog_schemas::EventId(Uuid::nil()));
    store.create(&start).await.unwrap();
    execute(&config, "CREATE TABLE notes_of_a_person (note TEXT)").await;
    let holder = Holder {
        writer: "a builder",
        lease: Duration::from_secs(9),
    };
    let built = store.build(&PROJECTIONS, &start, holder).await;
    drop(built.unwrap());
    let set = store.sets().await.unwrap().remove(0).name;
    let old = store.switch(&set, &start).await.unwrap().unwrap();
    store.drop_set(&old, holder).await.unwrap();
    execute(
        &config,
        "INSERT INTO notes_of_a_person VALUES ('still here')",
    )
    .await;
}
