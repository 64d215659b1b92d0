//! A file of SQL of somebody's own projection: which statements it has, and whether they may run.

mod sections;
mod statements;

pub use statements::Statement;

use sections::{Kind, sections};
use statements::statements;

/// What a store calls its file, and how its SQL is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Flavour {
    /// The file's name.
    pub file: &'static str,
    /// Whether `[…]` is a name, as in SQLite; elsewhere it is an index.
    pub brackets_quote: bool,
    /// What a parameter may begin with.
    pub parameters: &'static str,
}

/// What a file of SQL says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sql {
    /// The statements that make its tables.
    pub tables: Vec<Statement>,
    /// The statements that fold a batch of events, each with `$1` for the batch as JSON.
    pub events: Vec<Statement>,
}

/// What is wrong with a file of SQL.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum SqlError {
    /// Something stands before the first section.
    #[error(
        "line {0}: a statement stands before the first section: begin one by `-- hooklog: tables`, and \
         another by `-- hooklog: events`"
    )]
    Homeless(usize),
    /// A section that nobody knows.
    #[error("line {line}: there is no section {name:?}; there are `tables` and `events`")]
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
    #[error(
        "line {line}: under `-- hooklog: {section}` a statement begins with {allowed}, not with \
         {found:?}"
    )]
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
    /// A name of hooklog's.
    #[error(
        "line {0}: names with `hooklog_` are those of hooklog's own tables beside yours, which say how \
         far yours are; no statement may name them"
    )]
    Ours(usize),
    /// A parameter other than the batch.
    #[error(
        "line {0}: the only parameter is $1, which no name and no parenthesis may touch; what begins \
         others, $ and in SQLite ?, :, @ and #, stands in quotes alone"
    )]
    Parameter(usize),
    /// A name in other characters than its own.
    #[error("line {0}: a name in U&\"…\" could be any name: write it with its own characters")]
    Spelled(usize),
    /// A quote or a comment that does not end.
    #[error("line {0}: what begins here does not end")]
    Open(usize),
    /// A character at which a database might stop to read.
    #[error("it holds a NUL character")]
    Nul,
}

impl Sql {
    /// Reads a file.
    ///
    /// # Errors
    /// The first thing that is wrong with it, with its line.
    pub fn read(text: &str, flavour: Flavour) -> Result<Self, SqlError> {
        if text.contains('\0') {
            return Err(SqlError::Nul);
        }
        let (mut tables, mut events) = (Vec::new(), Vec::new());
        for section in sections(text)? {
            let all = statements(&section.lines, flavour)?;
            all.iter().try_for_each(|one| section.kind.check(one))?;
            match section.kind {
                Kind::Tables => tables.extend(all),
                Kind::Events => events.extend(all),
            }
        }
        match (tables.is_empty(), events.is_empty()) {
            (true, _) => Err(SqlError::Missing("tables")),
            (_, true) => Err(SqlError::Missing("events")),
            _ => Ok(Self { tables, events }),
        }
    }
}

impl Kind {
    const fn name(self) -> &'static str {
        match self {
            Self::Tables => "tables",
            Self::Events => "events",
        }
    }

    /// What its statements begin with. Nothing else can attach a file, change a setting or a role, or
    /// end the transaction.
    const fn allowed(self) -> (&'static [&'static str], &'static str) {
        match self {
            Self::Tables => (
                &[
                    "CREATE TABLE",
                    "CREATE INDEX",
                    "CREATE UNIQUE INDEX",
                    "CREATE VIEW",
                ],
                "CREATE TABLE, CREATE [UNIQUE] INDEX or CREATE VIEW",
            ),
            Self::Events => (
                &["INSERT", "UPDATE", "DELETE", "WITH"],
                "INSERT, UPDATE, DELETE or WITH",
            ),
        }
    }

    fn check(self, statement: &Statement) -> Result<(), SqlError> {
        let line = statement.line;
        let words: Vec<_> = statement.text.split_whitespace().take(3).collect();
        let (allowed, said) = self.allowed();
        if !allowed.iter().any(|with| begins(&words.join(" "), with)) {
            return Err(SqlError::Statement {
                line,
                section: self.name(),
                allowed: said,
                found: words.join(" "),
            });
        }
        let text = statement.text.to_ascii_lowercase();
        if text.contains("hooklog_") {
            return Err(SqlError::Ours(line));
        }
        // Also in a quote: where those of PostgreSQL end otherwise than ours, it may be in none.
        if text.contains("u&\"") {
            return Err(SqlError::Spelled(line));
        }
        match self {
            Self::Events if !statement.reads_batch => Err(SqlError::NoBatch(line)),
            _ => Ok(()),
        }
    }
}

/// Whether `text` begins with these words, and not with a longer one.
fn begins(text: &str, with: &str) -> bool {
    let text = text.to_ascii_uppercase();
    let rest = text.strip_prefix(with);
    rest.is_some_and(|rest| !rest.starts_with(|c: char| c.is_alphanumeric() || c == '_'))
}

#[cfg(test)]
mod tests;
