//! Tables of an earlier version, which lack columns: the server does not say so.

use super::*;
use crate::project::conformance::{Aged, DELIVERIES_V1};
use crate::query::{Condition, Select};
use hooklog_projections::deliveries;
use hooklog_schemas::EventId;

#[tokio::test]
async fn what_tables_of_an_earlier_version_lack_is_told_and_not_guessed() {
    let config = config();
    let mut store = MongodbStore::new(&config);
    store
        .acquire("a test", Duration::from_secs(60))
        .await
        .unwrap();
    let start = Checkpoint::start(EventId(Uuid::nil()));
    store.create(&start).await.unwrap();
    aged::age(&config, Aged::VersionOne(&DELIVERIES_V1)).await;
    let tables = MongodbTables::new(&config.mongodb);
    let mut snapshot = tables.snapshot().await.unwrap();
    let all = Select::newest(&deliveries::TABLE, &["received_at"]);
    let then = Condition::Inside("decision_offset", [1].into());
    let then = all.clone().and(then);
    for told in [
        snapshot.select(&then).await.unwrap_err().to_string(),
        snapshot.count(&then).await.unwrap_err().to_string(),
    ] {
        assert!(told.contains("without decision_offset"), "{told}");
        assert!(told.contains("hooklog rebuild"), "{told}");
    }
    let now = all.and(Condition::Is("state", Value::text("open")));
    assert!(snapshot.select(&now).await.unwrap().is_empty());
}
