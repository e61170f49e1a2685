//! The one task that writes. Changes that wait are run together and made durable by one commit.

use std::panic::AssertUnwindSafe;
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use tokio::sync::{mpsc, oneshot};

use super::checkpoint::Checkpoints;
use crate::error::StoreError;
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
        tx: Tx,
        messages: mpsc::Receiver<Message>,
        limit: Duration,
        wakeups: Wakeups,
        checkpoints: Checkpoints,
    ) -> Self {
        Self { tx, messages, limit, wakeups, checkpoints }
    }

    /// Serves until it is closed or the last handle is gone.
    pub(super) async fn run(mut self) {
        let mut closed = None;
        while closed.is_none() {
            match self.messages.recv().await {
                Some(Message::Write(job)) => closed = self.commit_batch(job).await,
                Some(Message::Close(done)) => closed = Some(done),
                None => break,
            }
        }
        self.messages.close();
        self.checkpoints.stop().await;
        if let Connection::Sqlite(connection) = self.tx.connection {
            super::close(connection).await;
        }
        if let Some(done) = closed {
            // Nobody waits any more: fine.
            let _ = done.send(());
        }
    }

    /// Runs `first` and what waits behind it in one transaction.
    async fn commit_batch(&mut self, first: Box<dyn Job>) -> Option<oneshot::Sender<()>> {
        let mut batch = Batch { kept: Vec::new(), before: Before::Begin, close: None };
        let mut next = Some(first);
        let mut taken = 0;
        let until = tokio::time::Instant::now() + BATCH_TIME;
        while let Some(job) = next.take() {
            taken += 1;
            self.run_in(&mut batch, job).await;
            if taken == BATCH || tokio::time::Instant::now() >= until {
                break;
            }
            match self.messages.try_recv() {
                Ok(Message::Write(job)) => next = Some(job),
                Ok(Message::Close(done)) => batch.close = Some(done),
                Err(_) => {}
            }
        }
        let begun = batch.before != Before::Begin;
        let committed = if begun { self.commit().await } else { Ok(()) };
        if committed.is_ok() {
            for topic in self.tx.topics.drain(..) {
                self.wakeups.fire(&topic);
            }
        }
        self.tx.topics.clear();
        for job in batch.kept {
            job.finish(committed.clone());
        }
        batch.close
    }

    /// Runs one change of a batch. When it fails, its own work goes and that of the others stays.
    async fn run_in(&mut self, batch: &mut Batch, mut job: Box<dyn Job>) {
        let topics = self.tx.topics.len();
        self.tx.before = batch.before;
        self.tx.touched = false;
        let ended = self.run_job(job.as_mut()).await;
        let touched = std::mem::replace(&mut self.tx.touched, false);
        self.tx.before = Before::Nothing;
        let failed = self.tx.failed.take();
        let dropped = failed.as_ref().is_some_and(StoreError::ends_transaction);

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
            self.rollback().await;
            job.finish(Err(error));
        } else if !dropped && self.tx.execute("rollback to change", &[]).await.is_ok() {
            // The savepoint stays and is the next change's.
            batch.before = Before::Nothing;
            job.finish(Err(error));
        } else {
            // The database has dropped the whole transaction: nobody in it is acknowledged.
            self.rollback().await;
            self.tx.topics.clear();
            batch.before = Before::Begin;
            for job in batch.kept.drain(..).chain([job]) {
                job.finish(Err(error.clone()));
            }
        }
    }

    async fn run_job(&mut self, job: &mut dyn Job) -> Ended {
        let run = AssertUnwindSafe(job.run(&mut self.tx)).catch_unwind();
        match tokio::time::timeout(self.limit, run).await {
            Ok(Ok(true)) => Ended::Kept,
            Ok(Ok(false)) => Ended::RolledBack,
            Ok(Err(_)) => Ended::Panicked,
            Err(_) => Ended::TimedOut,
        }
    }

    async fn commit(&mut self) -> Result<(), StoreError> {
        if let Err(error) = self.tx.execute("commit", &[]).await {
            tracing::warn!(error = %error, "a commit did not succeed");
            self.rollback().await;
            return Err(error);
        }
        self.checkpoints.committed();
        Ok(())
    }

    /// Ends the transaction, where the database has not done so by itself.
    async fn rollback(&mut self) {
        self.tx.failed = None;
        if let Err(error) = self.tx.execute("rollback", &[]).await {
            tracing::debug!(error = %error, "the database had rolled back by itself");
        }
        self.tx.failed = None;
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
