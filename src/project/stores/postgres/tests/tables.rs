//! The files of SQL and the declarations of tables say the same.

use super::*;
use hooklog_projections::table::Kind;
use std::collections::BTreeMap;

async fn created() -> (ProjectConfig, PostgresStore) {
    let config = made().await;
    let mut store = PostgresStore::new(&config).unwrap();
    store
        .acquire("a test", Duration::from_secs(60))
        .await
        .unwrap();
    let start = Checkpoint::start(hooklog_schemas::EventId(Uuid::nil()));
    store.create(&start).await.unwrap();
    (config, store)
}

#[tokio::test]
async fn every_table_has_the_columns_and_the_key_that_its_projection_declares() {
    let (config, store) = created().await;
    let mut connection = connected(&config).await;
    for table in PROJECTIONS.iter().flat_map(|p| p.tables) {
        let name = store.names.get(table).unwrap();
        let columns: Vec<(String, String, bool)> = sqlx::query_as(
            "SELECT attname::text, format_type(atttypid, atttypmod) || coalesce(' ' || collname, ''), \
             NOT attnotnull FROM pg_attribute LEFT JOIN pg_collation c ON c.oid = attcollation \
             WHERE attrelid = $1::regclass AND attnum > 0 ORDER BY attnum",
        )
        .bind(name)
        .fetch_all(&mut connection)
        .await
        .unwrap();
        let kind = |kind| match kind {
            Kind::Integer => "bigint",
            Kind::Id => "bytea",
            Kind::Text | Kind::Word => "text C",
        };
        let declared = table.columns.iter();
        let declared: Vec<_> = declared
            .map(|c| (c.name.to_owned(), kind(c.kind).to_owned(), c.optional))
            .collect();
        assert_eq!(columns, declared, "{name}");
        let key: String = sqlx::query_scalar(
            "SELECT pg_get_constraintdef(oid) FROM pg_constraint \
             WHERE conrelid = $1::regclass AND contype = 'p'",
        )
        .bind(name)
        .fetch_one(&mut connection)
        .await
        .unwrap();
        let names: Vec<_> = table.columns[..table.key].iter().map(|c| c.name).collect();
        assert_eq!(key, format!("PRIMARY KEY ({})", names.join(", ")), "{name}");
    }
}

/// The lists that people look at must not walk whole tables, nor sort them.
#[tokio::test]
async fn common_questions_use_an_index() {
    let (config, store) = created().await;
    let mut connection = connected(&config).await;
    let table: BTreeMap<&str, &str> = PROJECTIONS
        .iter()
        .flat_map(|p| p.tables)
        .map(|table| (table.name, store.names.get(table).unwrap()))
        .collect();
    let (webhooks, deliveries) = (&table["webhooks"], &table["deliveries"]);
    let newest = "ORDER BY received_at DESC, id DESC LIMIT 51";
    let by_receipt = "ORDER BY received_at DESC, receipt DESC, webhook_offset DESC LIMIT 51";
    let mut questions = vec![
        format!("{webhooks} {by_receipt}"),
        format!("{webhooks} WHERE repository = 'a' {by_receipt}"),
        format!("{webhooks} WHERE guid = 'a'"),
        format!("{deliveries} {newest}"),
        format!("{deliveries} WHERE (received_at, id) < (1, '\\x00') {newest}"),
        format!("{deliveries} WHERE state = 'open' {newest}"),
        format!("{deliveries} WHERE subscription_id = '\\x00' {newest}"),
        format!("{deliveries} WHERE receipt IN ('\\x00')"),
        format!("{} WHERE receipt IN ('\\x00')", table["erasures"]),
        format!("{} WHERE receipt IN ('\\x00')", table["body_reads"]),
        format!(
            "{} ORDER BY at DESC, partition DESC, record_offset DESC LIMIT 51",
            table["body_reads"]
        ),
    ];
    for name in ["attempts", "transitions", "answers"] {
        questions.push(format!("{} WHERE delivery IN ('\\x00')", table[name]));
    }
    // The tables are empty, where a walk costs nothing.
    let off = "SET enable_seqscan = off; SET enable_bitmapscan = off";
    sqlx::raw_sql(off).execute(&mut connection).await.unwrap();
    for question in questions {
        let sql = AssertSqlSafe(format!("EXPLAIN SELECT * FROM {question}"));
        let plan: Vec<String> = sqlx::query_scalar(sql)
            .fetch_all(&mut connection)
            .await
            .unwrap();
        let plan = plan.join("; ");
        let indexed = plan.contains("Index") && !plan.contains("Seq Scan");
        assert!(indexed && !plan.contains("Sort"), "{question}: {plan}");
    }
}
