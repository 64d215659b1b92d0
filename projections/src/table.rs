//! Tables as data: what a store must be able to hold, and nothing that only one store has.

use std::sync::Arc;

/// What a column holds. There are no floats and no bodies, so every store holds the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A signed 64-bit integer; times are microseconds since 1970, truths are 0 and 1.
    Integer,
    /// UTF-8 text without U+0000, compared byte by byte.
    Text,
    /// One word of a fixed list, in lower case: stores may put it into statements as it is.
    Word,
    /// Sixteen bytes.
    Id,
}

/// A column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Column {
    /// Its name.
    pub name: &'static str,
    /// What it holds.
    pub kind: Kind,
    /// Whether it may hold nothing.
    pub optional: bool,
}

/// A column that always holds a value.
#[must_use]
pub const fn column(name: &'static str, kind: Kind) -> Column {
    Column {
        name,
        kind,
        optional: false,
    }
}

/// A column that may hold nothing.
#[must_use]
pub const fn optional(name: &'static str, kind: Kind) -> Column {
    Column {
        name,
        kind,
        optional: true,
    }
}

/// The columns of `parts`, one part after the other; there must be `N` of them.
pub(crate) const fn joined<const N: usize>(parts: &[&[Column]]) -> [Column; N] {
    let mut all = [column("", Kind::Integer); N];
    let mut place = 0;
    let mut part = 0;
    while part < parts.len() {
        let mut next = 0;
        while next < parts[part].len() {
            all[place] = parts[part][next];
            place += 1;
            next += 1;
        }
        part += 1;
    }
    assert!(place == N, "there are fewer columns than that");
    all
}

/// A table. Its first `key` columns are the primary key.
#[derive(Debug, PartialEq, Eq)]
pub struct Table {
    /// Its name; stores add the version.
    pub name: &'static str,
    /// How many of its columns are the primary key.
    pub key: usize,
    /// Its columns, in the order of its rows' values.
    pub columns: &'static [Column],
}

impl Table {
    /// The place of the column `name` in a row.
    #[must_use]
    pub fn place(&self, name: &str) -> Option<usize> {
        self.columns.iter().position(|column| column.name == name)
    }
}

/// One value. The order is that of SQL: nothing, integers, texts, ids.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Value {
    /// Nothing.
    Null,
    /// An integer.
    Int(i64),
    /// A text, or a word.
    Text(Arc<str>),
    /// Sixteen bytes.
    Id([u8; 16]),
}

/// The most of a name, in bytes, before U+0000 is replaced, which makes three bytes of one. Every
/// store has room for it in an index, with other columns.
pub const NAME_BYTES_MAX: usize = 600;

/// The values of one row, or of its key, in the order of the table's columns.
pub type Row = Vec<Value>;

impl Value {
    /// A text without U+0000, which PostgreSQL cannot hold: it becomes U+FFFD.
    #[must_use]
    pub fn text(text: &str) -> Self {
        if text.contains('\0') {
            return Self::Text(text.replace('\0', "\u{fffd}").into());
        }
        Self::Text(text.into())
    }

    /// A name, by which rows are found: a text of which no more than [`NAME_BYTES_MAX`] are kept,
    /// since indexes have a limit. Nobody's names come near it; what is signed may hold anything.
    #[must_use]
    pub fn name(text: &str) -> Self {
        Self::text(&text[..text.floor_char_boundary(NAME_BYTES_MAX)])
    }

    /// A text, or nothing.
    #[must_use]
    pub fn text_or_null(text: Option<&str>) -> Self {
        text.map_or(Self::Null, Self::text)
    }

    /// An integer, or nothing.
    #[must_use]
    pub fn int_or_null(number: Option<i64>) -> Self {
        number.map_or(Self::Null, Self::Int)
    }

    /// An unsigned number; what is over the signed range stays at its end.
    #[must_use]
    pub fn count(number: u64) -> Self {
        Self::Int(i64::try_from(number).unwrap_or(i64::MAX))
    }

    /// A truth.
    #[must_use]
    pub const fn truth(holds: bool) -> Self {
        Self::Int(holds as i64)
    }

    /// The integer.
    #[must_use]
    pub const fn as_int(&self) -> Option<i64> {
        match self {
            Self::Int(number) => Some(*number),
            _ => None,
        }
    }

    /// The text.
    #[must_use]
    pub const fn as_text(&self) -> Option<&Arc<str>> {
        match self {
            Self::Text(text) => Some(text),
            _ => None,
        }
    }

    /// The sixteen bytes.
    #[must_use]
    pub const fn as_id(&self) -> Option<[u8; 16]> {
        match self {
            Self::Id(id) => Some(*id),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_cut_between_characters() {
        let long = "ä".repeat(NAME_BYTES_MAX);
        assert_eq!(Value::name(&long), Value::text(&"ä".repeat(300)));
        assert_eq!(Value::name("acme/payments"), Value::text("acme/payments"));
    }

    #[test]
    fn no_text_stops_a_store() {
        assert_eq!(Value::text("a\0b"), Value::Text("a\u{fffd}b".into()));
        assert_eq!(Value::count(u64::MAX), Value::Int(i64::MAX));
    }
}
