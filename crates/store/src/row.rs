//! One row of an answer, whichever database gave it. Columns go by position, from 0.

use sqlx::{Column, Row as _, TypeInfo};

use crate::error::{StoreError, from_sqlx};

const DOING: &str = "read a column";

/// One row of an answer.
pub enum Row {
    /// From SQLite.
    #[doc(hidden)]
    Sqlite(Vec<Cell>),
    /// From Postgres.
    #[doc(hidden)]
    Postgres(sqlx::postgres::PgRow),
}

/// One value of SQLite's, copied out of the database.
#[doc(hidden)]
#[derive(Debug)]
pub enum Cell {
    Null,
    Int(i64),
    /// Nobody reads one; it is here to be told from the others.
    Real,
    Text(Box<str>),
    Bytes(Box<[u8]>),
}

impl Row {
    /// A text.
    ///
    /// # Errors
    ///
    /// Where the column is null or not a text.
    pub fn text(&self, index: usize) -> Result<String, StoreError> {
        self.str(index).map(str::to_owned)
    }

    /// A text, borrowed.
    ///
    /// # Errors
    ///
    /// Where the column is null or not a text.
    pub fn str(&self, index: usize) -> Result<&str, StoreError> {
        self.opt_str(index)?.ok_or_else(|| StoreError::internal(DOING, "a text is null"))
    }

    /// A text that may be null.
    ///
    /// # Errors
    ///
    /// Where the column is not a text.
    pub fn opt_text(&self, index: usize) -> Result<Option<String>, StoreError> {
        Ok(self.opt_str(index)?.map(str::to_owned))
    }

    fn opt_str(&self, index: usize) -> Result<Option<&str>, StoreError> {
        match self {
            Self::Sqlite(cells) => match cells.get(index) {
                Some(Cell::Text(text)) => Ok(Some(text)),
                Some(Cell::Null) => Ok(None),
                other => Err(another_kind(index, "a text", other)),
            },
            Self::Postgres(row) => row.try_get(index).map_err(|error| from_sqlx(DOING, error)),
        }
    }

    /// An integer.
    ///
    /// # Errors
    ///
    /// Where the column is null or not an integer (a `sum` on Postgres must be cast to `bigint`).
    pub fn int(&self, index: usize) -> Result<i64, StoreError> {
        self.opt_int(index)?.ok_or_else(|| StoreError::internal(DOING, "an integer is null"))
    }

    /// An integer that may be null.
    ///
    /// # Errors
    ///
    /// Where the column is not an integer.
    pub fn opt_int(&self, index: usize) -> Result<Option<i64>, StoreError> {
        match self {
            Self::Sqlite(cells) => match cells.get(index) {
                Some(Cell::Int(value)) => Ok(Some(*value)),
                Some(Cell::Null) => Ok(None),
                other => Err(another_kind(index, "an integer", other)),
            },
            Self::Postgres(row) => postgres_int(row, index).map_err(|error| from_sqlx(DOING, error)),
        }
    }

    /// A truth value kept as 0 or 1.
    ///
    /// # Errors
    ///
    /// Where the column is null or not an integer.
    pub fn flag(&self, index: usize) -> Result<bool, StoreError> {
        Ok(self.int(index)? != 0)
    }

    /// Bytes.
    ///
    /// # Errors
    ///
    /// Where the column is null or not bytes.
    pub fn bytes(&self, index: usize) -> Result<Vec<u8>, StoreError> {
        match self {
            Self::Sqlite(cells) => match cells.get(index) {
                Some(Cell::Bytes(bytes)) => Ok(bytes.to_vec()),
                other => Err(another_kind(index, "bytes", other)),
            },
            Self::Postgres(row) => row.try_get(index).map_err(|error| from_sqlx(DOING, error)),
        }
    }

    /// A text read as an id or another type with a text form.
    ///
    /// # Errors
    ///
    /// Where the column is null, not a text, or does not read.
    pub fn parse<T>(&self, index: usize) -> Result<T, StoreError>
    where
        T: std::str::FromStr,
        T::Err: std::error::Error + Send + Sync + 'static,
    {
        self.str(index)?.parse().map_err(|error: T::Err| StoreError::internal(DOING, error))
    }

    /// As [`Row::parse`], for a column that may be null.
    ///
    /// # Errors
    ///
    /// Where the column is not a text or does not read.
    pub fn opt_parse<T>(&self, index: usize) -> Result<Option<T>, StoreError>
    where
        T: std::str::FromStr,
        T::Err: std::error::Error + Send + Sync + 'static,
    {
        let Some(text) = self.opt_str(index)? else { return Ok(None) };
        text.parse().map(Some).map_err(|error: T::Err| StoreError::internal(DOING, error))
    }

    /// A JSON document.
    ///
    /// # Errors
    ///
    /// Where the column is null, not a text, or not this document.
    pub fn json<T: serde::de::DeserializeOwned>(&self, index: usize) -> Result<T, StoreError> {
        serde_json::from_str(self.str(index)?).map_err(|error| StoreError::internal(DOING, error))
    }
}

fn another_kind(index: usize, wanted: &str, found: Option<&Cell>) -> StoreError {
    let found = match found {
        None => "not there",
        Some(Cell::Null) => "null",
        Some(Cell::Int(_)) => "an integer",
        Some(Cell::Real) => "a fraction",
        Some(Cell::Text(_)) => "a text",
        Some(Cell::Bytes(_)) => "bytes",
    };
    StoreError::internal(DOING, format!("column {index} is {found} and not {wanted}"))
}

/// Literals are `int4` and comparisons `bool` on Postgres; SQLite has one integer for all.
fn postgres_int(row: &sqlx::postgres::PgRow, index: usize) -> Result<Option<i64>, sqlx::Error> {
    let Some(column) = row.columns().get(index) else {
        return Err(sqlx::Error::ColumnIndexOutOfBounds { index, len: row.columns().len() });
    };
    match column.type_info().name() {
        "INT4" => Ok(row.try_get::<Option<i32>, _>(index)?.map(i64::from)),
        "BOOL" => Ok(row.try_get::<Option<bool>, _>(index)?.map(i64::from)),
        _ => row.try_get(index),
    }
}
