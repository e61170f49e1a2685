//! The one thread that writes. Changes that wait are run together and made durable by one commit.
//!
//! A change is a future, and it awaits nothing but its transaction, whose answers are there at once on SQLite: the
//! thread runs it to its end by itself, without a runtime.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::thread::Thread;
use std::time::Duration;

use futures_util::future::BoxFuture;
use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;

use super::checkpoint::Checkpoints;
use crate::error::{StoreError, from_sqlite};
use crate::tx::{Before, Connection, Tx};
use crate::wakeups::Wakeups;

/// The most changes that share a commit.
const BATCH: usize = 128;

/// A batch takes no further change after this; those who wait for its commit have waited enough.
const BATCH_TIME: Duration = Duration::from_millis(20);

/// What the writer is told.
pub(super) enum Message {
    /// Run this change.
    Write(Box<dyn Job>),
    /// End; tell when it is done.
    Close(oneshot::Sender<()>),
}

/// One change that waits for the writer.
pub(super) trait Job: Send {
    /// Runs it; returns whether its work shall be kept.
    fn run<'t>(&'t mut self, tx: &'t mut Tx) -> BoxFuture<'t, bool>;

    /// Tells the caller: the change's own result, or why it was not kept.
    fn finish(self: Box<Self>, kept: Result<(), StoreError>);
}

/// A change with the types of its caller.
pub(super) struct TypedJob<F, T, E> {
    change: Option<F>,
    result: Option<Result<T, E>>,
    answer: oneshot::Sender<Result<T, E>>,
}

impl<F, T, E> TypedJob<F, T, E> {
    pub(super) fn new(change: F, answer: oneshot::Sender<Result<T, E>>) -> Self {
        Self { change: Some(change), result: None, answer }
    }
}

impl<F, T, E> Job for TypedJob<F, T, E>
where
    F: for<'t> FnOnce(&'t mut Tx) -> BoxFuture<'t, Result<T, E>> + Send,
    T: Send,
    E: From<StoreError> + Send,
{
    fn run<'t>(&'t mut self, tx: &'t mut Tx) -> BoxFuture<'t, bool> {
        Box::pin(async move {
            let Some(change) = self.change.take() else { return false };
            let result = change(tx).await;
            let keep = result.is_ok();
            self.result = Some(result);
            keep
        })
    }

    fn finish(self: Box<Self>, kept: Result<(), StoreError>) {
        let result = match (kept, self.result) {
            (Ok(()), Some(result)) => result,
            (Err(_), Some(Err(own))) => Err(own),
            (Err(error), _) => Err(error.into()),
            (Ok(()), None) => Err(StoreError::internal("run a write", "it did not end").into()),
        };
        // The caller may have gone away; its change stands all the same.
        let _ = self.answer.send(result);
    }
}

/// How one change of a batch ended.
enum Ended {
    Kept,
    RolledBack,
    Panicked,
    TimedOut,
}

pub(super) struct Writer {
    tx: Tx,
    messages: mpsc::Receiver<Message>,
    limit: Duration,
    wakeups: Wakeups,
    checkpoints: Checkpoints,
}

/// The changes of one transaction.
struct Batch {
    /// Run and to be kept.
    kept: Vec<Box<dyn Job>>,
    /// What begins the next change.
    before: Before,
    /// The writer shall end after this batch.
    close: Option<oneshot::Sender<()>>,
}

impl Writer {
    pub(super) fn new(
        connection: rusqlite::Connection,
        messages: mpsc::Receiver<Message>,
        limit: Duration,
        wakeups: Wakeups,
        checkpoints: Checkpoints,
    ) -> Self {
        Self { tx: Tx::new(Connection::Sqlite(connection)), messages, limit, wakeups, checkpoints }
    }

    /// Starts the thread. It serves until it is closed or the last handle is gone.
    pub(super) fn start(self) -> std::io::Result<()> {
        std::thread::Builder::new().name("store-writer".to_owned()).spawn(move || self.run()).map(|_| ())
    }

    fn run(mut self) {
        let waker = Waker::from(Arc::new(Unpark(std::thread::current())));
        let mut closed = None;
        while closed.is_none() {
            match self.messages.blocking_recv() {
                Some(Message::Write(job)) => closed = self.commit_batch(job, &waker),
                Some(Message::Close(done)) => closed = Some(done),
                None => break,
            }
        }
        self.messages.close();
        self.checkpoints.stop();
        if let Connection::Sqlite(connection) = self.tx.connection {
            super::close(connection);
        }
        if let Some(done) = closed {
            // Nobody waits any more: fine.
            let _ = done.send(());
        }
    }

    /// Runs `first` and what waits behind it in one transaction.
    fn commit_batch(&mut self, first: Box<dyn Job>, waker: &Waker) -> Option<oneshot::Sender<()>> {
        let mut batch = Batch { kept: Vec::new(), before: Before::Begin, close: None };
        let mut next = Some(first);
        let mut taken = 0;
        let until = Instant::now() + BATCH_TIME;
        while let Some(job) = next.take() {
            taken += 1;
            self.run_in(&mut batch, job, waker);
            if taken == BATCH || Instant::now() >= until {
                break;
            }
            match self.messages.try_recv() {
                Ok(Message::Write(job)) => next = Some(job),
                Ok(Message::Close(done)) => batch.close = Some(done),
                Err(_) => {}
            }
        }
        let begun = batch.before != Before::Begin;
        let committed = if begun { self.commit() } else { Ok(()) };
        if committed.is_ok() {
            for topic in self.tx.topics.drain(..) {
                self.wakeups.fire(&topic);
            }
        }
        self.tx.topics.clear();
        for job in batch.kept {
            job.finish(committed.clone());
        }
        if let Connection::Sqlite(connection) = &self.tx.connection {
            self.checkpoints.catch_up(connection);
        }
        batch.close
    }

    /// Runs one change of a batch. When it fails, its own work goes and that of the others stays.
    fn run_in(&mut self, batch: &mut Batch, mut job: Box<dyn Job>, waker: &Waker) {
        let topics = self.tx.topics.len();
        self.tx.before = batch.before;
        self.tx.touched = false;
        let ended = self.run_job(job.as_mut(), waker);
        let touched = std::mem::replace(&mut self.tx.touched, false);
        self.tx.before = Before::Nothing;
        let failed = self.tx.failed.take();

        let Some(error) = why_not_kept(&ended, failed) else {
            batch.kept.push(job);
            if touched {
                batch.before = match batch.before {
                    Before::Begin => Before::Savepoint,
                    Before::Nothing | Before::Savepoint | Before::NextSavepoint => Before::NextSavepoint,
                };
            }
            return;
        };
        self.tx.topics.truncate(topics);
        if !touched {
            job.finish(Err(error));
        } else if batch.before == Before::Begin {
            self.rollback();
            job.finish(Err(error));
        } else if self.in_transaction() && self.tell("rollback to change").is_ok() {
            // The savepoint stays and is the next change's.
            batch.before = Before::Nothing;
            job.finish(Err(error));
        } else {
            // The database has dropped the whole transaction: nobody in it is acknowledged.
            self.rollback();
            self.tx.topics.clear();
            batch.before = Before::Begin;
            for job in batch.kept.drain(..).chain([job]) {
                job.finish(Err(error.clone()));
            }
        }
    }

    fn run_job(&mut self, job: &mut dyn Job, waker: &Waker) -> Ended {
        let until = Instant::now() + self.limit;
        self.tx.until = Some(until);
        let tx = &mut self.tx;
        let run = catch_unwind(AssertUnwindSafe(|| drive(job.run(tx), until, waker)));
        self.tx.until = None;
        match run {
            Ok(Some(true)) => Ended::Kept,
            Ok(Some(false)) => Ended::RolledBack,
            Ok(None) => Ended::TimedOut,
            Err(_) => Ended::Panicked,
        }
    }

    fn commit(&mut self) -> Result<(), StoreError> {
        if let Err(error) = self.tell("commit") {
            tracing::warn!(error = %error, "a commit did not succeed");
            self.rollback();
            return Err(error);
        }
        self.checkpoints.committed();
        Ok(())
    }

    /// Ends the transaction, where the database has not done so by itself.
    fn rollback(&mut self) {
        if self.in_transaction()
            && let Err(error) = self.tell("rollback")
        {
            tracing::warn!(error = %error, "a transaction could not be rolled back");
        }
    }

    /// False where the database has dropped the transaction by itself.
    fn in_transaction(&self) -> bool {
        matches!(&self.tx.connection, Connection::Sqlite(connection) if !connection.is_autocommit())
    }

    fn tell(&mut self, statement: &'static str) -> Result<(), StoreError> {
        let Connection::Sqlite(connection) = &self.tx.connection else { return Ok(()) };
        match super::connection::execute(connection, statement, &[]) {
            Ok(_) => Ok(()),
            Err(error) => Err(from_sqlite(statement, error)),
        }
    }
}

/// Wakes the thread.
struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

/// Runs a future to its end; `None` where it has not ended in time.
fn drive<T>(mut future: BoxFuture<'_, T>, until: Instant, waker: &Waker) -> Option<T> {
    let mut context = Context::from_waker(waker);
    loop {
        if let Poll::Ready(value) = future.as_mut().poll(&mut context) {
            return Some(value);
        }
        // It waits for something that is not its transaction.
        let left = until.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return None;
        }
        std::thread::park_timeout(left);
    }
}

/// Why a change is not kept; its caller gets its own error where it has returned one.
fn why_not_kept(ended: &Ended, failed: Option<StoreError>) -> Option<StoreError> {
    match ended {
        Ended::Kept => failed,
        Ended::RolledBack | Ended::Panicked | Ended::TimedOut if failed.is_some() => failed,
        Ended::RolledBack => Some(StoreError::internal("run a write", "the change returned an error")),
        Ended::Panicked => Some(StoreError::internal("run a write", "the change panicked")),
        Ended::TimedOut => Some(StoreError::TimedOut),
    }
}
