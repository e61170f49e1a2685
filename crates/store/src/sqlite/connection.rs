//! One connection to the file: how it is opened and how a statement is run. All of it blocks.

use std::path::Path;
use std::time::Duration;

use rusqlite::types::{ToSql, ToSqlOutput, ValueRef};
use rusqlite::{Connection, OpenFlags, Statement};

use crate::row::{Cell, Row};
use crate::value::Value;

/// How long a connection waits for another process that holds the file.
pub(super) const BUSY: Duration = Duration::from_secs(5);

/// What is kept of statements that were compiled; there are fewer in all of the product.
const STATEMENTS: usize = 512;

/// How many rows of an answer are wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Want {
    All,
    First,
}

/// Opens the file, and makes it when it is not there.
pub(super) fn open(path: &Path) -> rusqlite::Result<Connection> {
    // No mutex of SQLite's own: a connection is used by one thread at a time.
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE
        | OpenFlags::SQLITE_OPEN_CREATE
        | OpenFlags::SQLITE_OPEN_NO_MUTEX
        | OpenFlags::SQLITE_OPEN_EXRESCODE;
    let connection = Connection::open_with_flags(path, flags)?;
    connection.busy_timeout(BUSY)?;
    connection.set_prepared_statement_cache_capacity(STATEMENTS);
    // `synchronous`: a commit survives a power cut, not only a crash. `cache_size`: 4 MiB for each connection, in
    // KiB and negative by SQLite's convention. The file is not mapped: a disk that fails would be a signal then
    // and not an error. `wal_autocheckpoint`: a checkpoint runs beside the writes, on a connection of its own.
    connection.execute_batch(
        "pragma journal_mode = wal;
         pragma synchronous = full;
         pragma foreign_keys = on;
         pragma cache_size = -4096;
         pragma temp_store = memory;
         pragma wal_autocheckpoint = 0;
         pragma journal_size_limit = 67108864;",
    )?;
    Ok(connection)
}

/// Runs a statement to its end; returns how many rows it changed.
pub(crate) fn execute(connection: &Connection, sql: &str, args: &[Value]) -> rusqlite::Result<u64> {
    let mut statement = connection.prepare_cached(sql)?;
    bind(&mut statement, args)?;
    let reads = statement.readonly();
    let mut rows = statement.raw_query();
    while rows.next()?.is_some() {}
    // A statement that only reads would tell the changes of the one before it.
    Ok(if reads { 0 } else { connection.changes() })
}

/// Runs a statement and copies its rows.
pub(crate) fn fetch(
    connection: &Connection,
    sql: &str,
    args: &[Value],
    want: Want,
) -> rusqlite::Result<Vec<Row>> {
    let mut statement = connection.prepare_cached(sql)?;
    bind(&mut statement, args)?;
    let columns = statement.column_count();
    let mut rows = statement.raw_query();
    let mut all = Vec::new();
    while let Some(row) = rows.next()? {
        let cells = (0..columns).map(|index| row.get_ref(index).map(cell)).collect::<Result<_, _>>()?;
        all.push(Row::Sqlite(cells));
        if want == Want::First {
            break;
        }
    }
    Ok(all)
}

/// `$1` is a name for SQLite, and names are numbered as they come: `$2` may be its first.
fn bind(statement: &mut Statement<'_>, args: &[Value]) -> rusqlite::Result<()> {
    for index in 1..=statement.parameter_count() {
        let name = statement.parameter_name(index);
        let number = name.and_then(|name| name.strip_prefix('$')).and_then(|name| name.parse::<usize>().ok());
        let Some(arg) = number.and_then(|number| args.get(number.checked_sub(1)?)) else {
            return Err(rusqlite::Error::InvalidParameterCount(args.len(), statement.parameter_count()));
        };
        statement.raw_bind_parameter(index, arg)?;
    }
    Ok(())
}

impl ToSql for Value {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(match self {
            Self::Int(Some(value)) => ValueRef::Integer(*value),
            Self::Text(Some(value)) => ValueRef::Text(value.as_bytes()),
            Self::Bytes(Some(value)) => ValueRef::Blob(value),
            Self::Int(None) | Self::Text(None) | Self::Bytes(None) => ValueRef::Null,
        }))
    }
}

fn cell(value: ValueRef<'_>) -> Cell {
    match value {
        ValueRef::Null => Cell::Null,
        ValueRef::Integer(value) => Cell::Int(value),
        ValueRef::Real(_) => Cell::Real,
        ValueRef::Text(value) => match std::str::from_utf8(value) {
            Ok(text) => Cell::Text(text.into()),
            Err(_) => Cell::Bytes(value.into()),
        },
        ValueRef::Blob(value) => Cell::Bytes(value.into()),
    }
}
