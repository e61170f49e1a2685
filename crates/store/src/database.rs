//! The one `match` over the two databases.

use futures_util::future::BoxFuture;

use crate::dialect::Sql;
use crate::error::{StoreError, from_sqlx};
use crate::postgres::Postgres;
use crate::row::Row;
use crate::sqlite::Sqlite;
use crate::sqlite::connection::Want;
use crate::tx::Tx;
use crate::value::Value;

/// An open database.
pub(crate) enum Database {
    Sqlite(Sqlite),
    Postgres(Postgres),
}

impl Database {
    /// Runs a change in a transaction; returns when it is durable.
    pub(crate) async fn write<F, T, E>(&self, change: F) -> Result<T, E>
    where
        F: for<'t> FnOnce(&'t mut Tx) -> BoxFuture<'t, Result<T, E>> + Clone + Send + 'static,
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
    {
        match self {
            Self::Sqlite(sqlite) => sqlite.write(change).await,
            Self::Postgres(postgres) => postgres.write(change).await,
        }
    }

    pub(crate) async fn fetch_all(&self, sql: Sql, args: &[Value]) -> Result<Vec<Row>, StoreError> {
        match self {
            Self::Sqlite(sqlite) => sqlite.readers.fetch(sql.sqlite, args, Want::All).await,
            Self::Postgres(postgres) => {
                let mut failed = 0;
                loop {
                    match postgres_query(sql, args).fetch_all(&postgres.pool).await {
                        Ok(rows) => return Ok(rows.into_iter().map(Row::Postgres).collect()),
                        Err(error) => postgres.ride_out(&mut failed, from_sqlx(sql.postgres, error)).await?,
                    }
                }
            }
        }
    }

    pub(crate) async fn fetch_optional(&self, sql: Sql, args: &[Value]) -> Result<Option<Row>, StoreError> {
        match self {
            Self::Sqlite(sqlite) => {
                Ok(sqlite.readers.fetch(sql.sqlite, args, Want::First).await?.into_iter().next())
            }
            Self::Postgres(postgres) => {
                let mut failed = 0;
                loop {
                    match postgres_query(sql, args).fetch_optional(&postgres.pool).await {
                        Ok(row) => return Ok(row.map(Row::Postgres)),
                        Err(error) => postgres.ride_out(&mut failed, from_sqlx(sql.postgres, error)).await?,
                    }
                }
            }
        }
    }
}

type PostgresQuery = sqlx::query::Query<'static, sqlx::Postgres, sqlx::postgres::PgArguments>;

/// A prepared statement with its arguments, for Postgres.
pub(crate) fn postgres_query(sql: Sql, args: &[Value]) -> PostgresQuery {
    args.iter().fold(sqlx::query(sql.postgres), |query, value| match value {
        Value::Int(value) => query.bind(*value),
        Value::Text(value) => query.bind(value.clone()),
        Value::Bytes(value) => query.bind(value.clone()),
    })
}
