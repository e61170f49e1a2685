//! The connections that read. A short read runs where it is asked for, since to hand it to another thread and
//! back costs more than most reads; one that turns out long is begun again on a thread that may block.

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rusqlite::{Connection, ErrorCode};
use tokio::sync::Semaphore;
use tokio::time::Instant;

use super::connection::{self, Want};
use crate::error::{StoreError, from_sqlite};
use crate::row::Row;
use crate::value::Value;

/// What a read may take on the thread that asks. Nearly all take a tenth of it.
const SHORT: Duration = Duration::from_micros(500);

/// Steps of SQLite's machine between two looks at the clock: 10 to 50 µs.
const LOOK_STEPS: i32 = 1000;

/// Long reads at a time; others wait. Each holds a thread and a connection.
const LONG_READS: u32 = 4;

/// A read that is not cut.
const NEVER: u64 = u64::MAX;

/// Connections that read.
pub(crate) struct Readers {
    path: PathBuf,
    idle: Mutex<Vec<Reader>>,
    long: Semaphore,
    closed: AtomicBool,
}

/// A connection, and when what it runs is cut.
struct Reader {
    connection: Connection,
    opened: Instant,
    /// In microseconds since `opened`, or [`NEVER`].
    cut_at: Arc<AtomicU64>,
}

impl Readers {
    /// Opens the first connection.
    pub(super) fn open(path: PathBuf) -> rusqlite::Result<Self> {
        let first = Reader::open(&path)?;
        let long = Semaphore::new(LONG_READS as usize);
        Ok(Self { path, idle: Mutex::new(vec![first]), long, closed: AtomicBool::new(false) })
    }

    /// Reads; sees every write that has returned.
    pub(crate) async fn fetch(
        self: &Arc<Self>,
        sql: &'static str,
        args: &[Value],
        want: Want,
    ) -> Result<Vec<Row>, StoreError> {
        // Short reads never wait: a task that makes many of them lets others go first now and then.
        tokio::task::coop::consume_budget().await;
        match self.with(|reader| reader.short(sql, args, want))? {
            Ok(rows) => Ok(rows),
            Err(error) if is_long(&error) => self.fetch_long(sql, args.to_vec(), want).await,
            Err(error) => Err(from_sqlite(sql, error)),
        }
    }

    async fn fetch_long(
        self: &Arc<Self>,
        sql: &'static str,
        args: Vec<Value>,
        want: Want,
    ) -> Result<Vec<Row>, StoreError> {
        let Ok(_turn) = self.long.acquire().await else { return Err(StoreError::Unavailable) };
        let readers = Arc::clone(self);
        let read = move || readers.with(|reader| reader.long(sql, &args, want));
        let rows = tokio::task::spawn_blocking(read).await;
        rows.map_err(|error| StoreError::internal("read on a thread of its own", error))??
            .map_err(|error| from_sqlite(sql, error))
    }

    /// Lends a connection; opens one more when all are in use. There are at most as many as threads that ask.
    fn with<T>(&self, read: impl FnOnce(&Reader) -> T) -> Result<T, StoreError> {
        let idle = self.idle().pop();
        if self.closed.load(Ordering::Acquire) {
            return Err(StoreError::Unavailable);
        }
        let reader = match idle {
            Some(reader) => reader,
            None => Reader::open(&self.path).map_err(|error| from_sqlite("open the database", error))?,
        };
        let result = read(&reader);
        let mut idle = self.idle();
        if !self.closed.load(Ordering::Acquire) {
            idle.push(reader);
        }
        Ok(result)
    }

    fn idle(&self) -> std::sync::MutexGuard<'_, Vec<Reader>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Closes the connections once the long reads have ended; later reads are refused.
    pub(super) async fn close(&self) {
        self.closed.store(true, Ordering::Release);
        // An error means that it is closed already.
        let _ = self.long.acquire_many(LONG_READS).await;
        self.long.close();
        self.idle().clear();
    }
}

impl Reader {
    fn open(path: &std::path::Path) -> rusqlite::Result<Self> {
        let connection = connection::open(path)?;
        connection.execute_batch("pragma query_only = on")?;
        // A short read waits for nobody.
        connection.busy_timeout(Duration::ZERO)?;
        let (opened, cut_at) = (Instant::now(), Arc::new(AtomicU64::new(NEVER)));
        let limit = Arc::clone(&cut_at);
        let over = move || micros(opened.elapsed()) >= limit.load(Ordering::Relaxed);
        connection.progress_handler(LOOK_STEPS, Some(over))?;
        Ok(Self { connection, opened, cut_at })
    }

    fn short(&self, sql: &str, args: &[Value], want: Want) -> rusqlite::Result<Vec<Row>> {
        self.cut_at.store(micros(self.opened.elapsed() + SHORT), Ordering::Relaxed);
        connection::fetch(&self.connection, sql, args, want)
    }

    fn long(&self, sql: &str, args: &[Value], want: Want) -> rusqlite::Result<Vec<Row>> {
        self.cut_at.store(NEVER, Ordering::Relaxed);
        self.connection.busy_timeout(connection::BUSY)?;
        let rows = connection::fetch(&self.connection, sql, args, want);
        self.connection.busy_timeout(Duration::ZERO)?;
        rows
    }
}

fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(NEVER)
}

/// Whether a read was cut, or would have had to wait for another process.
fn is_long(error: &rusqlite::Error) -> bool {
    let code = error.sqlite_error_code();
    matches!(
        code,
        Some(ErrorCode::OperationInterrupted | ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked)
    )
}
