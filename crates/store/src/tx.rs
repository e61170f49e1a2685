//! A transaction that is under way.

use futures_util::TryStreamExt;
use sqlx::{AssertSqlSafe, Either, Executor, SqlSafeStr, SqlStr};

use crate::database::{postgres_query, sqlite_query};
use crate::dialect::Sql;
use crate::error::{StoreError, from_sqlx, is_serialization};
use crate::row::Row;
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
    /// What SQLite still has to be told before the next statement; it goes along with that, since each trip to
    /// the database's thread costs as much as a statement.
    pub(crate) before: Before,
    /// Whether a statement was run since this was last set to false.
    pub(crate) touched: bool,
    /// Whether it lost against another transaction and may be run again.
    pub(crate) again: bool,
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
    fn text(self) -> &'static str {
        match self {
            Self::Nothing => "",
            Self::Begin => "begin immediate; ",
            Self::Savepoint => "savepoint change; ",
            Self::NextSavepoint => "release change; savepoint change; ",
        }
    }
}

/// What a transaction speaks to.
pub(crate) enum Connection {
    Sqlite(sqlx::SqliteConnection),
    Postgres(sqlx::Transaction<'static, sqlx::Postgres>),
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
        }
    }

    /// Runs a statement; returns how many rows it changed.
    ///
    /// # Errors
    ///
    /// [`StoreError::Conflict`] where a row with the same key is there already, [`StoreError::DiskFull`].
    pub async fn execute(&mut self, sql: impl Into<Sql>, args: &[Value]) -> Result<u64, StoreError> {
        let sql = sql.into();
        let text = self.start(sql)?;
        let done = match &mut self.connection {
            Connection::Sqlite(connection) => {
                // The changes of the last statement; what goes before it would repeat older ones.
                let mut steps = connection.fetch_many(sqlite_query(text, args));
                let mut changes = 0;
                loop {
                    match steps.try_next().await {
                        Ok(Some(Either::Left(done))) => changes = done.rows_affected(),
                        Ok(Some(Either::Right(_))) => {}
                        Ok(None) => break Ok(changes),
                        Err(error) => break Err(error),
                    }
                }
            }
            Connection::Postgres(transaction) => {
                postgres_query(sql, args).execute(&mut **transaction).await.map(|done| done.rows_affected())
            }
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
        let text = self.start(sql)?;
        let rows: Result<Vec<Row>, _> = match &mut self.connection {
            Connection::Sqlite(connection) => sqlite_query(text, args)
                .fetch_all(connection)
                .await
                .map(|rows| rows.into_iter().map(Row::Sqlite).collect()),
            Connection::Postgres(transaction) => postgres_query(sql, args)
                .fetch_all(&mut **transaction)
                .await
                .map(|rows| rows.into_iter().map(Row::Postgres).collect()),
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
        let text = self.start(sql)?;
        let row = match &mut self.connection {
            Connection::Sqlite(connection) => {
                sqlite_query(text, args).fetch_optional(connection).await.map(|row| row.map(Row::Sqlite))
            }
            Connection::Postgres(transaction) => postgres_query(sql, args)
                .fetch_optional(&mut **transaction)
                .await
                .map(|row| row.map(Row::Postgres)),
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

    /// The text that SQLite is given for a statement.
    fn start(&mut self, sql: Sql) -> Result<SqlStr, StoreError> {
        if let Some(error) = &self.failed {
            return Err(error.clone());
        }
        self.touched = true;
        match std::mem::replace(&mut self.before, Before::Nothing) {
            Before::Nothing => Ok(sql.sqlite.into_sql_str()),
            before => {
                let text = [before.text(), sql.sqlite].concat();
                // Both parts are our own constants.
                Ok(AssertSqlSafe(text).into_sql_str())
            }
        }
    }

    fn note(&mut self, sql: Sql, error: sqlx::Error) -> StoreError {
        self.again |= is_serialization(&error);
        let doing = match self.connection {
            Connection::Sqlite(_) => sql.sqlite,
            Connection::Postgres(_) => sql.postgres,
        };
        let error = from_sqlx(doing, error);
        // A transaction whose connection is gone is gone as a whole.
        let lost = matches!(error, StoreError::Unavailable);
        self.again |= lost && matches!(self.connection, Connection::Postgres(_));
        self.failed.get_or_insert(error.clone());
        error
    }
}
