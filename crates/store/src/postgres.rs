//! Postgres: a pool, serializable transactions that are run again when they lose, and wake-ups between
//! processes.

mod notify;

use std::panic::AssertUnwindSafe;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use runtime::{Ambient, Backoff, Supervisor};
use sqlx::ConnectOptions;
use sqlx::PgPool;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use tokio::sync::{Mutex, oneshot};

use crate::error::{StoreError, from_sqlx, is_serialization};
use crate::migrations::postgres_migrator;
use crate::tx::{Connection, Tx};
use crate::wakeups::Wakeups;
use notify::Notifier;

/// How long a caller waits for a connection of the pool.
const ACQUIRE_LIMIT: Duration = Duration::from_secs(10);

/// Tries of a transaction that loses against others, in all.
const RETRIES: Backoff =
    Backoff { first: Duration::from_millis(2), longest: Duration::from_millis(200), tries: 20 };

/// After this many losses a transaction runs alone among those of this process that lose.
const PATIENCE: u32 = 2;

/// An open Postgres database.
pub(crate) struct Postgres {
    pub(crate) pool: PgPool,
    shared: Arc<Shared>,
    tasks: Supervisor,
}

struct Shared {
    pool: PgPool,
    ambient: Ambient,
    wakeups: Wakeups,
    notifier: Notifier,
    limit: Duration,
    /// Held by a transaction that has lost too often.
    losers: Mutex<()>,
}

impl Postgres {
    /// Connects and brings the tables up to date.
    pub(crate) async fn open(
        url: &str,
        size: u32,
        limit: Duration,
        ambient: Ambient,
        wakeups: Wakeups,
    ) -> Result<Self, StoreError> {
        let doing = "open the database";
        let options = PgConnectOptions::from_str(url)
            .map_err(|error| from_sqlx(doing, error))?
            .statement_cache_capacity(256)
            .disable_statement_logging();
        let named = options.get_application_name().is_some();
        let options = if named { options } else { options.application_name("journeyman") };
        let pool = PgPoolOptions::new()
            .max_connections(size)
            .acquire_timeout(ACQUIRE_LIMIT)
            .test_before_acquire(false)
            .connect_with(options)
            .await
            .map_err(|error| from_sqlx(doing, error))?;
        postgres_migrator().run(&pool).await.map_err(|error| match error {
            sqlx::migrate::MigrateError::Execute(error) => from_sqlx(doing, error),
            error => StoreError::internal("bring the tables up to date", error),
        })?;
        let tasks = Supervisor::new();
        let notifier = Notifier::start(&tasks, pool.clone(), wakeups.clone(), ambient.clone()).await?;
        let shared = Shared { pool: pool.clone(), ambient, wakeups, notifier, limit, losers: Mutex::new(()) };
        Ok(Self { pool, shared: Arc::new(shared), tasks })
    }

    /// Runs a change until it does not lose against others; returns when it is durable.
    pub(crate) async fn write<F, T, E>(&self, change: F) -> Result<T, E>
    where
        F: for<'t> FnOnce(&'t mut Tx) -> BoxFuture<'t, Result<T, E>> + Clone + Send + 'static,
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
    {
        let shared = Arc::clone(&self.shared);
        let (answer, answered) = oneshot::channel();
        // A task of its own, so that a caller that goes away does not leave the change half done.
        self.tasks.spawn("store write", async move {
            // Nobody waits any more: fine.
            let _ = answer.send(shared.write(change).await);
        });
        answered.await.unwrap_or_else(|_| Err(StoreError::Unavailable.into()))
    }

    /// Waits before a read is tried again, when it failed because its connection is gone.
    pub(crate) async fn ride_out(&self, failed: &mut u32, error: StoreError) -> Result<(), StoreError> {
        *failed += 1;
        let wait = RETRIES.wait_after(*failed, self.shared.ambient.random.as_ref());
        match (error, wait.filter(|_| !self.pool.is_closed())) {
            (StoreError::Unavailable, Some(wait)) => {
                tokio::time::sleep(wait).await;
                Ok(())
            }
            (error, _) => Err(error),
        }
    }

    /// Ends the listener and closes the connections.
    pub(crate) async fn close(&self) {
        self.tasks.stop(Duration::from_secs(10)).await;
        self.pool.close().await;
    }
}

/// A store that nobody holds any more does not listen either.
impl Drop for Postgres {
    fn drop(&mut self) {
        self.tasks.stopping().cancel();
    }
}

/// How one try ended.
enum Tried<T, E> {
    Done(Result<T, E>),
    Lost(StoreError),
}

impl Shared {
    async fn write<F, T, E>(&self, change: F) -> Result<T, E>
    where
        F: for<'t> FnOnce(&'t mut Tx) -> BoxFuture<'t, Result<T, E>> + Clone + Send + 'static,
        E: From<StoreError>,
    {
        let mut lost = 0;
        let mut alone = None;
        loop {
            let error = match self.attempt(change.clone()).await {
                Tried::Done(result) => return result,
                Tried::Lost(error) => error,
            };
            lost += 1;
            let wait = RETRIES.wait_after(lost, self.ambient.random.as_ref());
            let Some(wait) = wait.filter(|_| !self.pool.is_closed()) else { return Err(error.into()) };
            if lost == PATIENCE {
                alone = Some(self.losers.lock().await);
            } else if alone.is_none() || lost > 2 * PATIENCE {
                tokio::time::sleep(wait).await;
            }
        }
    }

    async fn attempt<F, T, E>(&self, change: F) -> Tried<T, E>
    where
        F: for<'t> FnOnce(&'t mut Tx) -> BoxFuture<'t, Result<T, E>>,
        E: From<StoreError>,
    {
        let begun = self.pool.begin_with("begin isolation level serializable").await;
        let mut tx = match begun {
            Ok(transaction) => Tx::new(Connection::Postgres(transaction)),
            Err(error) => return not_begun(from_sqlx("begin a transaction", error)),
        };
        let run = AssertUnwindSafe(async { change(&mut tx).await }).catch_unwind();
        let result = match tokio::time::timeout(self.limit, run).await {
            Ok(Ok(result)) => result,
            Ok(Err(_)) => Err(StoreError::internal("run a write", "the change panicked").into()),
            Err(_) => Err(StoreError::TimedOut.into()),
        };
        let Tx { connection: Connection::Postgres(transaction), topics, failed, again, .. } = tx else {
            return Tried::Done(Err(StoreError::Unavailable.into()));
        };
        if again || failed.is_some() || result.is_err() {
            if let Err(error) = transaction.rollback().await {
                tracing::debug!(error = %error, "a rollback did not reach the database");
            }
            return match (result, failed) {
                (_, Some(error)) if again => Tried::Lost(error),
                _ if again => Tried::Lost(StoreError::Conflict { what: "the same rows" }),
                (Ok(_), Some(error)) => Tried::Done(Err(error.into())),
                (result, _) => Tried::Done(result),
            };
        }
        match transaction.commit().await {
            Ok(()) => {
                for topic in &topics {
                    self.wakeups.fire(topic);
                }
                self.notifier.tell(topics);
                Tried::Done(result)
            }
            Err(error) if is_serialization(&error) => Tried::Lost(from_sqlx("commit", error)),
            Err(error) => Tried::Done(Err(from_sqlx("commit", error).into())),
        }
    }
}

/// A connection that the server has dropped is noticed when it is used; the next one may be whole.
fn not_begun<T, E: From<StoreError>>(error: StoreError) -> Tried<T, E> {
    match error {
        StoreError::Unavailable => Tried::Lost(error),
        error => Tried::Done(Err(error.into())),
    }
}
