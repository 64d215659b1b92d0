//! Every wrong setting gives a message that says what to change.

use super::*;

/// What is told when a projector would start with these settings.
async fn refused(config: &ProjectConfig) -> StoreError {
    MongodbStore::new(config).stored().await.unwrap_err()
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

#[tokio::test]
async fn a_server_that_is_away_may_come_back() {
    let mut config = config();
    config.mongodb.uri = Some("mongodb://localhost:1".to_owned());
    config.mongodb.connect_timeout_ms = 300;
    let error = refused(&config).await;
    let told = error.to_string();
    assert!(error.may_pass(), "{told}");
    assert!(told.contains("localhost:1 cannot be reached"), "{told}");
    assert!(told.contains("project.mongodb.uri"), "{told}");
    let tables = MongodbTables::new(&config.mongodb);
    let told = tables.snapshot().await.err().unwrap().to_string();
    assert!(told.contains("localhost:1 cannot be reached"), "{told}");
}

#[tokio::test]
async fn a_wrong_password_says_which_file_to_look_at() {
    let mut config = config();
    config.mongodb.password_file = file("ca.pem");
    tells(&refused(&config).await, &["user hooklog", "password_file"]);
    config.mongodb.password_file = Some(PathBuf::from("/nowhere/password"));
    tells(
        &refused(&config).await,
        &["/nowhere/password", "cannot be read"],
    );
}

#[tokio::test]
async fn a_server_that_asks_who_we_are_is_not_entered_by_nobody() {
    let mut config = config();
    config.mongodb.username = None;
    config.mongodb.password_file = None;
    tells(&refused(&config).await, &["username", "password_file"]);
}

#[tokio::test]
async fn a_server_that_nobody_vouches_for_is_not_trusted() {
    let mut config = config();
    config.mongodb.connect_timeout_ms = 1_000;
    config.mongodb.ca_file = None;
    tells(&refused(&config).await, &["cannot be trusted", "ca_file"]);
    config.mongodb.ca_file = Some(PathBuf::from("/nowhere/ca.pem"));
    tells(&refused(&config).await, &["ca_file", "/nowhere/ca.pem"]);
}

#[tokio::test]
async fn a_password_that_is_changed_is_read_anew() {
    let mut config = config();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("password");
    let right = std::fs::read(file("password").unwrap()).unwrap();
    std::fs::write(&path, "of yesterday").unwrap();
    config.mongodb.password_file = Some(path.clone());
    let tables = MongodbTables::new(&config.mongodb);
    let told = tables.snapshot().await.err().unwrap().to_string();
    assert!(told.contains("password_file"), "{told}");
    let mut store = MongodbStore::new(&config);
    store.stored().await.unwrap_err();
    std::fs::write(&path, right).unwrap();
    let told = tables.snapshot().await.err().unwrap().to_string();
    assert!(told.contains("not there yet"), "{told}");
    store.stored().await.unwrap();
}
