//! A transaction that is under way.

use tokio::time::Instant;

use crate::database::postgres_query;
use crate::dialect::Sql;
use crate::error::{StoreError, from_sqlite, from_sqlx, is_serialization};
use crate::row::Row;
use crate::sqlite::connection::{self, Want};
use crate::value::Value;

/// A transaction. Everything done through it becomes durable together, or not at all.
///
/// A closure that holds one awaits nothing else: on SQLite all writers wait for it. A statement that fails ends
/// the change on both databases: its error comes back from every later statement, and nothing is kept.
pub struct Tx {
    pub(crate) connection: Connection,
    /// Topics that are woken after the commit.
    pub(crate) topics: Vec<String>,
    /// The first error of a statement. It ends the change, whatever the closure does then: Postgres takes no
    /// further statement, and SQLite shall not differ.
    pub(crate) failed: Option<StoreError>,
    /// What SQLite still has to be told before the next statement: a change that runs none costs nothing.
    pub(crate) before: Before,
    /// Whether a statement was run since this was last set to false.
    pub(crate) touched: bool,
    /// Whether it lost against another transaction and may be run again.
    pub(crate) again: bool,
    /// When SQLite takes no further statement of this change.
    pub(crate) until: Option<Instant>,
}

/// What begins a change on SQLite.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Before {
    Nothing,
    Begin,
    Savepoint,
    NextSavepoint,
}

impl Before {
    fn statements(self) -> &'static [&'static str] {
        match self {
            Self::Nothing => &[],
            Self::Begin => &["begin immediate"],
            Self::Savepoint => &["savepoint change"],
            Self::NextSavepoint => &["release change", "savepoint change"],
        }
    }
}

/// What a transaction speaks to.
pub(crate) enum Connection {
    Sqlite(rusqlite::Connection),
    Postgres(sqlx::Transaction<'static, sqlx::Postgres>),
}

/// An error of a driver.
enum Refused {
    Sqlite(rusqlite::Error),
    Postgres(sqlx::Error),
}

impl Tx {
    pub(crate) fn new(connection: Connection) -> Self {
        Self {
            connection,
            topics: Vec::new(),
            failed: None,
            before: Before::Nothing,
            touched: false,
            again: false,
            until: None,
        }
    }

    /// Runs a statement; returns how many rows it changed.
    ///
    /// # Errors
    ///
    /// [`StoreError::Conflict`] where a row with the same key is there already, [`StoreError::DiskFull`].
    pub async fn execute(&mut self, sql: impl Into<Sql>, args: &[Value]) -> Result<u64, StoreError> {
        let sql = sql.into();
        self.start()?;
        let done = match &mut self.connection {
            Connection::Sqlite(connection) => {
                connection::execute(connection, sql.sqlite, args).map_err(Refused::Sqlite)
            }
            Connection::Postgres(transaction) => postgres_query(sql, args)
                .execute(&mut **transaction)
                .await
                .map(|done| done.rows_affected())
                .map_err(Refused::Postgres),
        };
        done.map_err(|error| self.note(sql, error))
    }

    /// Runs a statement and reads all its rows.
    ///
    /// # Errors
    ///
    /// As [`Tx::execute`], and what `read` returns.
    pub async fn fetch_all<T>(
        &mut self,
        sql: impl Into<Sql>,
        args: &[Value],
        read: impl FnMut(&Row) -> Result<T, StoreError>,
    ) -> Result<Vec<T>, StoreError> {
        let sql = sql.into();
        self.start()?;
        let rows = match &mut self.connection {
            Connection::Sqlite(connection) => {
                connection::fetch(connection, sql.sqlite, args, Want::All).map_err(Refused::Sqlite)
            }
            Connection::Postgres(transaction) => postgres_query(sql, args)
                .fetch_all(&mut **transaction)
                .await
                .map(|rows| rows.into_iter().map(Row::Postgres).collect())
                .map_err(Refused::Postgres),
        };
        let rows = rows.map_err(|error| self.note(sql, error))?;
        rows.iter().map(read).collect()
    }

    /// Runs a statement and reads its first row, where there is one.
    ///
    /// # Errors
    ///
    /// As [`Tx::execute`], and what `read` returns.
    pub async fn fetch_optional<T>(
        &mut self,
        sql: impl Into<Sql>,
        args: &[Value],
        read: impl FnOnce(&Row) -> Result<T, StoreError>,
    ) -> Result<Option<T>, StoreError> {
        let sql = sql.into();
        self.start()?;
        let row = match &mut self.connection {
            Connection::Sqlite(connection) => connection::fetch(connection, sql.sqlite, args, Want::First)
                .map(|mut rows| rows.pop())
                .map_err(Refused::Sqlite),
            Connection::Postgres(transaction) => postgres_query(sql, args)
                .fetch_optional(&mut **transaction)
                .await
                .map(|row| row.map(Row::Postgres))
                .map_err(Refused::Postgres),
        };
        let row = row.map_err(|error| self.note(sql, error))?;
        row.as_ref().map(read).transpose()
    }

    /// Runs a statement and reads its first row.
    ///
    /// # Errors
    ///
    /// As [`Tx::fetch_optional`]; [`StoreError::NotFound`] where there is no row.
    pub async fn fetch_one<T>(
        &mut self,
        sql: impl Into<Sql>,
        args: &[Value],
        read: impl FnOnce(&Row) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        self.fetch_optional(sql, args, read).await?.ok_or(StoreError::NotFound { what: "the row" })
    }

    /// Wakes those who listen for `topic`, after the commit.
    pub fn wake(&mut self, topic: impl Into<String>) {
        let topic = topic.into();
        if !self.topics.contains(&topic) {
            self.topics.push(topic);
        }
    }

    /// Whether this is SQLite, where a statement costs no journey.
    pub(crate) fn is_local(&self) -> bool {
        matches!(self.connection, Connection::Sqlite(_))
    }

    /// Before each statement: refuses it when the change has failed or is out of time, and begins on SQLite.
    fn start(&mut self) -> Result<(), StoreError> {
        if let Some(error) = &self.failed {
            return Err(error.clone());
        }
        if self.until.is_some_and(|until| Instant::now() >= until) {
            return Err(self.failed.insert(StoreError::TimedOut).clone());
        }
        self.touched = true;
        let before = std::mem::replace(&mut self.before, Before::Nothing);
        for statement in before.statements() {
            if let Connection::Sqlite(connection) = &self.connection
                && let Err(error) = connection::execute(connection, statement, &[])
            {
                return Err(self.note((*statement).into(), Refused::Sqlite(error)));
            }
        }
        Ok(())
    }

    fn note(&mut self, sql: Sql, error: Refused) -> StoreError {
        let error = match error {
            Refused::Sqlite(error) => from_sqlite(sql.sqlite, error),
            Refused::Postgres(error) => {
                self.again |= is_serialization(&error);
                let error = from_sqlx(sql.postgres, error);
                // A transaction whose connection is gone is gone as a whole.
                self.again |= matches!(error, StoreError::Unavailable);
                error
            }
        };
        self.failed.get_or_insert(error.clone());
        error
    }
}
