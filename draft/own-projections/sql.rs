//! A file of SQL of somebody's own projection: which statements it has, and whether they may run.

/// What a file of SQL says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sql {
    /// The statements that make its tables.
    pub tables: Vec<String>,
    /// The statements that fold a batch of events, each with `$1` for the batch as JSON.
    pub fold: Vec<String>,
}

/// What is wrong with a file of SQL.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum SqlError {
    /// Something stands before the first section.
    #[error("line {0}: a statement stands before the first `-- hooklog: tables` or `-- hooklog: fold`")]
    Homeless(usize),
    /// A section that nobody knows.
    #[error("line {line}: there is no section {name:?}; there are `tables` and `fold`")]
    Section {
        /// Where.
        line: usize,
        /// What was written.
        name: String,
    },
    /// A section that is not there, or empty.
    #[error("there is no statement under `-- hooklog: {0}`")]
    Missing(&'static str),
    /// A statement that may not stand there.
    #[error("line {line}: under `-- hooklog: {section}` a statement begins with {allowed}, not with {found:?}")]
    Statement {
        /// Where it begins.
        line: usize,
        /// In which section.
        section: &'static str,
        /// What it may begin with.
        allowed: &'static str,
        /// What it begins with.
        found: String,
    },
    /// A statement of a fold that does not read the batch.
    #[error("line {0}: this statement has no $1, so it would not see the events")]
    NoBatch(usize),
    /// A quote or a comment that does not end.
    #[error("line {0}: what begins here does not end")]
    Open(usize),
}

/// What begins the line of a section.
const MARK: &str = "-- hooklog:";

impl Sql {
    /// Reads a file.
    ///
    /// # Errors
    /// The first thing that is wrong with it, with its line.
    pub fn read(text: &str) -> Result<Self, SqlError> {
        let mut sql = Self {
            tables: Vec::new(),
            fold: Vec::new(),
        };
        for section in sections(text)? {
            for statement in statements(&section)? {
                section.kind.check(&statement)?;
                let of = match section.kind {
                    Kind::Tables => &mut sql.tables,
                    Kind::Fold => &mut sql.fold,
                };
                of.push(statement.text);
            }
        }
        match (sql.tables.is_empty(), sql.fold.is_empty()) {
            (true, _) => Err(SqlError::Missing("tables")),
            (_, true) => Err(SqlError::Missing("fold")),
            _ => Ok(sql),
        }
    }
}

#[derive(Clone, Copy)]
enum Kind {
    Tables,
    Fold,
}

impl Kind {
    const fn name(self) -> &'static str {
        match self {
            Self::Tables => "tables",
            Self::Fold => "fold",
        }
    }

    /// What its statements begin with. Nothing else can attach a file, change a setting or a role.
    fn allowed(self) -> (&'static [&'static str], &'static str) {
        match self {
            Self::Tables => (
                &["CREATE TABLE", "CREATE INDEX", "CREATE UNIQUE INDEX", "CREATE VIEW"],
                "CREATE TABLE, CREATE [UNIQUE] INDEX or CREATE VIEW",
            ),
            Self::Fold => (
                &["INSERT", "UPDATE", "DELETE", "WITH"],
                "INSERT, UPDATE, DELETE or WITH",
            ),
        }
    }

    fn check(self, statement: &Statement) -> Result<(), SqlError> {
        let (allowed, said) = self.allowed();
        let words: Vec<_> = statement.text.split_whitespace().take(3).collect();
        let begin = words.join(" ").to_ascii_uppercase();
        let begins = |with: &&str| {
            let rest = begin.strip_prefix(*with);
            rest.is_some_and(|rest| !rest.starts_with(|c: char| c.is_alphanumeric() || c == '_'))
        };
        if !allowed.iter().any(begins) {
            return Err(SqlError::Statement {
                line: statement.line,
                section: self.name(),
                allowed: said,
                found: words.first().copied().unwrap_or_default().to_owned(),
            });
        }
        match self {
            Self::Fold if !statement.reads_batch => Err(SqlError::NoBatch(statement.line)),
            _ => Ok(()),
        }
    }
}

struct Section<'a> {
    kind: Kind,
    /// Its lines, with their numbers from 1.
    lines: Vec<(usize, &'a str)>,
}

fn sections(text: &str) -> Result<Vec<Section<'_>>, SqlError> {
    let mut sections: Vec<Section<'_>> = Vec::new();
    for (number, line) in (1..).zip(text.lines()) {
        if let Some(name) = line.trim().strip_prefix(MARK) {
            let kind = match name.trim() {
                "tables" => Kind::Tables,
                "fold" => Kind::Fold,
                other => {
                    return Err(SqlError::Section {
                        line: number,
                        name: other.to_owned(),
                    });
                }
            };
            let lines = Vec::new();
            sections.push(Section { kind, lines });
            continue;
        }
        match sections.last_mut() {
            Some(section) => section.lines.push((number, line)),
            None if line.trim().is_empty() || line.trim().starts_with("--") => {}
            None => return Err(SqlError::Homeless(number)),
        }
    }
    Ok(sections)
}

/// One statement, without comments.
struct Statement {
    line: usize,
    text: String,
    reads_batch: bool,
}

/// What the reader is in.
#[derive(Clone, Copy, PartialEq, Eq)]
enum In {
    Code,
    /// Between two of these.
    Quotes(char),
    Comment,
}

/// Splits a section at its semicolons, those in quotes and comments left out.
fn statements(section: &Section<'_>) -> Result<Vec<Statement>, SqlError> {
    let mut all = Vec::new();
    let mut now: Option<Statement> = None;
    let mut state = (In::Code, 0);
    for (number, line) in &section.lines {
        let mut chars = line.chars().chain(['\n']).peekable();
        while let Some(c) = chars.next() {
            let next = chars.peek().copied();
            match (state.0, c) {
                (In::Comment, '*') if next == Some('/') => {
                    chars.next();
                    state.0 = In::Code;
                }
                (In::Comment, _) => {}
                (In::Code, '-') if next == Some('-') => break,
                (In::Code, '/') if next == Some('*') => {
                    chars.next();
                    state = (In::Comment, *number);
                }
                (In::Code, ';') => all.extend(now.take()),
                (inside, c) => {
                    state = match (inside, c) {
                        (In::Code, '\'' | '"' | '`') => (In::Quotes(c), *number),
                        (In::Quotes(quote), c) if quote == c => (In::Code, 0),
                        _ => state,
                    };
                    push(&mut now, *number, c, inside == In::Code && c == '$' && next == Some('1'));
                }
            }
        }
        if state.0 == In::Code {
            push(&mut now, *number, '\n', false);
        }
    }
    if state.0 != In::Code {
        return Err(SqlError::Open(state.1));
    }
    all.extend(now);
    all.iter_mut().for_each(|s| s.text = s.text.trim().to_owned());
    all.retain(|statement| !statement.text.is_empty());
    Ok(all)
}

fn push(now: &mut Option<Statement>, line: usize, c: char, reads_batch: bool) {
    if now.is_none() && c.is_whitespace() {
        return;
    }
    let statement = now.get_or_insert(Statement {
        line,
        text: String::new(),
        reads_batch: false,
    });
    statement.text.push(c);
    statement.reads_batch |= reads_batch;
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "\
-- Deliveries per team.
-- hooklog: tables
CREATE TABLE days (team TEXT, n INTEGER, PRIMARY KEY (team)); -- one; row
/* two; */ CREATE INDEX by_n ON days (n);
-- hooklog: fold
INSERT INTO days SELECT 'a;b', count(*) FROM json_each($1);
";

    #[test]
    fn a_file_has_the_statements_of_its_sections() {
        let sql = Sql::read(GOOD).unwrap();
        assert_eq!(sql.tables.len(), 2);
        assert_eq!(sql.tables[1], "CREATE INDEX by_n ON days (n)");
        assert_eq!(
            sql.fold,
            ["INSERT INTO days SELECT 'a;b', count(*) FROM json_each($1)"]
        );
    }

    #[test]
    fn what_may_not_stand_there_is_told_with_its_line() {
        for (text, told) in [
            ("CREATE TABLE a (b);", "line 1: a statement stands before"),
            ("-- hooklog: table\n", "line 1: there is no section \"table\""),
            ("-- hooklog: tables\n\nDROP TABLE active;", "line 3: under `-- hooklog: tables`"),
            ("-- hooklog: tables\nCREATE TRIGGER x", "not with \"CREATE\""),
            ("-- hooklog: fold\nATTACH 'tables.sqlite' AS t", "not with \"ATTACH\""),
            ("-- hooklog: fold\nPRAGMA writable_schema = 1", "not with \"PRAGMA\""),
            ("-- hooklog: fold\nINSERT INTO a VALUES (1)", "no $1"),
            ("-- hooklog: fold\nINSERT INTO a VALUES ('$1')", "no $1"),
            ("-- hooklog: fold\nINSERT INTO a VALUES ('b, $1)", "line 2: what begins here"),
            ("-- hooklog: tables\nCREATE TABLE a (b)", "no statement under `-- hooklog: fold`"),
            ("", "no statement under `-- hooklog: tables`"),
            ("-- hooklog: fold\nSELECT $1; ATTACH 'x' AS y", "not with \"SELECT\""),
        ] {
            let error = Sql::read(text).unwrap_err().to_string();
            assert!(error.contains(told), "{text:?}: {error}");
        }
    }
}
