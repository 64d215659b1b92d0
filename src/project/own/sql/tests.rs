//! What a file of SQL may say, and what it may not.

use super::*;

const BRACKETS: Flavour = Flavour {
    file: "a.sql",
    brackets_quote: true,
};

const INDEXES: Flavour = Flavour {
    file: "b.sql",
    brackets_quote: false,
};

const GOOD: &str = "\
-- Deliveries per team.
-- hooklog: tables
CREATE TABLE days (team TEXT, n INTEGER, PRIMARY KEY (team)); -- one; row
/* two; */ CREATE INDEX by_n ON days (n);
-- hooklog: events
INSERT INTO days -- it's
SELECT 'a;b', count(*) FROM json_each($1);
";

#[test]
fn a_file_has_the_statements_of_its_sections() {
    let sql = Sql::read(GOOD, BRACKETS).unwrap();
    let texts: Vec<_> = sql.tables.iter().map(|s| s.text.as_str()).collect();
    assert_eq!(texts[1..], ["CREATE INDEX by_n ON days (n)"]);
    assert_eq!(texts.len(), 2);
    assert_eq!(sql.events.len(), 1);
    assert_eq!(sql.events[0].line, 6);
    let fold = sql.events[0]
        .text
        .split_whitespace()
        .collect::<Vec<_>>()
        .join(" ");
    assert_eq!(
        fold,
        "INSERT INTO days SELECT 'a;b', count(*) FROM json_each($1)"
    );
}

#[test]
fn what_may_not_stand_there_is_told_with_its_line() {
    for (text, told) in [
        ("CREATE TABLE a (b);", "line 1: a statement stands before"),
        (
            "-- hooklog: table\n",
            "line 1: there is no section \"table\"",
        ),
        (
            "-- hooklog: tables\n\nDROP TABLE active;",
            "line 3: under `-- hooklog: tables`",
        ),
        (
            "-- hooklog: tables\nCREATE TRIGGER x y",
            "not with \"CREATE TRIGGER x\"",
        ),
        (
            "-- hooklog: tables\nCREATE TABLES x",
            "not with \"CREATE TABLES x\"",
        ),
        (
            "-- hooklog: tables\nCREATE TEMP TABLE x (y)",
            "not with \"CREATE TEMP TABLE\"",
        ),
        (
            "-- hooklog: tables\nCREATE VIRTUAL TABLE x",
            "not with \"CREATE VIRTUAL TABLE\"",
        ),
        (
            "-- hooklog: events\nATTACH 'tables.sqlite' AS t",
            "not with \"ATTACH",
        ),
        (
            "-- hooklog: events\nPRAGMA writable_schema = 1",
            "not with \"PRAGMA",
        ),
        ("-- hooklog: events\nCOMMIT", "not with \"COMMIT\""),
        (
            "-- hooklog: events\nINSERT INTO a VALUES (1)",
            "line 2: this statement has no $1",
        ),
        ("-- hooklog: events\nINSERT INTO a VALUES ('$1')", "no $1"),
        (
            "-- hooklog: events\n-- $1\nINSERT INTO a VALUES (1)",
            "no $1",
        ),
        (
            "-- hooklog: events\nINSERT INTO a VALUES ('b, $1)",
            "line 2: what begins here",
        ),
        (
            "-- hooklog: events\n/* INSERT INTO a SELECT $1",
            "line 2: what begins here",
        ),
        (
            "-- hooklog: tables\nCREATE TABLE a (b)",
            "no statement under `-- hooklog: events`",
        ),
        ("", "no statement under `-- hooklog: tables`"),
        (
            "-- hooklog: events\nINSERT INTO a SELECT $1; ATTACH 'x' AS y",
            "not with \"ATTACH",
        ),
        (
            "-- hooklog: events\nUPDATE Hooklog_checkpoint SET next = $1",
            "line 2: names with `hooklog_`",
        ),
        (
            "-- hooklog: events\nDELETE FROM 'hooklog_checkpoint' WHERE $1",
            "names with `hooklog_`",
        ),
        ("-- hooklog: events\nINSERT INTO a SELECT $1\0", "a NUL"),
    ] {
        let error = Sql::read(text, BRACKETS).unwrap_err().to_string();
        assert!(error.contains(told), "{text:?}: {error}");
    }
}

#[test]
fn no_second_statement_hides_in_what_looks_like_a_name() {
    let hidden = "-- hooklog: events\nINSERT INTO [it's] SELECT $1; ATTACH 'x' AS y; --'";
    let error = Sql::read(hidden, BRACKETS).unwrap_err().to_string();
    assert!(error.contains("not with \"ATTACH"), "{error}");
    for hidden in [
        "INSERT INTO \"it's\" SELECT $1; ATTACH 'x' AS y; --'",
        "INSERT INTO `it's` SELECT $1; ATTACH 'x' AS y; --'",
        "INSERT INTO a SELECT $1 /*/; ' */; ATTACH 'x' AS y; --'",
        "INSERT INTO a SELECT $1, 'it''s'; ATTACH 'x' AS y",
        "INSERT INTO a SELECT $1, '\\'; ATTACH 'x' AS y; --'",
    ] {
        let text = format!("-- hooklog: events\n{hidden}");
        let error = Sql::read(&text, BRACKETS).unwrap_err().to_string();
        assert!(error.contains("not with \"ATTACH"), "{hidden}: {error}");
    }
}

#[test]
fn an_index_is_no_quote_where_the_store_has_arrays() {
    let text = "-- hooklog: tables\nCREATE TABLE a (b);\n-- hooklog: events\n\
                INSERT INTO a SELECT (ARRAY['x;y', $1])[1]";
    assert_eq!(Sql::read(text, INDEXES).unwrap().events.len(), 1);
}
