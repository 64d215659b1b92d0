//! Splits SQL at its semicolons, those in quotes and comments left out.
//!
//! Nothing may hide here: where a database saw two statements in what is one to us, the second would
//! not be checked. So quotes and comments end exactly where SQLite's do, and parameters, of which it
//! has many kinds, some with anything in parentheses, are refused but for the one that is given.
//! PostgreSQL takes one statement at a time, and refuses a second.

use super::{Flavour, SqlError};

/// One statement, without comments.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Statement {
    /// The line on which it begins.
    pub line: usize,
    /// What it says.
    pub text: String,
    /// Whether it has the parameter `$1`.
    pub(super) reads_batch: bool,
}

/// The statements of some lines.
pub(super) fn statements(
    lines: &[(usize, &str)],
    flavour: Flavour,
) -> Result<Vec<Statement>, SqlError> {
    let mut reader = Reader {
        flavour,
        state: In::Code,
        began: 0,
        now: None,
        all: Vec::new(),
    };
    for (number, line) in lines {
        reader.read(*number, line)?;
    }
    reader.end()
}

struct Reader {
    flavour: Flavour,
    state: In,
    /// The line on which the quote or the comment began.
    began: usize,
    now: Option<Statement>,
    all: Vec<Statement>,
}

/// What the reader is in.
#[derive(Clone, Copy, PartialEq, Eq)]
enum In {
    Code,
    /// Until this. Twice of it is one of it, which ends a quote and begins the next: the same to us.
    Quotes(char),
    Comment,
}

impl Reader {
    fn read(&mut self, number: usize, line: &str) -> Result<(), SqlError> {
        let mut chars = line.chars().chain(['\n']).peekable();
        while let Some(c) = chars.next() {
            let next = chars.peek().copied();
            match (self.state, c, next) {
                (In::Comment, '*', Some('/')) => {
                    chars.next();
                    self.state = In::Code;
                }
                (In::Comment, ..) => {}
                (In::Code, '-', Some('-')) => {
                    self.push(number, '\n', false);
                    break;
                }
                (In::Code, '/', Some('*')) => {
                    chars.next();
                    self.push(number, ' ', false);
                    (self.state, self.began) = (In::Comment, number);
                }
                (In::Code, ';', _) => self.all.extend(self.now.take()),
                (In::Code, c, _) if self.flavour.parameters.contains(c) => {
                    let after = (next, chars.clone().nth(1));
                    if !self.is_the_batch(c, after) {
                        return Err(SqlError::Parameter(number));
                    }
                    self.push(number, c, true);
                }
                (In::Code, c, _) => {
                    if let Some(end) = self.closing(c) {
                        (self.state, self.began) = (In::Quotes(end), number);
                    }
                    self.push(number, c, false);
                }
                (In::Quotes(end), c, _) => {
                    if c == end {
                        self.state = In::Code;
                    }
                    self.push(number, c, false);
                }
            }
        }
        Ok(())
    }

    /// Whether this is the `$` of `$1`, and of nothing that goes on: to SQLite all of `$1(…)`, whatever
    /// is in it, is one parameter.
    fn is_the_batch(&self, c: char, after: (Option<char>, Option<char>)) -> bool {
        let (Some(one), Some(end)) = after else {
            return false;
        };
        let before = self.now.as_ref().and_then(|now| now.text.chars().last());
        let alone = !before.is_some_and(is_of_a_name) && !is_of_a_name(end) && end != '(';
        (c, one) == ('$', '1') && alone
    }

    /// What ends the quote that this begins.
    const fn closing(&self, begin: char) -> Option<char> {
        match begin {
            '\'' | '"' | '`' => Some(begin),
            '[' if self.flavour.brackets_quote => Some(']'),
            _ => None,
        }
    }

    fn push(&mut self, line: usize, c: char, reads_batch: bool) {
        if self.now.is_none() && c.is_whitespace() {
            return;
        }
        let statement = self.now.get_or_insert(Statement {
            line,
            text: String::new(),
            reads_batch: false,
        });
        statement.text.push(c);
        statement.reads_batch |= reads_batch;
    }

    fn end(mut self) -> Result<Vec<Statement>, SqlError> {
        if self.state != In::Code {
            return Err(SqlError::Open(self.began));
        }
        self.all.extend(self.now);
        for statement in &mut self.all {
            statement.text.truncate(statement.text.trim_end().len());
        }
        Ok(self.all)
    }
}

/// Whether names may go on with this, in either store.
fn is_of_a_name(c: char) -> bool {
    c.is_alphanumeric() || c == '_' || c == '$' || !c.is_ascii()
}
