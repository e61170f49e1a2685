//! SQLite: one connection writes, a few read.

mod checkpoint;
mod writer;

use std::path::Path;
use std::time::Duration;

use futures_util::future::BoxFuture;
use runtime::Supervisor;
use sqlx::SqlitePool;
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};
use sqlx::{ConnectOptions, Connection as _};
use tokio::sync::{mpsc, oneshot};

use crate::error::{StoreError, from_sqlx};
use crate::migrations::migrator;
use crate::tx::{Connection, Tx};
use crate::wakeups::Wakeups;
use writer::{Job, Message, TypedJob, Writer};

/// Writes that may wait for the writer before callers wait to hand theirs over.
const QUEUE_LENGTH: usize = 1024;

/// Connections that read. Each is a thread; reads are short.
const READERS: u32 = 4;

/// An open SQLite database.
pub(crate) struct Sqlite {
    pub(crate) readers: SqlitePool,
    writer: mpsc::Sender<Message>,
}

impl Sqlite {
    /// Opens the file, brings its tables up to date and starts the writer.
    pub(crate) async fn open(
        path: &Path,
        write_limit: Duration,
        wakeups: Wakeups,
    ) -> Result<Self, StoreError> {
        let options = options(path);
        let doing = "open the database";
        let mut connection = options.connect().await.map_err(|error| from_sqlx(doing, error))?;
        migrator(|twin| twin.sqlite)
            .run_direct(None, &mut connection, false)
            .await
            .map_err(migration_error)?;
        make_room(&mut connection, path).await?;

        let readers = SqlitePoolOptions::new()
            .max_connections(READERS)
            .min_connections(1)
            .test_before_acquire(false)
            .idle_timeout(None)
            .max_lifetime(None)
            .connect_with(options.clone().create_if_missing(false).pragma("query_only", "on"))
            .await
            .map_err(|error| from_sqlx(doing, error))?;
        let checkpoints = options.connect().await.map_err(|error| from_sqlx(doing, error))?;

        let (sender, receiver) = mpsc::channel(QUEUE_LENGTH);
        // The writer is not the caller's to stop: other tasks write their last rows while they stop. It ends
        // with `close` or with the last handle.
        let tasks = Supervisor::new();
        let tx = Tx::new(Connection::Sqlite(connection));
        let checkpoints = checkpoint::start(&tasks, checkpoints, path);
        tasks.spawn("store writer", Writer::new(tx, receiver, write_limit, wakeups, checkpoints).run());
        Ok(Self { readers, writer: sender })
    }

    /// Hands a change to the writer and waits until it is durable.
    pub(crate) async fn write<F, T, E>(&self, change: F) -> Result<T, E>
    where
        F: for<'t> FnOnce(&'t mut Tx) -> BoxFuture<'t, Result<T, E>> + Send + 'static,
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
    {
        let (answer, answered) = oneshot::channel();
        let job: Box<dyn Job> = Box::new(TypedJob::new(change, answer));
        self.writer.send(Message::Write(job)).await.map_err(|_| StoreError::Unavailable)?;
        answered.await.unwrap_or_else(|_| Err(StoreError::Unavailable.into()))
    }

    /// Ends the writer after the writes that wait, moves the log into the file, and closes it.
    pub(crate) async fn close(&self) {
        let (done, closed) = oneshot::channel();
        if self.writer.send(Message::Close(done)).await.is_ok() {
            // An error means that the writer has ended already.
            let _ = closed.await;
        }
        self.readers.close().await;
    }
}

fn options(path: &Path) -> SqliteConnectOptions {
    SqliteConnectOptions::new()
        .filename(path)
        .create_if_missing(true)
        .journal_mode(SqliteJournalMode::Wal)
        // A commit survives a power cut, not only a crash.
        .synchronous(SqliteSynchronous::Full)
        .busy_timeout(Duration::from_secs(5))
        .foreign_keys(true)
        // 4 MiB for each connection, in KiB and negative by SQLite's convention. The file is not mapped: a disk
        // that fails would be a signal then and not an error.
        .pragma("cache_size", "-4096")
        .pragma("temp_store", "memory")
        // A checkpoint runs beside the writes, on a connection of its own.
        .pragma("wal_autocheckpoint", "0")
        .pragma("journal_size_limit", "67108864")
        .statement_cache_capacity(512)
        .row_buffer_size(1024)
        .disable_statement_logging()
}

/// Gives the write-ahead log its first room. Without it the store is slower and as safe.
async fn make_room(connection: &mut sqlx::SqliteConnection, path: &Path) -> Result<(), StoreError> {
    let doing = "lock the database";
    sqlx::query("begin immediate")
        .execute(&mut *connection)
        .await
        .map_err(|error| from_sqlx(doing, error))?;
    if let Err(error) = checkpoint::make_room(path) {
        tracing::warn!(error = %error, "the write-ahead log could not be given room");
    }
    sqlx::query("rollback").execute(connection).await.map(|_| ()).map_err(|error| from_sqlx(doing, error))
}

fn migration_error(error: sqlx::migrate::MigrateError) -> StoreError {
    match error {
        sqlx::migrate::MigrateError::Execute(error) => from_sqlx("bring the tables up to date", error),
        error => StoreError::internal("bring the tables up to date", error),
    }
}

/// Closes a connection; what goes wrong then changes nothing for anybody.
async fn close(connection: sqlx::SqliteConnection) {
    if let Err(error) = connection.close().await {
        tracing::warn!(error = %error, "a connection did not close cleanly");
    }
}
