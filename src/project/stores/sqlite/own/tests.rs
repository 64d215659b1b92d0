//! What would happen if a statement were another than the one that was read.

use super::*;
use crate::clock;
use crate::project::own::Place;
use crate::project::stores::sqlite::tests::ask;
use hooklog_schemas::Offset;

fn definition(folder: &Path) -> Definition {
    let folder = folder.join("mine");
    std::fs::create_dir(&folder).unwrap();
    let manifest = "name = \"mine\"\nversion = 1\nevents = [\"webhook.routed\"]\n";
    std::fs::write(folder.join("projection.toml"), manifest).unwrap();
    let sql =
        "-- hooklog: tables\nCREATE TABLE a (b);\n-- hooklog: events\nINSERT INTO a SELECT $1;\n";
    std::fs::write(folder.join("sqlite.sql"), sql).unwrap();
    Definition::read(&folder, OWN).unwrap()
}

async fn other(path: &Path) {
    let options = SqliteConnectOptions::new().filename(path);
    let made = options.create_if_missing(true).connect().await;
    let mut connection = made.unwrap();
    let sql = "CREATE TABLE x (y); INSERT INTO x VALUES (1)";
    sqlx::raw_sql(sql).execute(&mut connection).await.unwrap();
    connection.close().await.unwrap();
}

#[tokio::test]
async fn a_second_statement_neither_commits_nor_changes_another_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("other.sqlite");
    other(&path).await;
    let mut definition = definition(folder.path());
    let start = Place::start(clock::event_id());
    let stored = OwnStored {
        version: 1,
        digest: definition.digest.clone(),
        begun: Offset(0),
        place: start.clone(),
    };
    let attach = format!("ATTACH '{}' AS h; DELETE FROM h.x", path.display());
    for hidden in [
        "COMMIT".to_owned(),
        "COMMIT; BEGIN".to_owned(),
        attach.clone(),
        format!("COMMIT; {attach}; BEGIN"),
        format!("ROLLBACK; {attach}; BEGIN"),
    ] {
        let tables = folder.path().join("own");
        let mut store = SqliteOwn::new(&tables, "mine", &OwnConfig::default());
        store.begin(&definition, &stored).await.unwrap();
        let text = format!("INSERT INTO a SELECT $1; {hidden}");
        definition.sql.events[0].text = text;
        let advance = Advance {
            from: &start,
            to: &start,
        };
        let applied = store.apply(Set::Next, &definition, Some("[]"), advance);
        assert!(applied.await.is_err(), "{hidden}");
        let left = ask(&path, "SELECT CAST(count(*) AS TEXT) FROM x").await;
        assert_eq!(left, "1", "{hidden}");
        let file = tables.join("mine.next.sqlite");
        let folded = ask(&file, "SELECT CAST(count(*) AS TEXT) FROM a").await;
        assert_eq!(folded, "0", "{hidden}");
    }
}
