//! SQLite: one connection writes, on a thread of its own; others read.

mod checkpoint;
pub(crate) mod connection;
mod migrate;
mod readers;
mod writer;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;
use tokio::sync::{mpsc, oneshot};

use crate::error::{StoreError, from_sqlite};
use crate::tx::Tx;
use crate::wakeups::Wakeups;
use checkpoint::Checkpoints;
use readers::Readers;
use writer::{Job, Message, TypedJob, Writer};

/// Writes that may wait for the writer before callers wait to hand theirs over.
const QUEUE_LENGTH: usize = 1024;

/// An open SQLite database.
pub(crate) struct Sqlite {
    pub(crate) readers: Arc<Readers>,
    writer: mpsc::Sender<Message>,
}

impl Sqlite {
    /// Opens the file, brings its tables up to date and starts the writer.
    pub(crate) async fn open(
        path: &Path,
        write_limit: Duration,
        wakeups: Wakeups,
    ) -> Result<Self, StoreError> {
        let path = path.to_owned();
        let open = move || Self::open_here(&path, write_limit, wakeups);
        let opened = tokio::task::spawn_blocking(open).await;
        opened.map_err(|error| StoreError::internal("open the database", error))?
    }

    fn open_here(path: &Path, write_limit: Duration, wakeups: Wakeups) -> Result<Self, StoreError> {
        let doing = "open the database";
        let mut connection = connection::open(path).map_err(|error| from_sqlite(doing, error))?;
        migrate::migrate(&mut connection)?;
        make_room(&connection, path).map_err(|error| from_sqlite("lock the database", error))?;
        let readers = Readers::open(path.to_owned()).map_err(|error| from_sqlite(doing, error))?;
        let beside = connection::open(path).map_err(|error| from_sqlite(doing, error))?;

        let (sender, receiver) = mpsc::channel(QUEUE_LENGTH);
        let no_thread = |error| StoreError::internal("start a thread", error);
        let checkpoints = Checkpoints::start(beside, path).map_err(no_thread)?;
        // The writer is nobody's to stop: tasks write their last rows while they stop. It ends with `close` or
        // with the last handle.
        Writer::new(connection, receiver, write_limit, wakeups, checkpoints).start().map_err(no_thread)?;
        Ok(Self { readers: Arc::new(readers), writer: sender })
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

/// Gives the write-ahead log its first room. Without it the store is slower and as safe.
fn make_room(connection: &rusqlite::Connection, path: &Path) -> rusqlite::Result<()> {
    connection.execute_batch("begin immediate")?;
    if let Err(error) = checkpoint::make_room(path) {
        tracing::warn!(error = %error, "the write-ahead log could not be given room");
    }
    connection.execute_batch("rollback")
}

/// Closes a connection; what goes wrong then changes nothing for anybody.
fn close(connection: rusqlite::Connection) {
    if let Err((_, error)) = connection.close() {
        tracing::warn!(error = %error, "a connection did not close cleanly");
    }
}
