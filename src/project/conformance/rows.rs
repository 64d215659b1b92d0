//! Rows and the checkpoint beside them.

use super::{Advance, COUNTS, LONG, Place, at, created, put, row, rows_of};
use hooklog_projections::folding::{Changes, TableChanges, Wanted};
use hooklog_projections::projection::PROJECTIONS;
use hooklog_projections::table::{Kind, Row, Table, Value};

pub(crate) async fn a_fresh_store_holds_nothing_and_then_its_start(place: &dyn Place) {
    let mut store = place.open().await;
    assert_eq!(store.stored().await.unwrap(), None);
    assert!(place.tables().snapshot().await.is_err() || no_checkpoint(place).await);
    store.acquire("the first", LONG).await.unwrap();
    store.create(&at(0)).await.unwrap();
    for store in [&mut store, &mut place.open().await] {
        let stored = store.stored().await.unwrap().unwrap();
        assert_eq!(stored.checkpoint, at(0));
        assert_eq!(stored.versions.len(), PROJECTIONS.len());
    }
    let mut snapshot = place.tables().snapshot().await.unwrap();
    assert_eq!(snapshot.checkpoint().await.unwrap(), at(0));
}

async fn no_checkpoint(place: &dyn Place) -> bool {
    let mut snapshot = place.tables().snapshot().await.unwrap();
    snapshot.checkpoint().await.is_err()
}

pub(crate) async fn rows_come_back_as_they_were_written(place: &dyn Place) {
    let mut store = created(place).await;
    let rows: Vec<_> = (0..700)
        .map(|n| row(n, "ä\t'~\u{10ffff}", i64::MAX))
        .collect();
    let (start, end) = (at(0), at(1));
    let advance = Advance {
        from: &start,
        to: &end,
    };
    store
        .write(put(COUNTS, rows.clone()), advance)
        .await
        .unwrap();
    let mut keys: Vec<Row> = rows.iter().map(|row| row[..COUNTS.key].to_vec()).collect();
    keys.push(row(9_999, "none", 0)[..COUNTS.key].to_vec());
    let wanted = Wanted {
        table: COUNTS,
        keys,
    };
    let mut loaded = store.load(&wanted).await.unwrap();
    loaded.sort();
    assert_eq!(loaded, rows);
    let first = store.scan(COUNTS, None, 600).await.unwrap();
    let after = &first[599][..COUNTS.key];
    let rest = store.scan(COUNTS, Some(after), 600).await.unwrap();
    assert_eq!([first.clone(), rest].concat(), rows);
    let delete = wanted.keys[..300].to_vec();
    let changes = TableChanges {
        table: COUNTS,
        put: Vec::new(),
        new: false,
        delete,
    };
    let tables = vec![changes];
    let advance = Advance {
        from: &end,
        to: &end,
    };
    store.write(Changes { tables }, advance).await.unwrap();
    assert_eq!(rows_of(store.as_mut()).await, rows[300..]);
    assert_eq!(store.stored().await.unwrap().unwrap().checkpoint, end);
}

pub(crate) async fn of_two_rows_with_one_key_the_later_counts(place: &dyn Place) {
    let mut store = created(place).await;
    let rows = vec![row(0, "a", 1), row(0, "a", 2), row(1, "a", 1)];
    let start = at(0);
    let advance = Advance {
        from: &start,
        to: &start,
    };
    store.write(put(COUNTS, rows), advance).await.unwrap();
    let expected = [row(0, "a", 2), row(1, "a", 1)];
    assert_eq!(rows_of(store.as_mut()).await, expected);
}

pub(crate) async fn rows_that_are_called_new_and_are_not_replace_others_all_the_same(
    place: &dyn Place,
) {
    let mut store = created(place).await;
    let start = at(0);
    let advance = Advance {
        from: &start,
        to: &start,
    };
    for sum in 1..=2 {
        let rows = (0..300).map(|n| row(n, "a\t\\N", sum)).collect();
        let mut changes = put(COUNTS, rows);
        changes.tables[0].new = true;
        store.write(changes, advance).await.unwrap();
    }
    let expected: Vec<_> = (0..300).map(|n| row(n, "a\t\\N", 2)).collect();
    assert_eq!(rows_of(store.as_mut()).await, expected);
}

pub(crate) async fn new_rows_and_others_of_one_table_come_together(place: &dyn Place) {
    let mut store = created(place).await;
    let (start, end) = (at(0), at(1));
    let first = Advance {
        from: &start,
        to: &start,
    };
    let second = Advance {
        from: &start,
        to: &end,
    };
    let changed = put(COUNTS, vec![row(0, "a", 1), row(0, "b", 1)]);
    store.write(changed, first).await.unwrap();
    let mut changes = put(COUNTS, vec![row(0, "c", 2), row(0, "d", 2)]);
    changes.tables[0].new = true;
    let changed = put(COUNTS, vec![row(0, "a", 3), row(0, "b", 3)]);
    changes.tables.extend(changed.tables);
    store.write(changes, second).await.unwrap();
    let expected = [("a", 3), ("b", 3), ("c", 2), ("d", 2)];
    let expected = expected.map(|(source, sum)| row(0, source, sum));
    assert_eq!(rows_of(store.as_mut()).await, expected);
}

pub(crate) async fn texts_come_back_and_are_ordered_byte_by_byte(place: &dyn Place) {
    let mut store = created(place).await;
    let long = "x".repeat(300);
    let texts = [
        "",
        " ",
        "%_\\",
        "'; --",
        "A",
        "B",
        "Z",
        "a",
        "a ",
        "a\u{1}",
        "ab",
        "b",
        "z",
        "{\"a\",NULL}",
        "NULL",
        "ß",
        "ä",
        "\u{fffd}",
        "\u{feff}",
        "𝄞",
        "\\x00",
        "a\r\n\tb",
        &long,
    ];
    let rows = texts.iter().map(|text| row(0, text, 1)).collect();
    let start = at(0);
    let advance = Advance {
        from: &start,
        to: &start,
    };
    store.write(put(COUNTS, rows), advance).await.unwrap();
    let mut expected: Vec<_> = texts.iter().map(|text| row(0, text, 1)).collect();
    expected.sort();
    assert_eq!(rows_of(store.as_mut()).await, expected);
    for text in texts {
        let keys = vec![row(0, text, 1)[..COUNTS.key].to_vec()];
        let wanted = Wanted {
            table: COUNTS,
            keys,
        };
        assert_eq!(
            store.load(&wanted).await.unwrap(),
            [row(0, text, 1)],
            "{text:?}"
        );
    }
}

/// A row of `table` in which every text is as long as nobody would make it, and no two are alike.
fn odd(table: &Table, seed: u8) -> Row {
    let text = |place: usize| {
        let letters = (0..60_000_u32).map(|n| {
            let mixed = (n ^ u32::from(seed)).wrapping_mul(2_654_435_761) >> 13;
            char::from_u32(33 + (mixed + place as u32) % 90).unwrap_or('x')
        });
        Value::name(&letters.collect::<String>())
    };
    let value = |(place, column): (usize, &hooklog_projections::table::Column)| match column.kind {
        Kind::Integer => Value::Int(i64::from(seed)),
        Kind::Id => Value::Id([seed; 16]),
        Kind::Word => Value::text("open"),
        Kind::Text => text(place),
    };
    table.columns.iter().enumerate().map(value).collect()
}

pub(crate) async fn a_name_that_nobody_gives_stops_no_store(place: &dyn Place) {
    let mut store = created(place).await;
    let start = at(0);
    for table in PROJECTIONS.iter().flat_map(|p| p.tables) {
        let rows = vec![odd(table, 1), odd(table, 2)];
        let advance = Advance {
            from: &start,
            to: &start,
        };
        store
            .write(put(table, rows.clone()), advance)
            .await
            .unwrap();
        let found = store.scan(table, None, 10).await.unwrap();
        assert_eq!(found, rows, "{}", table.name);
    }
}
