//! What a file of SQL may say, and what it may not.

use super::*;

const BRACKETS: Flavour = Flavour {
    file: "a.sql",
    brackets_quote: true,
    parameters: "$?:@#",
};

const INDEXES: Flavour = Flavour {
    file: "b.sql",
    brackets_quote: false,
    parameters: "$",
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
        (
            "-- hooklog: events\nDELETE FROM U&\"hooklog\\005fcheckpoint\" WHERE $1 = ''",
            "line 2: a name in U&",
        ),
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

#[test]
fn no_second_statement_hides_in_a_parameter() {
    let hidden = "(') ; COMMIT; ATTACH \"../hooklog.sqlite\" AS h; DELETE FROM h.x; BEGIN; --'";
    let of = |parameter: &str| format!("INSERT INTO t SELECT {parameter}{hidden}");
    let forms = [
        "$1", "$1::x", "$11", "$1a", "$a", "$", "$1$", "@a", "@1", ":a", ":1", "#a", "#1", "$1é",
        "x$1", "$1, ?", "$1, ?1", "$1, $2", "$1, :a", "$1, @a",
    ];
    for statement in forms.map(of).into_iter().chain([
        "INSERT INTO t SELECT $1(')".to_owned(),
        "INSERT INTO t SELECT $1::x(';')".to_owned(),
    ]) {
        for section in ["events", "tables"] {
            let statement = match section {
                "tables" => statement.replace("INSERT INTO t", "CREATE VIEW t AS"),
                _ => statement.clone(),
            };
            let text = format!("-- hooklog: {section}\n{statement}");
            let error = Sql::read(&text, BRACKETS).unwrap_err();
            assert_eq!(error, SqlError::Parameter(2), "{statement}");
        }
    }
}

#[test]
fn the_batch_may_stand_wherever_it_is_a_parameter() {
    let read = |fold: &str, flavour| {
        let text = format!("-- hooklog: tables\nCREATE TABLE a (b);\n-- hooklog: events\n{fold}");
        Sql::read(&text, flavour).map(|sql| sql.events.len())
    };
    for fold in [
        "INSERT INTO a SELECT $1",
        "INSERT INTO a SELECT value FROM json_each($1), '$.a:b', \"?\", [@x]",
        "INSERT INTO a SELECT b+$1/* ? */FROM x -- :a",
    ] {
        assert_eq!(read(fold, BRACKETS), Ok(1), "{fold}");
    }
    for fold in [
        "INSERT INTO a SELECT e #>> '{a}' FROM jsonb_array_elements($1::jsonb) AS e WHERE e ? 'b'",
        "INSERT INTO a SELECT (b)[1:2] FROM f(x := $1) WHERE c @> $1::jsonb",
    ] {
        assert_eq!(read(fold, INDEXES), Ok(1), "{fold}");
    }
    for fold in [
        "INSERT INTO a SELECT $1, $2",
        "INSERT INTO a SELECT $1, $$b;$$",
    ] {
        assert_eq!(read(fold, INDEXES), Err(SqlError::Parameter(4)), "{fold}");
    }
}
