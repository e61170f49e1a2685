//! The one task that writes. Changes that wait are run together and made durable by one commit.

use std::panic::AssertUnwindSafe;
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use tokio::sync::{mpsc, oneshot};

use super::checkpoint::Checkpoints;
use crate::error::StoreError;
use crate::tx::{Connection, Tx};
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
#[derive(Default)]
struct Batch {
    /// Run and to be kept.
    kept: Vec<Box<dyn Job>>,
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
        let mut batch = Batch::default();
        let mut next = Some(first);
        let mut taken = 0;
        let until = tokio::time::Instant::now() + BATCH_TIME;
        while let Some(job) = next.take() {
            taken += 1;
            if batch.kept.is_empty() {
                self.run_alone(job, &mut batch).await;
            } else {
                self.run_behind(job, &mut batch).await;
            }
            if taken == BATCH || tokio::time::Instant::now() >= until {
                break;
            }
            match self.messages.try_recv() {
                Ok(Message::Write(job)) => next = Some(job),
                Ok(Message::Close(done)) => batch.close = Some(done),
                Err(_) => {}
            }
        }
        if !batch.kept.is_empty() {
            let committed = self.commit().await;
            for job in batch.kept {
                job.finish(committed.clone());
            }
        }
        batch.close
    }

    /// Runs the first change of a transaction: when it fails, the transaction goes.
    async fn run_alone(&mut self, job: Box<dyn Job>, batch: &mut Batch) {
        if let Err(error) = self.begin().await {
            job.finish(Err(error));
            return;
        }
        let (job, ended) = self.run_job(job).await;
        if let Some(error) = why_not_kept(&ended, &self.tx) {
            self.rollback().await;
            job.finish(Err(error));
        } else {
            batch.kept.push(job);
        }
    }

    /// Runs a change behind others: when it fails, only its own work goes.
    async fn run_behind(&mut self, job: Box<dyn Job>, batch: &mut Batch) {
        if let Err(error) = self.tx.execute("savepoint change", &[]).await {
            job.finish(Err(error));
            return;
        }
        let topics = self.tx.topics.len();
        let (job, ended) = self.run_job(job).await;
        let Some(error) = why_not_kept(&ended, &self.tx) else {
            if self.tx.execute("release change", &[]).await.is_ok() {
                batch.kept.push(job);
            } else {
                self.abandon(job, batch).await;
            }
            return;
        };
        self.tx.topics.truncate(topics);
        let back = self.tx.execute("rollback to change; release change", &[]).await;
        if back.is_ok() {
            job.finish(Err(error));
        } else {
            self.tx.ended.get_or_insert(error);
            self.abandon(job, batch).await;
        }
    }

    /// The database has dropped the whole transaction: nobody in it is acknowledged.
    async fn abandon(&mut self, job: Box<dyn Job>, batch: &mut Batch) {
        let error = self.tx.ended.clone().unwrap_or(StoreError::Unavailable);
        self.rollback().await;
        for job in batch.kept.drain(..).chain([job]) {
            job.finish(Err(error.clone()));
        }
    }

    async fn run_job(&mut self, mut job: Box<dyn Job>) -> (Box<dyn Job>, Ended) {
        let run = AssertUnwindSafe(job.run(&mut self.tx)).catch_unwind();
        let ended = match tokio::time::timeout(self.limit, run).await {
            Ok(Ok(true)) => Ended::Kept,
            Ok(Ok(false)) => Ended::RolledBack,
            Ok(Err(_)) => Ended::Panicked,
            Err(_) => Ended::TimedOut,
        };
        (job, ended)
    }

    async fn begin(&mut self) -> Result<(), StoreError> {
        self.tx.topics.clear();
        self.tx.ended = None;
        let begun = self.tx.execute("begin immediate", &[]).await;
        self.tx.ended = None;
        begun.map(|_| ())
    }

    async fn commit(&mut self) -> Result<(), StoreError> {
        if let Err(error) = self.tx.execute("commit", &[]).await {
            tracing::warn!(error = %error, "a commit did not succeed");
            self.rollback().await;
            return Err(error);
        }
        for topic in self.tx.topics.drain(..) {
            self.wakeups.fire(&topic);
        }
        self.checkpoints.committed();
        Ok(())
    }

    /// Ends the transaction, where the database has not done so by itself.
    async fn rollback(&mut self) {
        self.tx.ended = None;
        self.tx.topics.clear();
        if let Err(error) = self.tx.execute("rollback", &[]).await {
            tracing::debug!(error = %error, "the database had rolled back by itself");
        }
        self.tx.ended = None;
    }
}

/// Why a change is not kept; its caller gets its own error where it has returned one.
fn why_not_kept(ended: &Ended, tx: &Tx) -> Option<StoreError> {
    if let Some(error) = &tx.ended {
        return Some(error.clone());
    }
    match ended {
        Ended::Kept => None,
        Ended::RolledBack => Some(StoreError::internal("run a write", "the change returned an error")),
        Ended::Panicked => Some(StoreError::internal("run a write", "the change panicked")),
        Ended::TimedOut => Some(StoreError::TimedOut),
    }
}
