//! Reads the values of a row one after the other, in the order of its table's columns.

use super::QueryError;
use hooklog_projections::table::{Row, Value};
use uuid::Uuid;

pub(super) struct Fields(std::vec::IntoIter<Value>);

impl Fields {
    pub(super) fn of(row: Row) -> Self {
        Self(row.into_iter())
    }

    pub(super) fn skip(&mut self) {
        self.0.next();
    }

    pub(super) fn int(&mut self) -> Result<i64, QueryError> {
        self.int_or_none()?.ok_or_else(unexpected)
    }

    pub(super) fn int_or_none(&mut self) -> Result<Option<i64>, QueryError> {
        match self.0.next() {
            Some(Value::Int(number)) => Ok(Some(number)),
            Some(Value::Null) => Ok(None),
            _ => Err(unexpected()),
        }
    }

    pub(super) fn text(&mut self) -> Result<String, QueryError> {
        self.text_or_none()?.ok_or_else(unexpected)
    }

    pub(super) fn text_or_none(&mut self) -> Result<Option<String>, QueryError> {
        match self.0.next() {
            Some(Value::Text(text)) => Ok(Some(text.as_ref().to_owned())),
            Some(Value::Null) => Ok(None),
            _ => Err(unexpected()),
        }
    }

    pub(super) fn id(&mut self) -> Result<Uuid, QueryError> {
        self.id_or_none()?.ok_or_else(unexpected)
    }

    pub(super) fn id_or_none(&mut self) -> Result<Option<Uuid>, QueryError> {
        match self.0.next() {
            Some(Value::Id(id)) => Ok(Some(Uuid::from_bytes(id))),
            Some(Value::Null) => Ok(None),
            _ => Err(unexpected()),
        }
    }
}

fn unexpected() -> QueryError {
    QueryError::Unavailable("a row is not what its table says; run `hooklog rebuild`".to_owned())
}
